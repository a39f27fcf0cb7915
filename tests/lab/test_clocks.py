"""The clock of a machine of a lab: its skew, and the error that faults give it."""

from __future__ import annotations

import pytest

from icws_explore.lab.clocks import MachineClock
from icws_explore.lab.faults import Faults, FaultyClock
from icws_explore.live.clock import ScaledClock
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S


class Wrong(Faults):
    """The clock of client 2 is 200 s ahead, that of gateway 2 is 2 s behind."""

    def clock_error_ns(self, clock: FaultyClock, number: int, now_ns: int) -> int:
        return {"client": 100, "gateway": -1}.get(clock, 0) * number * NS_PER_S


class TestMachineClock:
    @pytest.mark.parametrize(("whose", "number", "error_s"), [("client", 2, 200), ("gateway", 2, -2), ("client", 0, 0)])
    def test_has_its_skew_and_the_error_that_the_faults_give_it(self, whose, number, error_s):
        true = ScaledClock(60)
        clock = MachineClock(true, Wrong(), whose, number, skew_ns=-5 * NS_PER_S)
        before_ns, its_ns, after_ns = true.now_ns(), clock.now_ns(), true.now_ns()
        assert before_ns <= its_ns - (error_s - 5) * NS_PER_S <= after_ns
        assert clock.info == true.info

    async def test_sleeps_as_long_as_the_lab_s_clock(self):
        true = ScaledClock(600)
        before_ns = true.now_ns()
        await MachineClock(true, Faults(), "client", 0, skew_ns=NS_PER_MS).sleep(6)
        assert true.now_ns() - before_ns >= 6 * NS_PER_S
