from __future__ import annotations

from typing import Any

import pytest

from icws_explore.protocol.cbor import (
    MAX_U64,
    as_map,
    as_principal,
    check,
    check_u64,
    field,
    optional_field,
    principal_field,
    u64_field,
)
from icws_explore.protocol.errors import MessageError, ValueMismatchError
from icws_explore.protocol.principal import Principal


class TestReading:
    def test_a_field_of_its_type(self) -> None:
        assert field({"a": b"x"}, "a", bytes, "thing") == b"x"
        assert u64_field({"a": MAX_U64}, "a", "thing") == MAX_U64
        assert principal_field({"a": b"\x04"}, "a", "thing") == Principal.ANONYMOUS
        assert as_map({}, "thing") == {}

    @pytest.mark.parametrize(
        ("value", "kind", "text"),
        [
            (True, int, "is a bool, not an integer"),
            (1, bool, "is an integer, not a bool"),
            (None, str, "is null, not text"),
            ([], dict, "is an array, not a map"),
            (1.5, int, "is float, not an integer"),
        ],
    )
    def test_another_type_is_named(self, value: object, kind: Any, text: str) -> None:
        with pytest.raises(MessageError) as caught:
            field({"a": value}, "a", kind, "thing")
        assert str(caught.value) == f"thing: field 'a' {text}"

    def test_missing_and_null_are_one_where_a_field_is_optional(self) -> None:
        assert optional_field({}, "a", bytes, "thing") is None
        assert optional_field({"a": None}, "a", bytes, "thing") is None
        assert optional_field({"a": b""}, "a", bytes, "thing") == b""
        with pytest.raises(MessageError, match="'a' is text"):
            optional_field({"a": ""}, "a", bytes, "thing")

    @pytest.mark.parametrize("value", [-1, 2**64])
    def test_numbers_beyond_a_u64(self, value: int) -> None:
        with pytest.raises(MessageError, match=f"'a' is {value}, not a 64-bit"):
            u64_field({"a": value}, "a", "thing")

    def test_principals_that_are_none(self) -> None:
        with pytest.raises(MessageError, match="30 bytes are more than 29"):
            as_principal(bytes(30), "a target", "thing")
        with pytest.raises(MessageError, match="a target is text, not a byte string"):
            as_principal("2vxsx-fae", "a target", "thing")


class TestWriting:
    def test_what_fits_passes(self) -> None:
        assert check("a", b"x", bytes) == b"x"
        assert check_u64("a", 0) == 0

    @pytest.mark.parametrize("value", [-1, 2**64, True, None, 0.0])
    def test_what_is_no_u64(self, value: Any) -> None:
        with pytest.raises(ValueMismatchError) as caught:
            check_u64("a", value)
        assert caught.value.path == "a"

    def test_a_number_that_python_does_not_print(self) -> None:
        with pytest.raises(ValueMismatchError, match="an integer of 100001 bits"):
            check_u64("a", 1 << 100_000)

    def test_bytes_like_things_are_not_bytes(self) -> None:
        with pytest.raises(ValueMismatchError, match="takes a byte string, not bytearray"):
            check("a", bytearray(b"x"), bytes)
