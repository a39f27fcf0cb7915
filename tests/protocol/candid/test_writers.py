from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.candid import FuncRef, ServiceRef, Some, parse_type
from icws_explore.protocol.candid.reader import MAX_DEPTH, MAX_NUMBER_BYTES
from icws_explore.protocol.errors import ValueMismatchError
from icws_explore.protocol.principal import Principal

IC = Principal(b"")
CANISTER = "rrkah-fqaaa-aaaaa-aaaaq-cai"


def there_and_back(type_text: str, value: Any) -> Any:
    type_ = parse_type(type_text)
    return candid.decode(candid.encode([type_], [value]), [type_])[0]


def refused(type_text: str, value: Any, reason: str) -> None:
    with pytest.raises(ValueMismatchError, match=reason) as caught:
        candid.encode([parse_type(type_text)], [value])
    assert "\n" not in str(caught.value)


class TestWhatIsTaken:
    """More than decode gives, where a person's meaning is plain."""

    @pytest.mark.parametrize(
        ("type_text", "value", "decoded"),
        [
            ("nat64", np.int64(5), 5),
            ("float64", 3, 3.0),
            ("float64", np.float64(0.5), 0.5),
            ("principal", CANISTER, Principal.from_text(CANISTER)),
            ("principal", b"", IC),
            ("principal", ServiceRef(IC), IC),
            ("service {}", IC, ServiceRef(IC)),
            ("func () -> ()", (IC, "m"), FuncRef(IC, "m")),
            ("blob", bytearray(b"ab"), b"ab"),
            ("blob", memoryview(b"abcd")[::2], b"ac"),
            ("blob", [1, 2], b"\x01\x02"),
            ("vec nat", (1, 2), [1, 2]),
            ("opt nat", Some(1), 1),
            ("opt opt nat", 1, Some(1)),
            ("variant { a; b : opt nat }", "a", {"a": None}),
            ("variant { a; b : opt nat }", "b", {"b": None}),
            ("variant { 7 : nat; a }", {7: 1}, {"_7_": 1}),
            ("variant { 7 : nat; a }", {"7": 1}, {"_7_": 1}),
            ("record { nat; text }", (1, "x"), {"0": 1, "1": "x"}),
            ("record { nat; opt text }", [1], {"0": 1, "1": None}),
            ("record { 7 : nat; a : nat }", {7: 1, "a": 2}, {"_7_": 1, "a": 2}),
            ("record { 7 : nat; a : nat }", {"7": 1, "a": 2}, {"_7_": 1, "a": 2}),
            ("record { 7 : nat; a : nat }", {"_7_": 1, "a": 2}, {"_7_": 1, "a": 2}),
            ("record { a : opt nat; b : null; c : reserved }", {}, {"a": None, "b": None, "c": None}),
            ("record { a : reserved }", {"a": object()}, {"a": None}),
        ],
    )
    def test_values(self, type_text: str, value: Any, decoded: Any) -> None:
        assert there_and_back(type_text, value) == decoded


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("type_text", "value", "reason"),
        [
            ("null", 0, "null takes None, not int"),
            ("bool", 1, "bool takes True or False, not int"),
            ("nat", True, "nat takes an int, not bool"),
            ("nat", 1.0, "nat takes an int, not float"),
            ("nat", None, "nat takes an int, not None"),
            ("nat", -1, "nat takes no negative numbers like -1"),
            ("int", "1", "int takes an int, not str"),
            ("nat8", 256, "256 is outside nat8, which goes from 0 to 255"),
            ("int8", -129, "-129 is outside int8, which goes from -128 to 127"),
            ("nat64", 2**64, "is outside nat64"),
            ("float32", 1e39, "the number is too large for float32"),
            ("float64", 10**400, "the number is too large for float64"),
            ("float64", True, "float64 takes a float, not bool"),
            ("float64", "1", "float64 takes a float, not str"),
            ("text", b"a", "text takes a str, not bytes"),
            ("text", "\ud800", "lone surrogate"),
            ("principal", "aaaaa", "."),
            ("principal", 5, "cannot be made from int"),
            ("empty", None, "the type empty has no values"),
            ("blob", "text", "blob takes a list, not str"),
            ("blob", [256], "256 is outside nat8"),
            ("vec nat", {"a": 1}, "vec nat takes a list, not a dict of 1"),
            ("vec text", "abc", "vec text takes a list, not str"),
            ("record { a : nat }", [1], "a record with named fields takes a dict, not list"),
            ("record { a : nat }", 5, "a record takes a dict, not int"),
            ("record { nat; nat }", (1, 2, 3), "3 values for a tuple of 2"),
            ("record { nat; nat }", (1,), "1: is missing"),
            ("record { 7 : nat; a : opt nat }", {7: 1, "7": 1}, "a field is given twice"),
            ("record {}", {"x": 1}, "there is no field 'x'; there are none"),
            ("variant { a; b }", {"a": None, "b": None}, "with one case, not a dict of 2"),
            ("variant { a; b }", {}, "with one case"),
            ("variant { a; b }", None, "with one case, not None"),
            ("variant {}", {"a": None}, "there is no case 'a'; there are none"),
            ("variant { a : nat }", "a", "a: nat takes an int, not None"),
            ("variant { a : nat }", {(): 1}, "there is no case"),
            ("func () -> ()", IC, "func takes a FuncRef, not Principal"),
            ("func () -> ()", (IC, 5), "func takes a FuncRef, not tuple"),
        ],
    )
    def test_values(self, type_text: str, value: Any, reason: str) -> None:
        refused(type_text, value, reason)


class TestDepth:
    @pytest.mark.parametrize(
        ("text", "around"),
        [
            ("type T = opt T", Some),
            ("type T = vec T", lambda inner: [] if inner is None else [inner]),
            ("type T = record { opt T }", lambda inner: (inner,)),
            ("type T = variant { a : T; b }", lambda inner: {"a": inner or "b"}),
        ],
    )
    def test_is_limited_for_each_kind(self, text: str, around: Any) -> None:
        value = None
        for _ in range(MAX_DEPTH + 1):
            value = around(value)
        refused(text, value, f"values are nested more than {MAX_DEPTH} deep")


class TestNumbers:
    def test_too_long_to_print(self) -> None:
        refused("nat64", 10**5000, "a number of 16610 bits is outside nat64")
        refused("nat", -(10**5000), "no negative numbers like a number of 16610 bits")

    @pytest.mark.parametrize("type_text", ["nat", "int"])
    def test_as_large_as_decode_takes(self, type_text: str) -> None:
        largest = (1 << 7 * (MAX_NUMBER_BYTES - 1) - 1) - 1
        assert there_and_back(type_text, largest) == largest
        refused(type_text, 1 << 7 * MAX_NUMBER_BYTES, "the number has more than")

    def test_smallest(self) -> None:
        smallest = -(1 << 7 * (MAX_NUMBER_BYTES - 1) - 1)
        assert there_and_back("int", smallest + 1) == smallest + 1

    def test_floats_that_are_no_numbers(self) -> None:
        assert math.isnan(there_and_back("float32", math.nan))
        assert there_and_back("float64", -math.inf) == -math.inf
