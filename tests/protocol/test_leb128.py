from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import leb128
from icws_explore.protocol.errors import DecodeError


class TestUnsigned:
    @given(st.integers(0, 2**64 - 1))
    def test_round_trip(self, number) -> None:
        assert leb128.decode(leb128.encode(number)) == number

    @pytest.mark.parametrize(("number", "encoded"), [(0, "00"), (127, "7f"), (128, "8001"), (624485, "e58e26")])
    def test_known_bytes(self, number, encoded) -> None:
        assert leb128.encode(number).hex() == encoded
        assert leb128.decode(bytes.fromhex(encoded)) == number

    def test_a_certificates_time(self) -> None:
        assert leb128.decode(bytes.fromhex("959ab98e9c8c8ef117")) == 1721000000123456789  # hashtrees.json

    def test_more_bytes_than_it_takes(self) -> None:
        assert leb128.decode(bytes.fromhex("8000")) == 0  # wasteful, but a number

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            ("", "does not end"),
            ("80", "does not end"),
            ("ff" * 9, "does not end"),
            ("0000", "1 bytes too many"),
            ("ff" * 10, "more than 64 bits"),
            ("ff" * 9 + "02", "more than 64 bits"),
            ("ff" * 1_000_000, "more than 64 bits"),
        ],
    )
    def test_refuses(self, data, reason) -> None:
        with pytest.raises(DecodeError, match=reason):
            leb128.decode(bytes.fromhex(data), what="time")
