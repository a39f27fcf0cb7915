"""A scaled clock for tests: while the machine has no time for the process, no protocol time passes either.

At × 60 an ack is late after half a second. A lab, its clients and its taps run in one process and look at their
clock every few milliseconds; where nobody looked for longer, all of them were held up, and nobody was late.
"""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

from icws_explore.live.clock import Clock, RealClock, ScaledClock
from icws_explore.protocol.constants import NS_PER_S

# What a kernel runs first, so that the labs in its notebook have this clock.
IN_A_KERNEL = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from icws_explore.lab import lab as lab_module
from support.unhurried_clock import unhurried_clock_of_scale
lab_module.clock_of_scale = unhurried_clock_of_scale
"""
MOST_NS = 20_000_000  # of real time, that count between two looks at the clock
LOOK_S = 0.01  # real; who waits for it looks at it so often


class UnhurriedClock(ScaledClock):
    """Runs at most ``scale`` times as fast as the machine's clock."""

    def __init__(self, scale: float) -> None:
        super().__init__(scale)
        self._lock = threading.Lock()
        self._looked_ns = time.monotonic_ns()
        self._now_ns = self._origin_ns

    def now_ns(self) -> int:
        with self._lock:
            real_ns = time.monotonic_ns()
            passed_ns = min(real_ns - self._looked_ns, MOST_NS)
            self._looked_ns = real_ns
            self._now_ns += round(passed_ns * self.scale)
            return self._now_ns

    async def sleep(self, seconds: float) -> None:
        end_ns = self.now_ns() + round(seconds * NS_PER_S)
        await asyncio.sleep(0)
        while (left_ns := end_ns - self.now_ns()) > 0:  # noqa: ASYNC110 -- nothing tells that the clock has moved
            await asyncio.sleep(self.real_seconds(left_ns / NS_PER_S))

    def real_seconds(self, protocol_s: float) -> float:
        return min(super().real_seconds(protocol_s), LOOK_S)


def unhurried_clock_of_scale(scale: float) -> Clock:
    """In the place of `clock_of_scale`."""
    return RealClock() if scale == 1 else UnhurriedClock(scale)
