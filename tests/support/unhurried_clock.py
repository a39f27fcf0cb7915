"""A scaled clock for tests: while the machine has no time for the process, no protocol time passes either.

At × 60 an ack is late after half a second. A lab, its clients and its taps run in one process and look at their
clock every few milliseconds; where nobody looked for longer, all of them were held up, and nobody was late.
"""

from __future__ import annotations

from pathlib import Path

from icws_explore.live.clock import Clock, RealClock, ScaledClock

# What a kernel runs first, so that the labs in its notebook have this clock.
IN_A_KERNEL = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from icws_explore.lab import lab as lab_module
from support.unhurried_clock import unhurried_clock_of_scale
lab_module.clock_of_scale = unhurried_clock_of_scale
"""
MOST_NS = 20_000_000  # of real time, that count between two looks at the clock
MINUTES_NS = 120_000_000_000  # no machine is held up for so long: a test has put the clock ahead (support.lessons)
LOOK_S = 0.01  # real; who waits for it looks at it so often


class UnhurriedClock(ScaledClock):
    """Runs at most ``scale`` times as fast as the machine's clock, and takes minutes of a reader as they are."""

    def _counted_ns(self, real_ns: int) -> int:
        return real_ns if real_ns >= MINUTES_NS else min(real_ns, MOST_NS)

    def real_seconds(self, protocol_s: float) -> float:
        return min(super().real_seconds(protocol_s), LOOK_S)


def unhurried_clock_of_scale(scale: float, *, paused: bool = False) -> Clock:
    """In the place of `clock_of_scale`."""
    return RealClock() if scale == 1 and not paused else UnhurriedClock(scale, paused=paused)
