"""The canister's acks and the client's ack timer, derived from the recorded frames.

Rules: the CDK (0.4.1, timers.rs) acks every client at each tick of one timer, whose interval is
ack_interval. The client (ic-websocket-js 0.5.0, queues.ts) gives up if no ack arrives within that interval
plus 30 s. It has one timer for all messages. The first message starts the timer and every ack restarts it.
After it expired, only an ack starts it again.

`ack_table` lists the acks with what they cover. `ack_interval` estimates the canister's interval.
`AckTimer` replays the client's timer with the queue of the client machine (protocol/client/wire.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

from icws_explore.protocol.client.wire import AckQueue
from icws_explore.protocol.constants import NS_PER_S, ack_timeout_s
from icws_explore.protocol.errors import StateError

from .instants import Received, Sent, SessionInstants

if TYPE_CHECKING:
    import pandas as pd


# How late a canister's timer may fire: one or two heartbeats of a subnet (1 to 2 s on mainnet).
TIMER_LATENESS_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class AckInterval:
    """The canister's ack interval in seconds, derived from its acks. ``max_s`` may be infinite.

    ``estimate_s`` is None with fewer than two ticks. ``ticks`` counts the observed ticks, ``missing`` those
    that must have been between them because an ack was lost or withheld.
    """

    estimate_s: float | None
    min_s: float
    max_s: float
    ticks: int
    missing: int = 0


def ack_interval(sessions: Sequence[SessionInstants], *, lateness_s: float = TIMER_LATENESS_S) -> AckInterval:
    """Estimate the ack interval of the canister that all ``sessions`` use, from the timestamps of its acks.

    The bounds hold if no tick is more than ``lateness_s`` (seconds) late and at least two neighbouring
    ticks were observed. With fewer than two ticks only a lower bound is known: the longest time without an
    ack.
    """
    ticks = _ticks([ack.made for session in sessions for ack in session.acks], lateness_s)
    quiet = max((_quiet(session) for session in sessions), default=0.0)
    if len(ticks) < 2:
        return AckInterval(None, max(0.0, quiet - lateness_s), float("inf"), len(ticks))
    gaps = [later - earlier for earlier, later in pairwise(ticks)]
    shortest = min(gaps)
    passed = sum(max(1, round(gap / shortest)) for gap in gaps)
    span = ticks[-1] - ticks[0]
    return AckInterval(
        span / passed,
        max(0.0, (span - lateness_s) / passed),
        (span + lateness_s) / passed,
        len(ticks),
        passed - len(gaps),
    )


def _ticks(made: Sequence[float], lateness_s: float) -> list[float]:
    """Merge acks made within ``lateness_s`` seconds of each other into one tick at the first of them."""
    ticks: list[float] = []
    for at in sorted(made):
        if not ticks or at - ticks[-1] > lateness_s:
            ticks.append(at)
    return ticks


def _quiet(session: SessionInstants) -> float:
    """Return the longest time (seconds, canister's clock) without an ack in this open session."""
    if session.opened is None:
        return 0.0
    known = [message.made for message in session.received]
    marks = [session.opened.made, *(ack.made for ack in session.acks), max(known)]
    return max((later - earlier for earlier, later in pairwise(sorted(marks))), default=0.0)


def ack_table(sessions: Sequence[SessionInstants]) -> pd.DataFrame:
    """Return one row per ack. Times are seconds since the capture's first frame, durations are seconds.

    ``made_s`` (the canister's timestamp) and ``certified_s`` are on the network's clock, ``received_s`` is on
    the capture's. ``acks`` is the acknowledged sequence number. ``covers_first`` to ``covers_last`` are the
    messages covered for the first time, ``oldest_age_s`` is the age of the oldest of them on receipt,
    ``limit_s`` the age at which the client gives up, and ``margin_s`` the remaining time. ``spacing_made_s``
    and ``spacing_received_s`` count from the previous ack, ``since_restart_s`` from the last restart of the
    client's ack timer, which has the same limit.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for session in sessions:
        limit = ack_timeout_s(session.ack_interval_s)
        timer, _ = replay(session)
        starts = {run.end: run.start for run in timer.runs if run.ending == "ack"}
        previous: Received | None = None
        covered = 0
        for ack in session.acks:
            assert ack.acks is not None
            mine = newly_covered(session.numbered, covered, ack)
            age = ack.at - mine[0].at if mine else float("nan")
            rows.append(
                {
                    "session": session.session,
                    "frame": ack.frame,
                    "sequence_num": ack.sequence_num,
                    "acks": ack.acks,
                    "made_s": ack.made,
                    "certified_s": _nan(ack.certified),
                    "received_s": ack.at,
                    "spacing_made_s": float("nan") if previous is None else ack.made - previous.made,
                    "spacing_received_s": float("nan") if previous is None else ack.at - previous.at,
                    "covers_first": mine[0].sequence_num if mine else None,
                    "covers_last": mine[-1].sequence_num if mine else None,
                    "oldest_age_s": age,
                    "limit_s": limit,
                    "margin_s": limit - age,
                    "since_restart_s": ack.at - starts.get(ack.at, float("nan")),
                }
            )
            previous, covered = ack, max(covered, ack.acks)
    columns = [
        "session", "frame", "sequence_num", "acks", "made_s", "certified_s", "received_s", "spacing_made_s",
        "spacing_received_s", "covers_first", "covers_last", "oldest_age_s", "limit_s", "margin_s", "since_restart_s",
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    numbers = ["sequence_num", "acks", "covers_first", "covers_last"]
    return table.astype(dict.fromkeys(numbers, "UInt64"))


def newly_covered(numbered: Sequence[Sent], covered: int, ack: Received) -> list[Sent]:
    """Return the messages after ``covered`` that the ack covers for the first time, in the order of sending."""
    assert ack.acks is not None
    return [s for s in numbered if covered < (s.sequence_num or 0) <= ack.acks and s.frame < ack.frame]


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value


Ending = Literal["ack", "expired", "closed", "running"]


@dataclass(frozen=True, slots=True)
class TimerRun:
    """One run of the timer. Instants are in seconds since the capture's origin."""

    start: float
    due: float
    end: float
    ending: Ending
    started_by: int  # frame number


class AckTimer:
    """The client's ack timer. Feed it with sent and received frames; it says when the client gives up."""

    def __init__(self, ack_interval_s: float) -> None:
        self.limit_s = ack_timeout_s(ack_interval_s)
        self.runs: list[TimerRun] = []  # the last one may still be running
        self._queue = AckQueue(round(self.limit_s * 1000))
        self._sent_at: dict[int, float] = {}
        self._over = False

    @property
    def due(self) -> float | None:
        """When the timer expires, in seconds since the origin; None if it is not running."""
        run = self.runs[-1] if self.runs else None
        return run.due if run is not None and run.ending == "running" else None

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Sequence numbers that wait for an ack, oldest first."""
        return self._queue.outstanding

    @property
    def oldest(self) -> float | None:
        """When the oldest waiting message was sent, in seconds since the origin."""
        waiting = self._queue.oldest
        return None if waiting is None else self._sent_at[waiting]

    def sent(self, message: Sent) -> None:
        self.advance(message.at)
        if message.sequence_num is None or self._over:
            return
        try:
            self._queue.add(message.sequence_num, _ns(message.at))
        except StateError:
            return  # the number does not ascend: the SDK reports it and does not time this message
        self._sent_at[message.sequence_num] = message.at
        self._follow(message.at, message.frame)

    def received(self, message: Received) -> None:
        self.advance(message.at)
        if message.acks is None or self._over:
            return
        try:
            expired = self._queue.ack(message.acks, _ns(message.at))
        except StateError:
            return  # an ack of something unsent: the SDK closes and leaves the timer as it is
        if not expired:
            self._end(message.at, "ack")
        self._follow(message.at, message.frame)

    def closed(self, at: float) -> None:
        """Stop: the connection ended."""
        self.advance(at)
        self._over = True
        self._queue.clear()
        self._end(at, "closed")

    def advance(self, now: float) -> None:
        """Advance the time to ``now``; a run that is due has expired."""
        due = self.due
        if due is not None and now >= due:
            self._queue.expire()
            self._end(due, "expired")

    def _follow(self, at: float, frame: int) -> None:
        """Begin a run if the queue started its timer at ``at``."""
        if self._queue.due_ns is not None and self.due is None:
            self.runs.append(TimerRun(at, at + self.limit_s, at, "running", frame))

    def _end(self, at: float, ending: Ending) -> None:
        if self.runs and self.runs[-1].ending == "running":
            self.runs[-1] = replace(self.runs[-1], end=at, ending=ending)


@dataclass(frozen=True, slots=True)
class Age:
    """The age of the oldest waiting message in seconds, at ``at`` (seconds since the origin)."""

    at: float
    age_s: float


def replay(session: SessionInstants) -> tuple[AckTimer, list[Age]]:
    """Replay a session. Returns the timer and the corners of the curve of the oldest message's age.

    Between two corners the age rises by one second per second or is 0. A corner at which it falls comes
    twice: before and after.
    """
    timer = AckTimer(session.ack_interval_s)
    corners: list[Age] = []

    def corner(at: float) -> None:
        oldest = timer.oldest
        corners.append(Age(at, 0.0 if oldest is None else at - oldest))

    frames: list[Sent | Received] = [*session.numbered, *session.acks]
    for message in sorted(frames, key=lambda one: one.frame):
        corner(message.at)
        if isinstance(message, Sent):
            timer.sent(message)
        else:
            timer.received(message)
        corner(message.at)
    end = session.last if session.ended is None else session.ended.at
    corner(end)
    if session.ended is None:
        timer.advance(end)
    else:
        timer.closed(end)
    if timer.runs and timer.runs[-1].ending == "running":
        timer.runs[-1] = replace(timer.runs[-1], end=end)
    return timer, corners


def _ns(at: float) -> int:
    return round(at * NS_PER_S)
