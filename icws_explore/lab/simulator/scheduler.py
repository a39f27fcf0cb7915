"""Virtual time: a queue of planned actions. The clock jumps from one action to the next; nothing waits."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

from icws_explore.capture import ClockInfo

VIRTUAL: Final = ClockInfo("virtual", 1.0)  # the clock that a simulation's recording names


class VirtualScheduler:
    """The simulation's clock, and the actions planned on it. Times are nanoseconds since the epoch.

    Actions of the same instant run by ascending ``order``, then in the order in which they were planned. So a run
    depends only on its seed.
    """

    def __init__(self, start_ns: int) -> None:
        self.now_ns = start_ns
        self.executed = 0  # the number of actions that have run
        self._heap: list[tuple[int, int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._planned = 0

    def read_ns(self) -> int:
        """Return the virtual time, for callers that need a function."""
        return self.now_ns

    def at(self, at_ns: int, action: Callable[..., object], *args: Any, order: int = 0) -> None:
        """Plan ``action(*args)``. A time in the past means now."""
        self._planned += 1
        heappush(self._heap, (max(at_ns, self.now_ns), order, self._planned, action, args))

    @property
    def next_ns(self) -> int | None:
        """The time of the next planned action, or None if there is none."""
        return self._heap[0][0] if self._heap else None

    def run(self, until_ns: int) -> None:
        """Run every action planned for ``until_ns`` or earlier, then set the clock to ``until_ns``."""
        heap = self._heap
        while heap and heap[0][0] <= until_ns:
            at_ns, _, _, action, args = heappop(heap)
            self.now_ns = at_ns
            self.executed += 1
            action(*args)
        self.now_ns = max(self.now_ns, until_ns)
