from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.candid import BLOB, BOOL, NAT, TEXT, FuncRef, Opt, ServiceRef, Some, parse_type
from icws_explore.protocol.candid.encode import Refusal, kind_of, scalar_writer, write_func, write_service
from icws_explore.protocol.candid.limits import MAX_DEPTH, MAX_NUMBER_BYTES
from icws_explore.protocol.candid.types import PRIM_BY_NAME
from icws_explore.protocol.errors import ValueMismatchError
from icws_explore.protocol.principal import Principal
from support.candid_cases import didl, with_little_stack, work_of


class TestMessages:
    @pytest.mark.parametrize(
        ("types", "values", "message"),
        [
            ([], [], "00 00"),
            ([NAT, BOOL], [300, True], "00 02 7d 7e ac 02 01"),
            ([BLOB], [b"abc"], "01 6d 7b 01 00 03'abc'"),
            ([Opt(TEXT)], ["é"], "01 6e 71 01 00 01 02 c3 a9"),
            ([Opt(TEXT)], [None], "01 6e 71 01 00 00"),
            ([parse_type("record { text : text; a : nat }")], [{"text": "x", "a": 1}],
             "01 6c 02 61 7d ad99e7e704 71 01 00 01 01'x'"),
            ([parse_type("variant { Ok; Err : text }")], [{"Err": "no"}],
             "01 6b 02 bc8a01 7f c5fed201 71 01 00 01 02'no'"),
        ],
    )  # fmt: skip
    def test_bytes(self, types: list[candid.Type], values: list[Any], message: str) -> None:
        assert candid.encode(types, values) == didl(message)

    def test_as_many_values_as_types(self) -> None:
        with pytest.raises(ValueMismatchError, match="2 values for 1 type"):
            candid.encode([NAT], [1, 2])


class TestPaths:
    """The path in the error leads to the value that does not fit."""

    TYPE = parse_type("record { key : record { nonce : nat64 }; items : vec opt variant { a : text; b } }")

    @pytest.mark.parametrize(
        ("value", "path", "reason"),
        [
            ({"key": {"nonce": -1}, "items": []}, "key.nonce", "-1 is outside nat64"),
            ({"key": {}, "items": []}, "key.nonce", "is missing"),
            ({"key": {"nonce": 1}, "items": [None, {"a": 5}]}, "items.1.a", "text takes a str, not int"),
            ({"key": {"nonce": 1}, "items": [{"c": 5}]}, "items.0", "there is no case 'c'; the cases are: a, b"),
            ({"key": {"nonce": 1, "x": 1}, "items": []}, "key", "there is no field 'x'; the fields are: nonce"),
        ],
    )
    def test_lead_to_the_value(self, value: Any, path: str, reason: str) -> None:
        with pytest.raises(ValueMismatchError) as caught:
            candid.encode([self.TYPE], [value])
        assert caught.value.path == path
        assert caught.value.reason.startswith(reason)

    def test_begin_with_the_argument_where_there_are_several(self) -> None:
        with pytest.raises(ValueMismatchError, match="1: text takes a str, not int"):
            candid.encode([TEXT, TEXT], ["a", 5])


class TestStack:
    def test_nearly_used_up(self) -> None:
        value: Any = None
        for _ in range(120):
            value = {"head": 1, "tail": value}
        assert candid.encode([TestBounds.LIST], [value])
        with pytest.raises(ValueMismatchError, match="nested too deep for the rest of the stack"):
            with_little_stack(lambda: candid.encode([TestBounds.LIST], [value]))


class TestBounds:
    LIST = parse_type("type L = opt record { head : nat; tail : L }")

    def test_a_value_inside_itself(self) -> None:
        value: dict[str, Any] = {"head": 1}
        value["tail"] = value
        with pytest.raises(ValueMismatchError, match="nested more than 256 deep"):
            candid.encode([self.LIST], [value])

    def test_what_is_encoded_can_be_decoded(self) -> None:
        value = None
        for _ in range(128):
            value = {"head": 1, "tail": value}
        assert candid.decode(candid.encode([self.LIST], [value]), [self.LIST]) == [value]
        with pytest.raises(ValueMismatchError, match="nested more than 256 deep"):
            candid.encode([self.LIST], [{"head": 1, "tail": value}])

    def test_a_blob_costs_nothing_for_its_bytes(self) -> None:
        costs = [work_of(lambda size=size: candid.encode([BLOB], [bytes(size)])) for size in (1000, 400_000)]  # type: ignore[misc]  # bound now
        assert costs[1] <= costs[0] + 10


IC = Principal(b"")
CANISTER = "rrkah-fqaaa-aaaaa-aaaaq-cai"


def there_and_back(type_text: str, value: Any) -> Any:
    type_ = parse_type(type_text)
    return candid.decode(candid.encode([type_], [value]), [type_])[0]


def refused(type_text: str, value: Any, reason: str) -> None:
    with pytest.raises(ValueMismatchError, match=reason) as caught:
        candid.encode([parse_type(type_text)], [value])
    assert "\n" not in str(caught.value)


class TestAccepted:
    """More kinds of values than decode returns, if their meaning is clear."""

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


class TestRefused:
    @pytest.mark.parametrize(
        ("type_text", "value", "reason"),
        [
            ("null", 0, "null takes None, not int"),
            ("bool", 1, "bool takes True or False, not int"),
            ("nat", True, "nat takes an int, not bool"),
            ("nat", 1.0, "nat takes an int, not float"),
            ("nat", None, "nat takes an int, not None"),
            ("nat", -1, "nat cannot be negative, and this is -1"),
            ("int", "1", "int takes an int, not str"),
            ("nat8", 256, "256 is outside nat8, whose range is 0 to 255"),
            ("int8", -129, "-129 is outside int8, whose range is -128 to 127"),
            ("nat64", 2**64, "is outside nat64"),
            ("float32", 1e39, "the number is too large for float32"),
            ("float64", 10**400, "the number is too large for float64"),
            ("float64", True, "float64 takes a float, not bool"),
            ("float64", "1", "float64 takes a float, not str"),
            ("text", b"a", "text takes a str, not bytes"),
            ("text", "\ud800", "lone surrogate"),
            ("principal", "aaaaa", "."),
            ("principal", 5, "must be text or bytes, not int"),
            ("empty", None, "the type empty has no values"),
            ("blob", "text", "blob takes a list, not str"),
            ("blob", [256], "256 is outside nat8"),
            ("vec nat", {"a": 1}, "vec nat takes a list, not a dict with 1 entry"),
            ("vec text", "abc", "vec text takes a list, not str"),
            ("record { a : nat }", [1], "a record with named fields takes a dict, not list"),
            ("record { a : nat }", 5, "a record takes a dict, not int"),
            ("record { nat; nat }", (1, 2, 3), "3 values for a tuple of 2"),
            ("record { nat; nat }", (1,), "1: is missing"),
            ("record { 7 : nat; a : opt nat }", {7: 1, "7": 1}, "a field is given twice"),
            ("record {}", {"x": 1}, "there is no field 'x'; the fields are: none"),
            ("variant { a; b }", {"a": None, "b": None}, "with one case, not a dict with 2 entries"),
            ("variant { a; b }", {}, "with one case"),
            ("variant { a; b }", None, "with one case, not None"),
            ("variant {}", {"a": None}, "there is no case 'a'; the cases are: none"),
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
        refused("nat", -(10**5000), "nat cannot be negative, and this is a number of 16610 bits")

    @pytest.mark.parametrize("type_text", ["nat", "int"])
    def test_the_largest_that_decode_reads(self, type_text: str) -> None:
        largest = (1 << 7 * (MAX_NUMBER_BYTES - 1) - 1) - 1
        assert there_and_back(type_text, largest) == largest
        refused(type_text, 1 << 7 * MAX_NUMBER_BYTES, "the number has more than")

    def test_smallest(self) -> None:
        smallest = -(1 << 7 * (MAX_NUMBER_BYTES - 1) - 1)
        assert there_and_back("int", smallest + 1) == smallest + 1

    def test_nan_and_infinity(self) -> None:
        assert math.isnan(there_and_back("float32", math.nan))
        assert there_and_back("float64", -math.inf) == -math.inf


IC = Principal(b"")


def written(name: str, value: Any) -> str:
    out = bytearray()
    scalar_writer(PRIM_BY_NAME[name])(out, value, 0)
    return out.hex()


class TestScalarBytes:
    """Specification, "Memory" (M)."""

    @pytest.mark.parametrize(
        ("name", "value", "raw"),
        [
            ("null", None, ""), ("reserved", 5, ""), ("bool", True, "01"), ("nat", 624485, "e58e26"),
            ("int", -123456, "c0bb78"), ("nat8", 255, "ff"), ("nat16", 258, "0201"), ("nat32", 1, "01000000"),
            ("nat64", 1, "0100000000000000"), ("int8", -1, "ff"), ("int16", -2, "feff"), ("int32", -1, "ffffffff"),
            ("int64", -(2**63), "0000000000000080"), ("float32", 3.0, "00004040"),
            ("float64", -0.5, struct.pack("<d", -0.5).hex()), ("text", "☃", "03e29883"), ("principal", IC, "0100"),
        ],
    )  # fmt: skip
    def test_of_every_primitive(self, name: str, value: Any, raw: str) -> None:
        assert written(name, value) == raw

    def test_of_references(self) -> None:
        out = bytearray()
        write_func(out, FuncRef(IC, "m"), 0)
        write_service(out, ServiceRef(IC), 0)
        assert out.hex() == "010100016d" + "0100"


class TestScalarRefusals:
    def test_write_nothing(self) -> None:
        for name, value in [("nat8", 300), ("text", "\ud800"), ("principal", "x"), ("float32", 1e39), ("nat", -1)]:
            out = bytearray()
            with pytest.raises(Refusal):
                scalar_writer(PRIM_BY_NAME[name])(out, value, 0)
            assert out == b""

    @pytest.mark.parametrize(
        ("value", "word"), [(None, "None"), ({"a": 1}, "a dict with 1 entry"), ([], "list"), (1.5, "float")]
    )
    def test_name_the_kind_of_value(self, value: Any, word: str) -> None:
        assert kind_of(value) == word
