from __future__ import annotations

import pytest

from icws_explore.protocol.certificate.format import hash_text, key_text, seconds_text, time_text
from icws_explore.protocol.constants import MAINNET_ROOT_KEY


class TestTexts:
    @pytest.mark.parametrize(
        ("ns", "text"),
        [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_756_047_490_313_875_636, "2025-08-24T14:58:10.313Z"),
            (2**64 - 1, "2554-07-21T23:34:33.709Z"),
            (253_402_300_800 * 10**9, "253402300800000000000 ns after 1970"),
            (-1, "-1 ns after 1970"),
        ],
    )
    def test_times(self, ns, text) -> None:
        assert time_text(ns) == text

    @pytest.mark.parametrize(
        ("ms", "text"),
        [
            (0, "0 s"),
            (250, "0.25 s"),
            (300_001, "300.001 s"),
            (300_000, "300 s"),
            (7_200_000, "7200 s (2 h)"),
            (24_395_743_928, "24395743.928 s (282 days)"),
        ],
    )
    def test_durations(self, ms, text) -> None:
        assert seconds_text(ms) == text

    def test_hashes_and_keys(self) -> None:
        assert hash_text(bytes(range(32))) == "00010203…1e1f"
        assert hash_text(b"\x01\x02") == "0102"
        assert key_text(MAINNET_ROOT_KEY) == "814c0e6e…aaae (mainnet's)"
