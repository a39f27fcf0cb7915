"""The injected clocks."""

import time

import pytest

from icws_explore.live.clock import RealClock, ScaledClock, clock_of_scale
from icws_explore.protocol.constants import NS_PER_S


class TestRealClock:
    def test_is_the_machines(self):
        before = time.time_ns()
        assert before <= RealClock().now_ns() <= time.time_ns()

    def test_says_what_it_is(self):
        assert (RealClock().info.kind, RealClock().scale) == ("real", 1.0)


class TestScaledClock:
    async def test_runs_as_many_times_as_fast(self):
        clock = ScaledClock(1000)
        outer, protocol, inner = time.monotonic_ns(), clock.now_ns(), time.monotonic_ns()
        await clock.sleep(50)
        at_least, passed, at_most = time.monotonic_ns() - inner, clock.now_ns() - protocol, time.monotonic_ns() - outer
        assert passed >= 50 * NS_PER_S * 0.99
        assert at_least * 1000 * 0.99 <= passed <= at_most * 1000 * 1.01

    async def test_sleeps_until_a_deadline_and_not_before_it(self):
        clock = ScaledClock(1000)
        deadline = clock.now_ns() + 20 * NS_PER_S
        await clock.sleep_until(deadline)
        assert clock.now_ns() >= deadline

    async def test_does_not_sleep_for_a_deadline_that_has_passed(self):
        class Sleepless(ScaledClock):
            async def sleep(self, seconds):
                raise AssertionError(f"sleeps for {seconds} s")

        clock = Sleepless(1000)
        await clock.sleep_until(clock.now_ns() - NS_PER_S)

    def test_never_steps_back(self):
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
