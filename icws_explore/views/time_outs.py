"""Every run of a session's time-outs: when it started, how long it had, and how it ended.

The timing analysis describes each kind in its own form (opens, the ack timer, keep-alive windows). This module gives
them one form, which the timeline draws as bars and the report counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from icws_explore.analysis.timing import opens
from icws_explore.analysis.timing.acks import Ending, TimerRun, replay
from icws_explore.analysis.timing.instants import SessionInstants
from icws_explore.analysis.timing.keep_alives import KeepAlive, keep_alives
from icws_explore.analysis.timing.skew import skew_of

TimeOutName = Literal["open", "ack", "keep_alive"]
Outcome = Literal["met", "missed", "running", "ended"]

_OPENINGS: Final[dict[str, Outcome]] = {"open": "met", "timed out": "missed", "ended": "ended", "waiting": "running"}
_ENDINGS: Final[dict[Ending, Outcome]] = {"ack": "met", "expired": "missed", "closed": "ended", "running": "running"}
_WINDOWS: Final[dict[str, Outcome]] = {
    "in time": "met", "sent": "met", "timed out": "missed", "missed": "missed", "ended": "ended", "waiting": "running",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TimeOut:
    """One run of one time-out. ``start`` and ``end`` are seconds since the recording's first frame, on its clock.

    ``outcome`` is "met", "missed" (nothing came within ``limit_s`` seconds), "ended" (the session closed first), or
    "running" (the recording ends first). ``end`` is when it was met or the session closed, else None.
    """

    name: TimeOutName
    start: float
    limit_s: float
    end: float | None
    outcome: Outcome

    @property
    def due(self) -> float:
        return self.start + self.limit_s


def time_outs(session: SessionInstants) -> list[TimeOut]:
    """The opening of a session, each run of the client's ack timer, and each window for a keep-alive."""
    skew = skew_of(session)
    timer, _ = replay(session)
    return [
        *_opening(session),
        *(_ack(run) for run in timer.runs),
        *(_keep_alive(session, window, skew.estimate_s) for window in keep_alives(session, skew=skew)),
    ]


def _opening(session: SessionInstants) -> Iterator[TimeOut]:
    if session.asked is None:
        return
    outcome = _OPENINGS[opens.outcome(session)]
    ends = {"met": session.opened, "ended": session.ended}.get(outcome)
    yield TimeOut("open", session.asked.at, opens.OPEN_LIMIT_S, None if ends is None else ends.at, outcome)


def _ack(run: TimerRun) -> TimeOut:
    outcome = _ENDINGS[run.ending]
    return TimeOut("ack", run.start, run.due - run.start, run.end if outcome in ("met", "ended") else None, outcome)


def _keep_alive(session: SessionInstants, window: KeepAlive, skew_s: float) -> TimeOut:
    """The canister's window starts at the ack's own timestamp, which is moved to the recording's clock."""
    outcome = _WINDOWS[window.outcome]
    ends = {"met": window.answer, "ended": session.ended}.get(outcome)
    return TimeOut("keep_alive", window.ack.made + skew_s, window.limit_s, None if ends is None else ends.at, outcome)
