"""The clocks that are injected into sessions, taps and labs."""

import time

import pytest

from icws_explore.live.clock import RealClock, ScaledClock, clock_of_scale
from icws_explore.protocol.constants import NS_PER_S


class TestRealClock:
    def test_has_the_machines_time(self):
        before = time.time_ns()
        assert before <= RealClock().now_ns() <= time.time_ns()

    def test_info_has_kind_and_scale(self):
        assert (RealClock().info.kind, RealClock().scale) == ("real", 1.0)


class TestScaledClock:
    async def test_runs_faster_by_its_scale(self):
        clock = ScaledClock(1000)
        outer, protocol, inner = time.monotonic_ns(), clock.now_ns(), time.monotonic_ns()
        await clock.sleep(50)
        at_least, passed, at_most = time.monotonic_ns() - inner, clock.now_ns() - protocol, time.monotonic_ns() - outer
        assert passed >= 50 * NS_PER_S * 0.99
        assert at_least * 1000 * 0.99 <= passed <= at_most * 1000 * 1.01

    def test_never_goes_back(self):
        clock = ScaledClock(3.7)
        times = [clock.now_ns() for _ in range(1000)]
        assert times == sorted(times)

    @pytest.mark.parametrize("scale", [0, -1, float("nan")])
    def test_needs_a_positive_scale(self, scale):
        with pytest.raises(ValueError, match="positive"):
            ScaledClock(scale)

    def test_real_seconds(self):
        assert ScaledClock(60).real_seconds(300) == 5

    def test_scale_one_is_the_real_clock(self):
        assert isinstance(clock_of_scale(1), RealClock)
        assert clock_of_scale(60).info.kind == "scaled"
