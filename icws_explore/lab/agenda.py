"""What is planned on an event loop by a clock: the counterpart of the simulator's timeline over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from icws_explore.live.clock import Clock
from icws_explore.protocol.constants import NS_PER_S


class Agenda:
    """Used on one loop. Things happen in the order of their times, then of being planned, however late the loop is.

    ``on_error`` gets what an action raises; the others still happen.
    """

    def __init__(self, clock: Clock, on_error: Callable[[Exception], object]) -> None:
        self._clock = clock
        self._on_error = on_error
        self._heap: list[tuple[int, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._planned = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def now_ns(self) -> int:
        """The clock's now, ns since the epoch."""
        return self._clock.now_ns()

    def at(self, at_ns: int, action: Callable[..., Any], *args: Any) -> None:
        """Plan ``action(*args)``. A time that has passed means as soon as the loop gets to it."""
        self._planned += 1
        heappush(self._heap, (at_ns, self._planned, action, args))
        self._wait()

    def clear(self) -> None:
        """Forget all that is planned."""
        self._heap.clear()
        self._wait()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            left_s = self._clock.real_seconds((self._heap[0][0] - self._clock.now_ns()) / NS_PER_S)
            self._timer = asyncio.get_running_loop().call_later(max(left_s, 0.0), self._act)

    def _act(self) -> None:
        self._timer = None
        while self._heap and self._heap[0][0] <= self._clock.now_ns():
            _, _, action, args = heappop(self._heap)
            try:
                action(*args)
            except Exception as error:  # noqa: BLE001 -- a fault of somebody else's making; whoever owns this is told
                self._on_error(error)
        self._wait()
