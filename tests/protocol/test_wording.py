from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.protocol.wording import duration_ns, duration_text, hash_text, time_text

S = 10**9


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01 00:00:00.000 UTC"),
        (1_756_047_490_313_875_636, "2025-08-24 14:58:10.313 UTC"),
        (2**64 - 1, "2554-07-21 23:34:33.709 UTC"),
        (253_402_300_800 * S, "253402300800000000000 ns after 1970"),
        (-1, "-1 ns after 1970"),
    ],
)
def test_times(time_ns: int, text: str) -> None:
    assert time_text(time_ns) == text


@pytest.mark.parametrize(
    ("length_ns", "text"),
    [
        (0, "0 s"),
        (1, "1 ns"),
        (999_999, "999999 ns"),
        (1_000_000, "0.001 s"),
        (S // 4, "0.25 s"),
        (300_001_000_000, "300.001 s"),
        (300 * S, "300 s"),
        (7_200 * S, "7200 s (2 h)"),
        (24_395_743_928_000_000, "24395743.928 s (282 days)"),
    ],
)
def test_durations(length_ns: int, text: str) -> None:
    assert duration_text(length_ns) == text


def test_hashes() -> None:
    assert hash_text(bytes(range(32))) == "00010203…1e1f"
    assert hash_text(b"\x01\x02") == "0102"


class TestDurationsOfUsers:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("1h", 3600), ("90s", 90), ("1h30m", 5400), ("1h 30m", 5400), ("10min", 600), ("250ms", 0.25),
            ("1.5h", 5400), ("2d", 172_800), ("45", 45), (" 3s ", 3), (45, 45), (0.5, 0.5),
            (timedelta(minutes=2), 120),
        ],
    )  # fmt: skip
    def test_are_understood(self, value: Any, seconds: float) -> None:
        assert duration_ns(value) == round(seconds * 1e9)

    @pytest.mark.parametrize(
        "value", ["", "soon", "5x", "1h30", "h", "-5s", "1h-5m", 0, -3, float("nan"), float("inf"), "0s"]
    )
    def test_other_values_are_refused(self, value: Any) -> None:
        with pytest.raises(ArgumentValueError, match="is not a duration"):
            duration_ns(value)
