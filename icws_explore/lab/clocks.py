"""`MachineClock`: the clock of one machine of a lab, which may be wrong."""

from __future__ import annotations

from icws_explore.capture import ClockInfo
from icws_explore.live.clock import Clock

from .faults import Faults, FaultyClock


class MachineClock(Clock):
    """The lab's clock, ``skew_ns`` ahead, with the error that ``faults`` give to the clock ``whose``, ``number``."""

    def __init__(self, lab_clock: Clock, faults: Faults, whose: FaultyClock, number: int, *, skew_ns: int = 0) -> None:
        self._lab_clock = lab_clock
        self._faults = faults
        self._whose: FaultyClock = whose
        self._number = number
        self._skew_ns = skew_ns

    def now_ns(self) -> int:
        now_ns = self._lab_clock.now_ns()
        return now_ns + self._skew_ns + self._faults.clock_error_ns(self._whose, self._number, now_ns)

    async def sleep(self, seconds: float) -> None:
        await self._lab_clock.sleep(seconds)

    @property
    def info(self) -> ClockInfo:
        return self._lab_clock.info
