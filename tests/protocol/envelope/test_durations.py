from __future__ import annotations

import pytest

from icws_explore.protocol.envelope.check import duration_text


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0 ns"),
        (999_999, "999999 ns"),
        (1_000_000, "0.001 s"),
        (210_646_000_000, "210.646 s"),
        (600_000_000_000, "10 min"),
        (7_200_000_000_000, "2.0 h"),
        (86_400_000_000_000, "24.0 h"),
        (30 * 86_400_000_000_000, "30.0 days"),
    ],
)
def test_durations_read_naturally(duration_ns: int, text: str) -> None:
    assert duration_text(duration_ns) == text
