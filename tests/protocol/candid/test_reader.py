from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.candid.limits import (
    MAX_COUNT_BYTES,
    MAX_NUMBER_BYTES,
    MAX_TYPE_PARTS,
    VALUES_FREE,
    VALUES_PER_BYTE,
)
from icws_explore.protocol.candid.reader import Fault, Reader
from icws_explore.protocol.leb128 import encode_signed, encode_unsigned


class TestLeb128:
    @given(st.integers(0, 2**3000))
    def test_nat_is_what_was_written(self, number: int) -> None:
        reader = Reader(encode_unsigned(number))
        assert reader.nat() == number
        assert reader.pos == reader.end

    @given(st.integers(-(2**3000), 2**3000))
    def test_int_is_what_was_written(self, number: int) -> None:
        reader = Reader(encode_signed(number))
        assert reader.int_() == number
        assert reader.pos == reader.end

    @given(st.integers(0, 2**64 - 1))
    def test_count(self, number: int) -> None:
        assert Reader(encode_unsigned(number)).count("n") == number

    @given(st.integers(-(2**63), 2**63 - 1))
    def test_type_code(self, number: int) -> None:
        assert Reader(encode_signed(number)).type_code("t") == number

    @pytest.mark.parametrize(
        ("raw", "nat", "whole"),
        [("00", 0, 0), ("7f", 127, -1), ("8000", 0, 0), ("ff00", 127, 127), ("ff7f", 16383, -1), ("80808000", 0, 0)],
    )
    def test_longer_than_necessary_is_accepted(self, raw: str, nat: int, whole: int) -> None:
        # The specification's own tests (prim.test.did, "overlong") want it so.
        assert Reader(bytes.fromhex(raw)).nat() == nat
        assert Reader(bytes.fromhex(raw)).int_() == whole

    def test_a_count_has_at_most_64_bits(self) -> None:
        with pytest.raises(Fault, match="n is more than 64 bits"):
            Reader(encode_unsigned(2**64)).count("n")

    def test_count_ends_after_ten_bytes(self) -> None:
        padded = b"\x80" * (MAX_COUNT_BYTES - 1) + b"\x00"
        assert Reader(padded).count("n") == 0
        with pytest.raises(Fault, match="n is longer than 10 bytes") as caught:
            Reader(b"\x80" + padded).count("n")
        assert caught.value.offset == 0

    def test_numbers_stay_printable(self) -> None:
        largest = Reader(b"\xff" * (MAX_NUMBER_BYTES - 1) + b"\x7f").nat()
        assert len(str(largest)) < 4300  # sys.int_info.default_max_str_digits: beyond, str() raises
        with pytest.raises(Fault, match="nat is longer than 2000 bytes"):
            Reader(b"\xff" * MAX_NUMBER_BYTES + b"\x7f").nat()

    @pytest.mark.parametrize("raw", [b"", b"\x80", b"\xff\xff"])
    def test_truncated(self, raw: bytes) -> None:
        for read in ("nat", "int_"):
            with pytest.raises(Fault, match="ends in the middle"):
                getattr(Reader(raw), read)()
        with pytest.raises(Fault):
            Reader(raw).count("n")


class TestBytes:
    def test_take_says_how_much_is_missing(self) -> None:
        reader = Reader(b"abc")
        assert reader.take(2, "x") == b"ab"
        with pytest.raises(Fault, match="x needs 5 bytes, 1 is left") as caught:
            reader.take(5, "x")
        assert caught.value.offset == 2

    def test_items_is_no_more_than_the_bytes_left_can_hold(self) -> None:
        assert Reader(b"\x02abcd").items("pairs", 2) == 2
        with pytest.raises(Fault, match="pairs is 3, too many for the 4 bytes left"):
            Reader(b"\x03abcd").items("pairs", 2)

    def test_text(self) -> None:
        assert Reader(b"\x03\xe2\x98\x83").text("t") == "☃"

    @pytest.mark.parametrize("raw", [b"\xe2\x28\xa1", b"\xed\xa0\x80", b"\xc0\x80", b"ab\xff"])
    def test_text_that_is_not_utf8(self, raw: bytes) -> None:
        with pytest.raises(Fault, match="t is not UTF-8") as caught:
            Reader(bytes([len(raw)]) + raw).text("t")
        assert caught.value.offset == (3 if raw.startswith(b"ab") else 1)


class TestBudget:
    def test_grows_with_the_input(self) -> None:
        reader = Reader(bytes(10))
        reader.charge(VALUES_FREE + 10 * VALUES_PER_BYTE)
        with pytest.raises(Fault, match="asks for too many values for its 10 bytes"):
            reader.charge(1)

    def test_the_parts_of_types_have_one_of_their_own(self) -> None:
        reader = Reader(bytes(10))
        reader.charge_type(MAX_TYPE_PARTS)
        with pytest.raises(Fault, match="the type table has more than 10000 fields and methods"):
            reader.charge_type(1)
