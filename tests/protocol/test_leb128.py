from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import leb128
from icws_explore.protocol.errors import DecodeError


class TestUnsigned:
    @given(st.integers(0, 2**64 - 1))
    def test_round_trip(self, number: int) -> None:
        assert leb128.decode_unsigned(leb128.encode_unsigned(number)) == number

    @pytest.mark.parametrize(("number", "encoded"), [(0, "00"), (127, "7f"), (128, "8001"), (624485, "e58e26")])
    def test_known_bytes(self, number: int, encoded: str) -> None:
        assert leb128.encode_unsigned(number).hex() == encoded
        assert leb128.decode_unsigned(bytes.fromhex(encoded)) == number

    def test_a_certificates_time(self) -> None:
        assert leb128.decode_unsigned(bytes.fromhex("959ab98e9c8c8ef117")) == 1721000000123456789  # hashtrees.json

    def test_a_longer_form_than_necessary_is_accepted(self) -> None:
        assert leb128.decode_unsigned(bytes.fromhex("8000")) == 0

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            ("", "does not end"),
            ("80", "does not end"),
            ("ff" * 9, "does not end"),
            ("0000", "1 byte too many after the number"),
            ("000000", "2 bytes too many after the number"),
            ("ff" * 10, "more than 64 bits"),
            ("ff" * 9 + "02", "more than 64 bits"),
            ("ff" * 1_000_000, "more than 64 bits"),
        ],
    )
    def test_refuses(self, data: str, reason: str) -> None:
        with pytest.raises(DecodeError, match=reason):
            leb128.decode_unsigned(bytes.fromhex(data), what="time")


class TestSigned:
    @pytest.mark.parametrize(
        ("number", "encoded"),
        [(0, "00"), (-1, "7f"), (63, "3f"), (64, "c000"), (-64, "40"), (-65, "bf7f"), (-123456, "c0bb78")],
    )
    def test_known_bytes(self, number: int, encoded: str) -> None:
        assert leb128.encode_signed(number).hex() == encoded

    @given(st.integers(-(2**100), 2**100))
    def test_says_the_number_in_the_fewest_bytes(self, number: int) -> None:
        encoded = leb128.encode_signed(number)
        digits = sum((byte & 0x7F) << (7 * index) for index, byte in enumerate(encoded))
        assert (digits - (1 << (7 * len(encoded))) if encoded[-1] & 0x40 else digits) == number
        limit = 1 << (7 * len(encoded) - 8) if len(encoded) > 1 else 0  # what one byte less could say
        assert not -limit <= number < limit
