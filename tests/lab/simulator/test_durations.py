"""Durations as people write them."""

from datetime import timedelta

import pytest

from icws_explore.lab.simulator.delays import duration_ns
from icws_explore.protocol.errors import LabError


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1h", 3600), ("90s", 90), ("1h30m", 5400), ("1h 30m", 5400), ("10min", 600), ("250ms", 0.25), ("1.5h", 5400),
        ("2d", 172_800), ("45", 45), (" 3s ", 3), (45, 45), (0.5, 0.5), (timedelta(minutes=2), 120),
    ],
)  # fmt: skip
def test_is_understood(value, seconds):
    assert duration_ns(value) == round(seconds * 1e9)


@pytest.mark.parametrize(
    "value", ["", "soon", "5x", "1h30", "h", "-5s", "1h-5m", 0, -3, float("nan"), float("inf"), "0s"]
)
def test_of_none_is_refused(value):
    with pytest.raises(LabError, match="no duration"):
        duration_ns(value)
