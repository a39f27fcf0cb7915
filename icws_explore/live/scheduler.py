"""Planned actions: what a scheduler must offer, and the one that runs on an event loop by a clock.

The simulator has its own, in virtual time (`lab.simulator.scheduler`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Protocol

from icws_explore.live.clock import Clock
from icws_explore.protocol.constants import NS_PER_S


class Scheduler(Protocol):
    """Runs planned actions at their times. Actions of the same time run in the order in which they were planned."""

    @property
    def now_ns(self) -> int:
        """The current time, ns since the epoch."""

    def at(self, at_ns: int, action: Callable[..., Any], *args: Any) -> None:
        """Plan ``action(*args)`` for ``at_ns`` (ns since the epoch). A time in the past means as soon as possible."""


class ClockScheduler:
    """A `Scheduler` on an event loop, by ``clock``. Use it on one loop.

    Actions keep the order of their times even if the loop runs late. If an action raises, ``on_error`` is called with
    the exception and the other actions still run.
    """

    def __init__(self, clock: Clock, on_error: Callable[[Exception], object]) -> None:
        self._clock = clock
        self._on_error = on_error
        self._heap: list[tuple[int, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._planned = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def now_ns(self) -> int:
        """The clock's time, ns since the epoch."""
        return self._clock.now_ns()

    def at(self, at_ns: int, action: Callable[..., Any], *args: Any) -> None:
        """Plan ``action(*args)`` for ``at_ns`` (ns since the epoch). A time in the past means as soon as possible."""
        self._planned += 1
        heappush(self._heap, (at_ns, self._planned, action, args))
        self._set_timer()

    def clear(self) -> None:
        """Drop all planned actions."""
        self._heap.clear()
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            left_s = self._clock.real_seconds((self._heap[0][0] - self._clock.now_ns()) / NS_PER_S)
            self._timer = asyncio.get_running_loop().call_later(max(left_s, 0.0), self._run_due)

    def _run_due(self) -> None:
        self._timer = None
        while self._heap and self._heap[0][0] <= self._clock.now_ns():
            _, _, action, args = heappop(self._heap)
            try:
                action(*args)
            except Exception as error:  # noqa: BLE001 -- it may be a user's code; the other actions must still run
                self._on_error(error)
        self._set_timer()
