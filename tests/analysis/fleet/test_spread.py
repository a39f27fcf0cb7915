"""Percentiles of many values in little memory: off by at most 1 %, in however many parts they are counted."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.fleet.spread import Spread

VALUES = st.lists(st.floats(1e-6, 1e9), min_size=1)


def spread_of(values):
    spread = Spread()
    spread.extend(values)
    return spread


class TestPercentiles:
    @given(VALUES, st.floats(0.01, 1.0))
    def test_are_off_by_at_most_one_percent(self, values, share):
        exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
        assert spread_of(values).at(share) == pytest.approx(exact, rel=0.0101)

    def test_of_many_values_take_few_buckets(self):
        values = np.random.default_rng(1).lognormal(0, 3, 100_000)
        spread = spread_of(values)
        assert len(spread) == 100_000
        assert len(spread.buckets) < 2_000
        assert spread.at(1) == pytest.approx(values.max(), rel=0.01)

    def test_of_nothing_are_unknown(self):
        assert Spread().at(0.5) is None

    def test_of_values_about_zero_are_zero(self):
        spread = spread_of([0.0, 1e-9, -3.0, 1.0])
        assert (spread.at(0.5), spread.at(0.75), spread.at(1)) == (0, 0, 1)

    def test_do_not_count_what_is_not_known(self):
        assert len(spread_of([None, float("nan"), 1.0])) == 1

    def test_are_bounded_for_absurd_values(self):
        assert len(spread_of([1e300, float("inf")]).buckets) == 1


class TestMerging:
    @given(VALUES, VALUES)
    def test_of_parts_is_the_whole(self, one, other):
        merged = spread_of(one)
        merged.merge(spread_of(other))
        assert merged == spread_of([*one, *other])

    @given(VALUES)
    def test_json_gives_it_back(self, values):
        spread = spread_of([0.0, *values])
        assert Spread.from_json(json.loads(json.dumps(spread.to_json()))) == spread
