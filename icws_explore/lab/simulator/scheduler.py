"""Virtual time: a heap of what happens when. Nothing waits; the clock jumps to the next event.

Events of one instant go in the order of their ``order``, then of being planned, so a run depends on
nothing but its seed.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

from icws_explore.capture import ClockInfo

VIRTUAL: Final = ClockInfo("virtual", 1.0)


class Timeline:
    """The simulation's clock, in nanoseconds since the epoch."""

    def __init__(self, start_ns: int) -> None:
        self.now_ns = start_ns
        self.events = 0  # how many have happened
        self._heap: list[tuple[int, int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._planned = 0

    def read(self) -> int:
        """The virtual now, for whoever wants a function."""
        return self.now_ns

    def at(self, at_ns: int, action: Callable[..., object], *args: Any, order: int = 0) -> None:
        """Plan ``action(*args)``. A time that has passed means now."""
        self._planned += 1
        heappush(self._heap, (max(at_ns, self.now_ns), order, self._planned, action, args))

    @property
    def next_ns(self) -> int | None:
        """When the next event is planned; None when nothing is."""
        return self._heap[0][0] if self._heap else None

    def run(self, until_ns: int) -> None:
        """Let everything happen that is planned by ``until_ns``; then it is ``until_ns``."""
        heap = self._heap
        while heap and heap[0][0] <= until_ns:
            at_ns, _, _, action, args = heappop(heap)
            self.now_ns = at_ns
            self.events += 1
            action(*args)
        self.now_ns = max(self.now_ns, until_ns)
