"""The clocks that are injected into sessions, taps and labs."""

import asyncio
import time

import pytest

from icws_explore.live.clock import LOOK_S, RealClock, ScaledClock, clock_of_scale
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


class Machine:
    """The machine's monotonic clock under the control of a test."""

    def __init__(self, monkeypatch):
        self.ns = 0
        monkeypatch.setattr("icws_explore.live.clock.time.monotonic_ns", lambda: self.ns)

    def passes(self, seconds):
        self.ns += round(seconds * NS_PER_S)


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


class TestPause:
    def test_time_stands_still_and_goes_on_from_there(self, machine):
        clock = ScaledClock(60)
        start_ns = clock.now_ns()
        machine.passes(1)
        clock.pause()
        machine.passes(600)
        assert (clock.now_ns() - start_ns, clock.is_paused) == (60 * NS_PER_S, True)
        clock.resume()
        machine.passes(2)
        assert (clock.now_ns() - start_ns, clock.is_paused) == (180 * NS_PER_S, False)

    def test_time_passes_while_somebody_waits_for_something(self, machine):
        clock = ScaledClock(60, paused=True)
        start_ns = clock.now_ns()
        with clock.passing():
            with clock.passing():
                machine.passes(1)
            machine.passes(1)
        machine.passes(600)
        assert clock.now_ns() - start_ns == 120 * NS_PER_S

    def test_a_clock_that_is_not_paused_goes_on_after_a_wait(self, machine):
        clock = ScaledClock(60)
        start_ns = clock.now_ns()
        with clock.passing():
            machine.passes(1)
        machine.passes(1)
        assert clock.now_ns() - start_ns == 120 * NS_PER_S

    def test_a_wait_on_a_paused_clock_is_to_look_again_soon(self):
        clock = ScaledClock(60)
        assert clock.real_seconds(300) == 5
        clock.pause()
        assert clock.real_seconds(300) == LOOK_S
        assert clock.real_seconds(0.6) == 0.01

    async def test_a_sleep_ends_when_its_time_has_passed(self):
        clock = ScaledClock(1000, paused=True)
        sleeping = asyncio.ensure_future(clock.sleep(50))
        await asyncio.sleep(0)
        await clock.step(49)
        assert not sleeping.done()
        await clock.step(1)
        await sleeping

    def test_the_machines_clock_cannot_stand_still(self):
        with RealClock().passing():
            assert not hasattr(RealClock(), "pause")
        assert isinstance(clock_of_scale(1, paused=True), ScaledClock)


class TestStep:
    async def test_time_passes_to_the_nanosecond_and_stands_still_after(self):
        clock = ScaledClock(100_000)
        start_ns = clock.now_ns()
        clock.pause()
        before_ns = clock.now_ns() - start_ns
        await clock.step(300)
        assert clock.now_ns() - start_ns - before_ns == 300 * NS_PER_S
        assert clock.is_paused

    async def test_a_wait_goes_on_after_the_step(self, machine):
        clock = ScaledClock(60, paused=True)
        start_ns = clock.now_ns()
        with clock.passing():
            stepping = asyncio.ensure_future(clock.step(60))
            await asyncio.sleep(0)
            machine.passes(2)
            await stepping
            assert clock.now_ns() - start_ns == 120 * NS_PER_S

    async def test_a_cancelled_step_stops_at_once(self, machine):
        clock = ScaledClock(60)
        start_ns = clock.now_ns()
        stepping = asyncio.ensure_future(clock.step(600))
        await asyncio.sleep(0)
        machine.passes(1)
        stepping.cancel()
        await asyncio.gather(stepping, return_exceptions=True)
        machine.passes(1)
        assert clock.now_ns() - start_ns == 60 * NS_PER_S
