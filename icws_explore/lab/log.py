"""What each part of the lab saw, in the order of happening: the ground truth behind a capture.

The real gateway never tells a client that a canister answered Err, trapped, or that the replica
refused a request. The lab's parts write it down here, with the protocol time at which it happened.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from icws_explore.protocol.constants import NS_PER_S

MAX_EVENTS: Final = 100_000  # the oldest go first; an hour of a busy lab fits


@dataclass(frozen=True, slots=True)
class LabEvent:
    """One thing that happened. ``t_ns`` is protocol time in nanoseconds since the epoch.

    ``part`` is "replica", "canister" or "gateway", and "lab" where a fault itself has failed; ``kind`` names
    what happened ("accepted", "refused", "replied", "err", "trapped", "rejected", …); ``text`` is one line
    for a person; ``facts`` are the same things for a program (principals and ids as text).
    """

    t_ns: int
    part: str
    kind: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def time(self) -> str:
        """Protocol time of day, to the millisecond, UTC."""
        return datetime.fromtimestamp(self.t_ns / NS_PER_S, UTC).strftime("%H:%M:%S.%f")[:-3]

    def as_json(self) -> dict[str, Any]:
        """The event as ``icws lab --json`` prints it."""
        return {
            "t": self.t_ns / NS_PER_S,
            "part": self.part,
            "event": self.kind,
            "text": self.text,
            **self.facts,
        }

    def __str__(self) -> str:
        return f"{self.time} {self.part:<8} {self.kind:<10} {self.text}"


class LabLog:
    """The lab's events. Written in the lab's thread, read from any."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._events: deque[LabEvent] = deque(maxlen=MAX_EVENTS)
        self._lock = threading.Lock()
        self._listeners: list[Callable[[LabEvent], None]] = []

    def write(self, part: str, kind: str, text: str, **facts: Any) -> None:
        """Note an event at the protocol's now, and tell the listeners."""
        event = LabEvent(self._now_ns(), part, kind, text, facts)
        with self._lock:
            self._events.append(event)
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(event)

    def listen(self, listener: Callable[[LabEvent], None]) -> Callable[[], None]:
        """Call ``listener`` with every further event, in the lab's thread. Returns what ends that."""
        with self._lock:
            self._listeners.append(listener)

        def end() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    @property
    def events(self) -> list[LabEvent]:
        """What happened so far, oldest first."""
        with self._lock:
            return list(self._events)
