"""Distributions of delays: what they mean, and what they refuse."""

import random
from statistics import fmean, median

import pytest

from icws_explore.lab.simulator import Constant, Exponential, LogNormal, Sampled, Uniform
from icws_explore.lab.simulator.delays import delay
from icws_explore.protocol.errors import LabError

ALL = [Constant(20), Uniform(5, 25), Exponential(30, 10), LogNormal(40, 0.4), Sampled((1.0, 2.0, 9.0))]


@pytest.mark.parametrize("distribution", ALL, ids=lambda d: type(d).__name__)
class TestEvery:
    def test_has_its_mean(self, distribution):
        dice = random.Random(1)
        drawn = [distribution.draw_ms(dice) for _ in range(20_000)]
        assert min(drawn) >= 0
        assert fmean(drawn) == pytest.approx(distribution.mean_ms, rel=0.03)

    def test_follows_from_the_dice_in_whole_nanoseconds(self, distribution):
        one, other = ([distribution.draw_ns(random.Random(seed)) for _ in range(3)] for seed in (7, 7))
        assert one == other
        assert all(type(ns) is int for ns in one)


class TestEach:
    def test_constant_is_fixed_and_others_are_not(self):
        assert [d.fixed_ms for d in ALL] == [20, None, None, None, None]

    def test_a_constant_draws_nothing(self):
        dice = random.Random(1)
        Constant(3).draw_ns(dice)
        assert dice.random() == random.Random(1).random()

    def test_lognormal_has_its_median(self):
        dice = random.Random(2)
        assert median(LogNormal(40).draw_ms(dice) for _ in range(20_000)) == pytest.approx(40, rel=0.03)

    def test_exponential_starts_at_its_minimum(self):
        dice = random.Random(3)
        assert min(Exponential(5, 10).draw_ms(dice) for _ in range(1000)) == pytest.approx(10, abs=0.1)
        assert Exponential(0, 10).draw_ms(dice) == 10


class TestShorthand:
    @pytest.mark.parametrize(
        ("value", "meant"), [(5, Constant(5)), (0.5, Constant(0.5)), ((1, 2), Uniform(1, 2)), (ALL[3], ALL[3])]
    )
    def test_is_understood(self, value, meant):
        assert delay(value) == meant

    @pytest.mark.parametrize("value", [-1, float("inf"), float("nan"), (2, 1), (1, 2, 3), "20", None, True, ()])
    def test_of_no_delay_is_refused(self, value):
        with pytest.raises(LabError):
            delay(value)

    @pytest.mark.parametrize(("kind", "parameters"), [(Sampled, ((),)), (Sampled, ((-1.0,),)), (LogNormal, (-1,))])
    def test_impossible_parameters_are_refused(self, kind, parameters):
        with pytest.raises(LabError):
            kind(*parameters)
