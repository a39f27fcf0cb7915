"""The one injected clock of everything that runs: real, scaled, or moved by a simulator.

Protocol time is what timestamps, deadlines and intervals are measured in. A real clock gives it as
the machine's own; a scaled clock runs it faster, so that a 300 s ack interval passes in 5 s at × 60.
Everything that waits, waits on the clock, and nothing else reads the machine's time.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod

from icws_explore.capture import ClockInfo
from icws_explore.protocol.constants import NS_PER_S


class Clock(ABC):
    """Protocol time, in nanoseconds since the epoch."""

    @abstractmethod
    def now_ns(self) -> int:
        """The protocol's now."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` of protocol time. Zero or less yields once to other tasks."""

    @property
    @abstractmethod
    def info(self) -> ClockInfo:
        """What a capture made under this clock says of it."""

    @property
    def scale(self) -> float:
        """Protocol seconds for each real second."""
        return self.info.scale

    def now_s(self) -> float:
        """The protocol's now in seconds since the epoch, for a Frame's ``t``."""
        return self.now_ns() / NS_PER_S

    def real_seconds(self, protocol_s: float) -> float:
        """How long ``protocol_s`` seconds of protocol time take on the wall."""
        return protocol_s / self.scale

    async def sleep_until(self, deadline_ns: int) -> None:
        """Wait until the protocol's now is at least ``deadline_ns``."""
        while (left := deadline_ns - self.now_ns()) > 0:
            await self.sleep(left / NS_PER_S)


class RealClock(Clock):
    """The machine's own clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    @property
    def info(self) -> ClockInfo:
        return ClockInfo("real", 1.0)


class ScaledClock(Clock):
    """Starts at the machine's now and runs ``scale`` times as fast. Never steps back."""

    def __init__(self, scale: float) -> None:
        """Raises ValueError unless ``scale`` is positive and finite."""
        if not 0 < scale < float("inf"):
            raise ValueError(f"a clock's scale must be positive, not {scale!r}")
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
    """A real clock for 1, else one that runs ``scale`` times as fast."""
    return RealClock() if scale == 1 else ScaledClock(scale)
