"""One direction of one connection, where a fault may hold things up: they come out in order, as on TCP.

The lab and the simulator differ only in the timetable: a real or scaled clock, or virtual time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from icws_explore.protocol.constants import NS_PER_MS

from ..faults import Delivery


class Timetable(Protocol):
    """Where things are planned; those of one instant happen in the order of being planned."""

    @property
    def now_ns(self) -> int:
        """Ns since the epoch."""

    def at(self, at_ns: int, action: Callable[..., Any], *args: Any) -> None:
        """Plan ``action(*args)``. A time that has passed means now."""


class Passage:
    """``ordered`` False: nothing holds up anything, as where each thing is sent by a task of its own."""

    __slots__ = ("_last_ns", "_ordered", "_timetable", "_waiting")

    def __init__(self, timetable: Timetable, *, ordered: bool = True) -> None:
        self._timetable = timetable
        self._ordered = ordered
        self._last_ns = 0  # when the latest of what keeps the order comes out
        self._waiting = 0  # how many of those have not come out yet

    def carry(self, delivery: Delivery, action: Callable[..., object], *args: Any) -> None:
        """``action(*args)`` when ``delivery`` comes out: at once, in this very call, unless something delays it."""
        now_ns = self._timetable.now_ns
        due_ns = now_ns + round(delivery.delay_ms * NS_PER_MS)
        if self._ordered:
            due_ns = max(due_ns, self._last_ns)
        if due_ns <= now_ns and not self._waiting:
            action(*args)
        elif delivery.overtakable or not self._ordered:
            self._timetable.at(due_ns, action, *args)
        else:
            self._last_ns = due_ns
            self._waiting += 1
            self._timetable.at(due_ns, self._come_out, action, args)

    def _come_out(self, action: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._waiting -= 1
        action(*args)


class Hops:
    """The passages of one session: through its connection and through its gateway, either way."""

    __slots__ = ("from_client", "relay_down", "relay_up", "to_client")

    def __init__(self, timetable: Timetable, *, ordered: bool) -> None:
        """``ordered``: calls that the gateway relays keep their order."""
        self.from_client = Passage(timetable)
        self.relay_up = Passage(timetable, ordered=ordered)
        self.relay_down = Passage(timetable)
        self.to_client = Passage(timetable)
