"""The client's ack timer, replayed from what passed: each run of it, and what was waiting.

It is the very queue of the client machine (protocol.ack_queue): one timer for all messages, started
by the first one, started anew by every ack, and after it has expired only by an ack.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from icws_explore.protocol.client.ack_queue import AckQueue
from icws_explore.protocol.constants import LATENCY_BOUND_MS, NS_PER_S
from icws_explore.protocol.errors import StateError

from .instants import Received, Sent, SessionInstants

Ending = Literal["ack", "expired", "closed", "running"]


@dataclass(frozen=True, slots=True)
class TimerRun:
    """From a start of the timer to what ended it; instants in seconds since the capture's origin."""

    start: float
    due: float
    end: float
    ending: Ending
    started_by: int  # frame number


class AckTimer:
    """Fed with what the client sent and received, it says when the client gives up."""

    def __init__(self, ack_interval_s: float) -> None:
        self.limit_s = ack_interval_s + LATENCY_BOUND_MS / 1000
        self.runs: list[TimerRun] = []  # the last one may still be running
        self._queue = AckQueue(round(self.limit_s * 1000))
        self._sent_at: dict[int, float] = {}
        self._over = False

    @property
    def due(self) -> float | None:
        """When the timer expires, in seconds since the origin; None: it is not running."""
        run = self.runs[-1] if self.runs else None
        return run.due if run is not None and run.ending == "running" else None

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Sequence numbers that wait for an ack, oldest first."""
        return self._queue.outstanding

    @property
    def oldest(self) -> float | None:
        """When the oldest message that waits was sent, in seconds since the origin."""
        waiting = self._queue.oldest
        return None if waiting is None else self._sent_at[waiting]

    def sent(self, it: Sent) -> None:
        self.advance(it.at)
        if it.sequence_num is None or self._over:
            return
        try:
            self._queue.add(it.sequence_num, _ns(it.at))
        except StateError:
            return  # numbers that do not ascend: the SDK says so and does not watch over this one
        self._sent_at[it.sequence_num] = it.at
        self._follow(it.at, it.frame)

    def received(self, it: Received) -> None:
        self.advance(it.at)
        if it.acks is None or self._over:
            return
        try:
            expired = self._queue.ack(it.acks, _ns(it.at))
        except StateError:
            return  # an ack of something unsent: the SDK closes, and leaves the timer as it is
        if not expired:
            self._end(it.at, "ack")
        self._follow(it.at, it.frame)

    def closed(self, at: float) -> None:
        """The connection ended: nothing is timed any more."""
        self.advance(at)
        self._over = True
        self._queue.clear()
        self._end(at, "closed")

    def advance(self, now: float) -> None:
        """Time has passed: a run that is due by ``now`` has expired."""
        due = self.due
        if due is not None and now >= due:
            self._queue.expire()
            self._end(due, "expired")

    def _follow(self, at: float, frame: int) -> None:
        """Begin a run where the queue's timer was started at ``at``."""
        if self._queue.due_ns is not None and self.due is None:
            self.runs.append(TimerRun(at, at + self.limit_s, at, "running", frame))

    def _end(self, at: float, ending: Ending) -> None:
        if self.runs and self.runs[-1].ending == "running":
            self.runs[-1] = replace(self.runs[-1], end=at, ending=ending)


@dataclass(frozen=True, slots=True)
class Age:
    """A point of the saw-tooth: at ``at`` (s since the origin) the oldest waiting message was ``age_s`` old."""

    at: float
    age_s: float


def replay(session: SessionInstants) -> tuple[AckTimer, list[Age]]:
    """The timer after all of a session, and the age of the oldest message that waits, corner by corner.

    The corners come in order; between two of them the age rises by a second a second or is 0. A corner
    at which it falls comes twice: before and after.
    """
    timer = AckTimer(session.ack_interval_s)
    corners: list[Age] = []

    def corner(at: float) -> None:
        oldest = timer.oldest
        corners.append(Age(at, 0.0 if oldest is None else at - oldest))

    happened: list[Sent | Received] = [*session.numbered, *session.acks]
    for it in sorted(happened, key=lambda one: one.frame):
        corner(it.at)
        if isinstance(it, Sent):
            timer.sent(it)
        else:
            timer.received(it)
        corner(it.at)
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
