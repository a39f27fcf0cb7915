"""The time left, at any moment, to each time-out of client and canister.

The client's two time-outs are known exactly (ic-websocket-js 0.5.0: 60 s from ws_open; one ack timer of the
ack interval + 30 s, which every ack restarts). The canister's keep-alive time-out and its next ack are on the
canister's clock, so they are inferred and have bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from icws_explore.capture import Capture

from ..decode import DecodedFrame, shared_frames
from .acks import AckTimer, ack_interval
from .instants import Instants, Received, Sent, SessionInstants
from .keep_alives import KEEP_ALIVE_LIMIT_S
from .opens import OPEN_LIMIT_S
from .skew import skew_of

if TYPE_CHECKING:
    import pandas as pd

Name = Literal["open", "ack", "keep_alive", "next_ack"]


@dataclass(frozen=True, slots=True)
class Countdown:
    """One running time-out, in seconds. ``started_s`` and ``due_s`` count from the capture's first frame.

    ``left_s`` is negative after the time-out. If ``inferred``, the true value lies between ``left_min_s`` and
    ``left_max_s``; otherwise the three are equal. "next_ack" is not a time-out but the canister's next tick;
    its ``limit_s`` is the ack interval.
    """

    session: str | None
    name: Name
    started_s: float
    limit_s: float
    left_s: float
    left_min_s: float
    left_max_s: float
    inferred: bool

    @property
    def due_s(self) -> float:
        return self.started_s + self.limit_s


class Watch:
    """Takes the frames of a live or stored capture in order, and gives the time left at any moment."""

    def __init__(self, capture: Capture) -> None:
        self.instants = Instants(capture)
        self._timers: dict[str | None, AckTimer] = {}
        self._seen: dict[str | None, tuple[int, int]] = {}

    def feed(self, frames: Iterable[DecodedFrame]) -> None:
        """Take further frames, in order."""
        self.instants.feed(frames)
        for session in self.instants.sessions.values():
            self._follow(session)

    def left(self, now_s: float) -> list[Countdown]:
        """Return the time-outs that run at ``now_s`` (seconds since the first frame), soonest first."""
        running = [c for session in self.instants.sessions.values() for c in self._of(session, now_s)]
        return sorted(running, key=lambda countdown: countdown.left_s)

    def _follow(self, session: SessionInstants) -> None:
        """Feed new frames to the session's ack timer."""
        timer = self._timers.setdefault(session.session, AckTimer(session.ack_interval_s))
        sent, received = self._seen.get(session.session, (0, 0))
        new: list[Sent | Received] = [*session.sent[sent:], *session.received[received:]]
        for message in sorted(new, key=lambda one: one.frame):
            if isinstance(message, Received):
                timer.received(message)
            else:
                timer.sent(message)
        self._seen[session.session] = (len(session.sent), len(session.received))
        if session.ended is not None:
            timer.closed(session.ended.at)

    def _of(self, session: SessionInstants, now_s: float) -> Iterator[Countdown]:
        if session.ended is not None:
            return
        name = session.session
        started = session.asked.at if session.asked is not None else None
        if session.opened is None and started is not None:
            yield _exact(name, "open", started, OPEN_LIMIT_S, now_s)
        timer = self._timers[name]
        timer.advance(now_s)
        if timer.due is not None:
            yield _exact(name, "ack", timer.due - timer.limit_s, timer.limit_s, now_s)
        yield from _of_the_canister(session, now_s)


def _exact(session: str | None, name: Name, started: float, limit: float, now: float) -> Countdown:
    left = started + limit - now
    return Countdown(session, name, started, limit, left, left, left, inferred=False)


def _of_the_canister(session: SessionInstants, now: float) -> Iterator[Countdown]:
    """Yield the canister's wait for a keep-alive, while none was sent, and its next ack."""
    if session.opened is None:
        return
    skew = skew_of(session)
    acks = session.acks
    if acks:
        ack = acks[-1]
        if not any(sent.kind == "keep_alive" and sent.frame > ack.frame for sent in session.sent):
            start = ack.made + skew.estimate_s
            left = [ack.made + offset + KEEP_ALIVE_LIMIT_S - now for offset in (skew.min_s, skew.max_s)]
            due = start + KEEP_ALIVE_LIMIT_S - now
            yield Countdown(
                session.session, "keep_alive", start, KEEP_ALIVE_LIMIT_S, due, left[0], left[1], inferred=True
            )
    interval = ack_interval([session])
    expected = session.ack_interval_s if interval.estimate_s is None else interval.estimate_s
    last = acks[-1].made if acks else session.opened.made
    start = last + skew.estimate_s
    latest = expected if interval.estimate_s is None else interval.max_s
    least = 0.0 if not acks else interval.min_s  # the first ack may come at any moment
    yield Countdown(
        session.session,
        "next_ack",
        start,
        expected,
        start + expected - now,
        last + skew.min_s + least - now,
        last + skew.max_s + latest - now,
        inferred=True,
    )


def countdown(capture: Capture, now_s: float | None = None) -> pd.DataFrame:
    """Return one row per time-out that runs at ``now_s`` (seconds since the first frame; default: the last frame).

    Later frames are ignored. The columns are those of `Countdown` and ``due_s``.
    """
    import pandas as pd

    first = capture.frames[0].t if capture.frames else 0.0
    moment = max((frame.t for frame in capture.frames), default=0.0) - first if now_s is None else now_s
    watch = Watch(capture)
    watch.feed(decoded for decoded in shared_frames(capture) if decoded.frame.t - first <= moment)
    rows: list[dict[str, Any]] = [
        {
            "session": c.session,
            "name": c.name,
            "started_s": c.started_s,
            "due_s": c.due_s,
            "limit_s": c.limit_s,
            "left_s": c.left_s,
            "left_min_s": c.left_min_s,
            "left_max_s": c.left_max_s,
            "inferred": c.inferred,
        }
        for c in watch.left(moment)
    ]
    columns = [
        "session", "name", "started_s", "due_s", "limit_s", "left_s", "left_min_s", "left_max_s", "inferred",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)
