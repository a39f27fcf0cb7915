from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import candid
from icws_explore.protocol.candid import is_subtype, parse_type, same_type
from icws_explore.protocol.errors import CandidError
from icws_explore.protocol.leb128 import encode_signed, encode_unsigned
from icws_explore.protocol.principal import Principal
from support.candid_cases import LIST_DID, finite_types, types, values_of

VEC = "type V = vec V"
EMPTY_RECORD = "type E = record { E }"
EMPTY_VARIANT = "type E = variant { 0 : E }"
HOLDS = [
    ("nat", "int"), ("empty", "nat"), ("nat", "reserved"), ("empty", EMPTY_RECORD), ("empty", VEC),
    ("null", "opt nat"), ("reserved", "opt nat"), ("nat", "opt nat"), ("nat", "opt text"), ("opt nat", "opt text"),
    ("vec nat", "vec int"), ("vec empty", "vec text"),
    ("record { a : nat; b : text }", "record { a : int }"), ("record {}", "record { a : opt empty }"),
    ("record {}", "record { a : reserved; b : null }"), ("record { a : bool }", "record { a : opt text }"),
    ("variant {}", "variant { a }"), ("variant { a : nat }", "variant { a : int; b }"),
    ("func () -> ()", "func () -> (opt empty)"), ("func (opt nat) -> ()", "func () -> ()"),
    ("func (int) -> (nat)", "func (nat) -> (int)"), ("func () -> (nat, text)", "func () -> (nat)"),
    ("func (reserved) -> ()", "func (nat, text) -> ()"), ("func () -> () query", "func () -> () query"),
    ("service { a : () -> (nat); b : () -> () }", "service { a : () -> (int) }"),
    ("service {}", "principal"), ("type S = service { m : () -> (S) }", "principal"),
    (VEC, "type W = vec vec W"), (EMPTY_RECORD, "type M = record { opt M }"),
    (EMPTY_VARIANT, "type F = variant { 0 : F }"),
]  # fmt: skip
FAILS = [
    ("int", "nat"), ("nat", "nat8"), ("nat8", "nat"), ("null", "nat"), ("nat", "null"), ("nat", "empty"),
    ("reserved", "null"), ("principal", "service {}"), ("vec int", "vec nat"), ("opt nat", "nat"),
    ("record {}", "record { a : nat }"), ("record {}", "record { a : empty }"),
    ("record { a : int }", "record { a : nat }"),
    ("variant { a }", "variant { b }"), ("variant { a : bool }", "variant { a : nat }"),
    ("variant { a }", "variant {}"),
    ("func (nat) -> ()", "func () -> ()"), ("func (empty) -> ()", "func () -> ()"),
    ("func () -> ()", "func () -> (nat)"),
    ("func (nat) -> ()", "func (int) -> ()"), ("func () -> () query", "func () -> ()"),
    ("func () -> () query", "func () -> () composite_query"), ("service {}", "service { a : () -> () }"),
    ("service { a : () -> () }", "service { a : () -> () query }"), (VEC, "empty"), (EMPTY_VARIANT, "empty"),
]  # fmt: skip


class TestRules:
    """Specification, "Rules"."""

    @pytest.mark.parametrize(("narrow", "wide"), HOLDS)
    def test_holds(self, narrow: str, wide: str) -> None:
        assert is_subtype(parse_type(narrow), parse_type(wide))

    @pytest.mark.parametrize(("narrow", "wide"), FAILS)
    def test_fails(self, narrow: str, wide: str) -> None:
        assert not is_subtype(parse_type(narrow), parse_type(wide))

    @given(types)
    def test_reflexive(self, type_: candid.Type) -> None:
        assert is_subtype(type_, type_)

    @given(types)
    def test_between_bottom_and_top(self, type_: candid.Type) -> None:
        assert is_subtype(candid.EMPTY, type_)
        assert is_subtype(type_, candid.RESERVED)
        assert is_subtype(type_, candid.Opt(candid.EMPTY))


class TestSoundness:
    """Specification, "Properties": every value of a subtype decodes at the supertype."""

    @given(finite_types, finite_types, st.data())
    def test_values_of_random_pairs(self, narrow: candid.Type, wide: candid.Type, data: st.DataObject) -> None:
        if is_subtype(narrow, wide):
            candid.decode(candid.encode([narrow], [data.draw(values_of(narrow))]), [wide])

    @pytest.mark.parametrize(("narrow", "wide"), [pair for pair in HOLDS if "E" not in pair[0] and pair[0] != "empty"])
    def test_values_of_the_rules_above(self, narrow: str, wide: str) -> None:
        @given(st.data())
        def check(data: st.DataObject) -> None:
            type_ = parse_type(narrow)
            if type_ == candid.Variant():
                return
            candid.decode(candid.encode([type_], [data.draw(values_of(type_))]), [parse_type(wide)])

        check()


class TestSameType:
    def test_order_and_names_do_not_matter(self) -> None:
        assert same_type(parse_type("record { a : nat; b : text }"), parse_type("record { b : text; 97 : nat }"))
        assert same_type(parse_type("func (a : nat) -> ()"), parse_type("func (nat) -> ()"))
        assert same_type(
            parse_type("service { a : () -> (); b : () -> () }"), parse_type("service { b : () -> (); a : () -> () }")
        )
        assert same_type(parse_type(LIST_DID), parse_type(LIST_DID.replace("Node", "N").replace("List", "L")))
        assert same_type(parse_type(VEC), parse_type("type W = vec vec W"))

    @pytest.mark.parametrize(
        ("one", "other"),
        [("nat", "int"), ("opt nat", "vec nat"), ("record { a : nat }", "variant { a : nat }"),
         ("record { a : nat }", "record { a : nat; b : nat }"), ("func () -> ()", "func () -> () query"),
         ("func (nat) -> ()", "func () -> (nat)"), ("func () -> (nat)", "func () -> ()"),
         ("func (nat) -> ()", "func () -> ()"),
         ("service { a : () -> () }", "service { b : () -> () }"), ("opt opt nat", VEC)],
    )  # fmt: skip
    def test_meaning_matters(self, one: str, other: str) -> None:
        assert not same_type(parse_type(one), parse_type(other))
        assert not same_type(parse_type(other), parse_type(one))


class TestBounds:
    def test_work_on_wire_types_is_charged(self) -> None:
        # Two circles of coprime lengths: as many pairs as their product, from a few bytes each.
        def message(length: int) -> bytes:
            circle = b"".join(b"\x6d" + encode_signed((i + 1) % length) for i in range(length))
            func = b"\x6a\x00\x01\x00\x00"
            head = b"DIDL" + encode_unsigned(length + 1) + circle + func + b"\x01" + encode_signed(length)
            return head + b"\x01\x01\x00\x01m"

        circle = " ".join(f"type V{i} = vec V{(i + 1) % 500};" for i in range(500))
        expected = parse_type(f"{circle} type F = func () -> (V0)")
        assert candid.decode(message(500), [expected]) == [candid.FuncRef(Principal(b""), "m")]
        with pytest.raises(CandidError, match="asks for too many values"):
            candid.decode(message(499), [expected])
