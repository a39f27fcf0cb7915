"""Numbers as people read them."""

from __future__ import annotations

import pytest

from icws_explore.analysis.doctor.finding import names, numbers, seconds


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 ms"),
        (0.00021, "0.21 ms"),
        (0.0504, "50 ms"),
        (0.31, "0.31 s"),
        (4.25, "4.2 s"),
        (330.4, "330 s"),
        (-310.2, "-310 s"),
    ],
)
def test_seconds(value, text):
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], ""),
        ([4], "4"),
        ([1, 2], "1 and 2"),
        ([1, 2, 3], "1, 2 and 3"),
        (range(1, 12), "1, 2, 3, 4, 5, 6, 7, 8 and 3 more"),
    ],
)
def test_numbers(values, text):
    assert numbers(list(values)) == text


def test_names():
    assert names(["1", None]) == "1, None"
    assert names([str(n) for n in range(10)]).endswith("7 and 2 more")
