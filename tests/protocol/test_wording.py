from __future__ import annotations

import pytest

from icws_explore.protocol.wording import duration_text, hash_text, time_text

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
    ("duration_ns", "text"),
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
def test_durations(duration_ns: int, text: str) -> None:
    assert duration_text(duration_ns) == text


def test_hashes() -> None:
    assert hash_text(bytes(range(32))) == "00010203…1e1f"
    assert hash_text(b"\x01\x02") == "0102"
