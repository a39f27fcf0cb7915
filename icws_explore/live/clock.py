"""The clock that is injected into everything that runs: the machine's clock, or a faster one.

Timestamps, deadlines and intervals are in protocol time. `RealClock` is the machine's clock. `ScaledClock` runs faster:
at × 60, an ack interval of 300 s passes in 5 real seconds. Sessions, taps and labs read the time from a clock and wait
on it, so they work at any scale.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod

from icws_explore.capture import ClockInfo
from icws_explore.protocol.constants import NS_PER_S


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
        """Return how many real seconds ``protocol_s`` seconds of protocol time take."""
        return protocol_s / self.scale


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
    """A clock that starts at the machine's time and runs ``scale`` times as fast. It never goes back."""

    def __init__(self, scale: float) -> None:
        """Raises ValueError unless ``scale`` is positive and finite."""
        if not 0 < scale < float("inf"):
            raise ValueError(f"the scale of a clock must be positive and finite, not {scale!r}")
        self._scale = float(scale)
        self._origin_ns = time.time_ns()
        self._started_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        return self._origin_ns + int((time.monotonic_ns() - self._started_ns) * self._scale)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds / self._scale))

    @property
    def info(self) -> ClockInfo:
        return ClockInfo("scaled", self._scale)


def clock_of_scale(scale: float) -> Clock:
    """Return the real clock for a scale of 1, and a `ScaledClock` for any other."""
    return RealClock() if scale == 1 else ScaledClock(scale)
