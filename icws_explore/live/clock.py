"""The clock that is injected into everything that runs: the machine's clock, or a faster one.

Timestamps, deadlines and intervals are in protocol time. `RealClock` is the machine's clock. `ScaledClock` runs faster:
at × 60, an ack interval of 300 s passes in 5 real seconds. Sessions, taps and labs read the time from a clock and wait
on it, so they work at any scale.

A `ScaledClock` can be paused. Then its time passes only while a call waits for something (`Clock.passing`), or for a
given time (`ScaledClock.step`). A reader can take minutes over a notebook's cell, and the session has not moved on.
"""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

from icws_explore.capture import ClockInfo
from icws_explore.protocol.constants import NS_PER_S

LOOK_S: Final = 0.02  # real seconds between two looks at a clock that is paused


class Clock(ABC):
    """A source of protocol time."""

    @abstractmethod
    def now_ns(self) -> int:
        """Return the protocol time in nanoseconds since the epoch."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` of protocol time. With zero or less, let other tasks run once."""

    @property
    @abstractmethod
    def info(self) -> ClockInfo:
        """The clock's kind and scale, as recordings store them."""

    @property
    def scale(self) -> float:
        """The protocol seconds in one real second."""
        return self.info.scale

    def now_s(self) -> float:
        """Return the protocol time in seconds since the epoch, for the ``t`` of a `Frame`."""
        return self.now_ns() / NS_PER_S

    def real_seconds(self, protocol_s: float) -> float:
        """Return how many real seconds ``protocol_s`` seconds of protocol time take.

        After that, look at the clock again: it may have been paused meanwhile. On a paused clock this is at most
        `LOOK_S`, because it is not known when its time goes on.
        """
        return protocol_s / self.scale

    def passing(self) -> AbstractContextManager[None]:
        """A context in which time passes even if the clock is paused: for a call that waits for something."""
        return nullcontext()


class RealClock(Clock):
    """The machine's clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    @property
    def info(self) -> ClockInfo:
        return ClockInfo("real", 1.0)


class ScaledClock(Clock):
    """A clock that starts at the machine's time and runs ``scale`` times as fast. It never goes back.

    It can be paused and stepped from any thread. While it is paused, its time stands still, except in `passing` and
    during a `step`.
    """

    def __init__(self, scale: float, *, paused: bool = False) -> None:
        """Raises ValueError unless ``scale`` is positive and finite."""
        if not 0 < scale < float("inf"):
            raise ValueError(f"the scale of a clock must be positive and finite, not {scale!r}")
        self._scale = float(scale)
        self._lock = threading.Lock()
        self._now_ns = time.time_ns()
        self._looked_ns = time.monotonic_ns()
        self._paused = paused
        self._waiting = 0  # calls that need time to pass
        self._stop_ns: int | None = None  # the end of a step

    def __getstate__(self) -> dict[str, Any]:
        """A copy in another process of this machine tells the same time until one of the two is paused."""
        with self._lock:
            self._look()
            return {**vars(self), "_waiting": 0, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    def now_ns(self) -> int:
        with self._lock:
            return self._look()

    async def sleep(self, seconds: float) -> None:
        end_ns = self.now_ns() + round(seconds * NS_PER_S)
        await asyncio.sleep(0)
        await self._reached(end_ns)

    def real_seconds(self, protocol_s: float) -> float:
        real_s = super().real_seconds(protocol_s)
        return real_s if self._runs else min(real_s, LOOK_S)

    @property
    def is_paused(self) -> bool:
        """Whether time passes only in `passing` and during a `step`."""
        return self._paused

    def pause(self) -> None:
        """Let time stand still. Does nothing if the clock is paused."""
        self._set_paused(paused=True)

    def resume(self) -> None:
        """Let time pass again, from the time at which it stood still."""
        self._set_paused(paused=False)

    @contextmanager
    def passing(self) -> Iterator[None]:
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    async def step(self, seconds: float) -> None:
        """Let ``seconds`` of protocol time pass at the clock's scale, and pause. If cancelled, pause at once."""
        with self._lock:
            self._stop_ns = end_ns = self._look() + round(seconds * NS_PER_S)
            self._paused = True
        try:
            await self._reached(end_ns)
        finally:
            with self._lock:
                self._look()
                self._stop_ns = None

    async def _reached(self, end_ns: int) -> None:
        while (left_ns := end_ns - self.now_ns()) > 0:  # noqa: ASYNC110 -- the time also passes by itself
            await asyncio.sleep(self.real_seconds(left_ns / NS_PER_S))

    @property
    def info(self) -> ClockInfo:
        return ClockInfo("scaled", self._scale)

    @property
    def _runs(self) -> bool:
        return not self._paused or self._waiting > 0 or self._stop_ns is not None

    def _look(self) -> int:
        """Move the time on by what has passed since the last look. The lock must be held."""
        real_ns = time.monotonic_ns()
        passed_ns, self._looked_ns = self._counted_ns(real_ns - self._looked_ns), real_ns
        if self._runs:
            self._now_ns += int(passed_ns * self._scale)
            if self._stop_ns is not None and self._now_ns >= self._stop_ns:
                if self._waiting == 0:
                    self._now_ns = self._stop_ns
                self._stop_ns = None
        return self._now_ns

    def _counted_ns(self, real_ns: int) -> int:
        """Return how much of the real time between two looks counts."""
        return real_ns

    def _set_paused(self, *, paused: bool) -> None:
        with self._lock:
            self._look()
            self._paused = paused

    def _count(self, more: int) -> None:
        with self._lock:
            self._look()
            self._waiting += more


def clock_of_scale(scale: float, *, paused: bool = False) -> Clock:
    """Return the real clock for a scale of 1 that is not paused, and a `ScaledClock` otherwise."""
    return RealClock() if scale == 1 and not paused else ScaledClock(scale, paused=paused)
