"""Coercion: the value that a value on the wire becomes at the expected type (specification, "Coercion")."""

from __future__ import annotations

from typing import Any

import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.candid import FuncRef, ServiceRef, Some
from icws_explore.protocol.candid.limits import MAX_DEPTH
from icws_explore.protocol.errors import CandidError
from icws_explore.protocol.principal import Principal
from support.candid_cases import didl

IC = Principal(b"")


def at(type_text: str, message: str) -> Any:
    (value,) = candid.decode(didl(message), [candid.parse_type(type_text)])
    return value


def sent_as(wire: str, value: Any, expected: str) -> Any:
    data = candid.encode([candid.parse_type(wire)], [value])
    (decoded,) = candid.decode(data, [candid.parse_type(expected)])
    return decoded


def refused(wire: str, value: Any, expected: str, reason: str) -> None:
    with pytest.raises(CandidError, match=reason):
        sent_as(wire, value, expected)


class TestPrimitives:
    def test_nat_is_an_int(self) -> None:
        assert sent_as("nat", 300, "int") == 300
        assert sent_as("vec nat", [127, 128], "vec int") == [127, 128]

    @pytest.mark.parametrize(
        ("wire", "value", "expected"),
        [("int", 1, "nat"), ("nat8", 1, "nat"), ("nat", 1, "nat8"), ("nat32", 1, "nat64"), ("float32", 1.0, "float64"),
         ("text", "a", "blob"), ("null", None, "nat"), ("nat", 5, "null"), ("reserved", None, "null"),
         ("principal", IC, "service {}"), ("nat", 1, "vec nat"), ("blob", b"", "text")],
    )  # fmt: skip
    def test_nothing_else_changes_type(self, wire: str, value: Any, expected: str) -> None:
        refused(wire, value, expected, f"{wire} where .* is expected")

    def test_every_value_fits_reserved(self) -> None:
        for wire, value in [("nat", 1), ("text", "x"), ("record { a : nat }", {"a": 1}), ("vec opt bool", [True])]:
            assert sent_as(wire, value, "reserved") is None

    def test_reserved_still_checks_the_bytes(self) -> None:
        with pytest.raises(CandidError, match="text is not UTF-8"):
            at("reserved", "00 01 71 03 e2 28 a1")

    def test_empty_has_no_values_at_any_type(self) -> None:
        for expected in ("empty", "nat", "opt nat", "reserved", "principal"):
            with pytest.raises(CandidError, match="empty"):
                at(expected, "00 01 6f")
        assert at("opt empty", "01 6e 6f 01 00 00") is None


class TestOptions:
    def test_absent_and_null(self) -> None:
        assert sent_as("opt nat", None, "opt nat") is None
        assert sent_as("null", None, "opt nat") is None
        assert sent_as("reserved", None, "opt nat") is None

    def test_a_plain_value_is_a_present_one(self) -> None:
        assert sent_as("bool", True, "opt bool") is True
        assert sent_as("bool", True, "opt opt bool") == Some(True)

    def test_content_that_does_not_fit_is_none(self) -> None:
        assert sent_as("opt bool", True, "opt nat") is None
        assert sent_as("bool", True, "opt nat") is None
        assert sent_as("opt opt bool", Some(True), "opt nat") is None
        assert sent_as("opt opt bool", Some(True), "opt opt nat") == Some(None)

    def test_content_that_does_not_fit_must_be_well_formed(self) -> None:
        with pytest.raises(CandidError, match="bool is 2"):
            at("opt nat", "01 6e 7e 01 00 01 02")
        with pytest.raises(CandidError, match="opt is 2"):
            at("opt bool", "01 6e 7e 01 00 02")

    def test_the_fields_after_it_are_read(self) -> None:
        wire = "record { 0 : opt record { text; nat }; 1 : nat }"
        expected = "record { 0 : opt record { text; text }; 1 : nat }"
        assert sent_as(wire, {0: ("a", 5), 1: 7}, expected) == {"0": None, "1": 7}

    def test_only_the_nearest_option_becomes_none(self) -> None:
        wire, expected = "opt vec opt bool", "opt vec opt nat"
        assert sent_as(wire, [True, None], expected) == [None, None]

    def test_none_inside_an_option_is_distinct(self) -> None:
        assert sent_as("opt null", Some(None), "opt null") == Some(None)
        assert sent_as("opt reserved", Some(None), "opt reserved") == Some(None)
        assert sent_as("opt opt nat", Some(None), "opt opt nat") == Some(None)
        assert sent_as("opt null", Some(None), "opt opt nat") == Some(None)

    def test_endless_options(self) -> None:
        assert at("type O = opt O", "01 6e 00 01 00 01 01 00") == Some(Some(None))
        with pytest.raises(CandidError, match="bool where opt opt"):
            at("type O = opt O", "00 01 7e 01")


class TestVectors:
    def test_elementwise(self) -> None:
        assert sent_as("vec nat", [1, 2], "vec opt nat") == [1, 2]
        assert sent_as("blob", b"\x01\x02", "vec opt nat8") == [1, 2]
        assert sent_as("blob", b"\x01\x02", "vec reserved") == [None, None]
        assert sent_as("vec empty", [], "vec nat") == []

    @pytest.mark.parametrize(
        "wire", ["vec text", "vec nat16", "vec empty", "vec record { nat8 }", "vec vec nat8", "blob"]
    )
    def test_an_empty_vector_of_any_elements_is_an_empty_blob(self, wire: str) -> None:
        empty = b"" if wire == "blob" else []
        assert sent_as(wire, empty, "blob") == b""
        assert sent_as(wire, empty, "type Byte = nat8; type Bytes = vec Byte") == b""
        assert sent_as(f"opt {wire}", empty, "opt blob") == b""
        assert sent_as(f"record {{ a : {wire} }}", {"a": empty}, "record { a : blob }") == {"a": b""}

    def test_other_elements_are_no_bytes(self) -> None:
        refused("vec text", ["a"], "blob", r"value 0\.0: text where nat8 is expected")

    def test_the_path_names_the_element(self) -> None:
        value = [{"b": None}, {"a": "x"}]
        refused(
            "vec variant { a : text; b }",
            value,
            "vec variant { a : nat; b }",
            r"0\.1\.a: text where nat is expected at byte 18",
        )


class TestRecords:
    def test_missing_optional_fields(self) -> None:
        assert sent_as("record { a : nat }", {"a": 1}, "record { b : opt text; a : nat; c : null; d : reserved }") == {
            "b": None, "a": 1, "c": None, "d": None,
        }  # fmt: skip

    def test_missing_needed_field(self) -> None:
        refused(
            "record { a : nat }", {"a": 1}, "record { a : nat; b : text }", "the field b is missing, and text is not"
        )

    def test_further_fields_are_skipped_but_checked(self) -> None:
        assert sent_as("record { a : nat; z : vec text }", {"a": 1, "z": ["x"]}, "record { a : nat }") == {"a": 1}
        with pytest.raises(CandidError, match=r"value 0\.\(an unknown field\): bool is 2"):
            at("record { b : nat }", "01 6c 02 61 7e 62 7d 01 00 02 05")

    def test_come_in_declared_order(self) -> None:
        value = sent_as("record { a : nat; text : text }", {"a": 1, "text": "x"}, "record { text : text; a : nat }")
        assert list(value) == ["text", "a"]

    def test_tuples(self) -> None:
        assert sent_as("record { nat; text; bool }", (1, "x", True), "record { nat; text }") == {"0": 1, "1": "x"}

    def test_an_endless_record_without_bytes(self) -> None:
        with pytest.raises(CandidError, match=f"values are nested more than {MAX_DEPTH} deep"):
            at("reserved", "01 6c 01 00 00 01 00")


class TestVariants:
    def test_an_expected_case(self) -> None:
        assert sent_as("variant { a : nat; b }", {"a": 1}, "variant { b; a : int; c }") == {"a": 1}

    def test_another_case(self) -> None:
        refused("variant { a; b }", {"b": None}, "variant { a }", "the case _98_ is not expected")
        refused("variant { Ok; Err }", {"Ok": None}, "variant { Err }", "the case Ok is not expected")

    def test_another_case_in_an_option(self) -> None:
        assert sent_as("opt variant { a; b : text }", {"b": "x"}, "opt variant { a }") is None

    def test_a_case_of_another_type(self) -> None:
        refused(
            "variant { a : nat; b }", {"a": 1}, "variant { a : text; b }", r"value 0\.a: nat where text is expected"
        )
        assert sent_as("variant { a : nat; b }", {"b": None}, "variant { a : text; b }") == {"b": None}

    def test_index_beyond_the_cases(self) -> None:
        with pytest.raises(CandidError, match="case 2 of a variant with 2 cases"):
            at("variant { 0; 1 }", "01 6b 02 00 7f 01 7f 01 00 02")
        with pytest.raises(CandidError, match="case 0 of a variant with 0 cases"):
            at("reserved", "01 6b 00 01 00 00")


class TestReferences:
    def test_at_a_supertype(self) -> None:
        foo = ServiceRef(IC)
        assert sent_as("service { foo : (text) -> (nat) }", foo, "service { foo : (text, opt nat) -> () }") == foo
        assert sent_as("func (text) -> (nat)", FuncRef(IC, "m"), "func (text) -> (int)") == FuncRef(IC, "m")

    def test_a_service_is_a_principal(self) -> None:
        assert sent_as("service { foo : () -> () }", ServiceRef(IC), "principal") == IC

    def test_at_another_type(self) -> None:
        refused("service {}", ServiceRef(IC), "service { foo : () -> () }", "service {} where service { foo")
        refused("func () -> (int)", FuncRef(IC, "m"), "func () -> (nat)", r"func \(\) -> \(int\) where func")
        refused("func () -> ()", FuncRef(IC, "m"), "func () -> () query", "where func")
        refused("func () -> ()", FuncRef(IC, "m"), "service {}", "where service")
        assert sent_as("func () -> (int)", FuncRef(IC, "m"), "opt func () -> (nat)") is None


class TestRecursion:
    LIST = "type L = opt record { head : nat; tail : L }"

    def test_lists(self) -> None:
        value = {"head": 1, "tail": {"head": 2, "tail": None}}
        assert sent_as(self.LIST, value, self.LIST) == value
        assert sent_as(self.LIST, value, self.LIST.replace("nat", "int")) == value

    def test_depth(self) -> None:
        def nested(levels: int) -> Any:
            value = None
            for _ in range(levels):
                value = {"head": 1, "tail": value}
            return value

        deepest = MAX_DEPTH // 2
        assert sent_as(self.LIST, nested(deepest), self.LIST) == nested(deepest)
        element = didl("02 6e 01 6c 02 a0d2aca804 7d 90eddae704 00 01 00") + b"\x01\x01" * (deepest + 1) + b"\x00"
        for types in (None, [candid.parse_type(self.LIST)], []):
            with pytest.raises(CandidError, match=f"nested more than {MAX_DEPTH} deep"):
                candid.decode(element, types)
