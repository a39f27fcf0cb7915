from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import candid
from icws_explore.protocol.candid import FuncRef, ServiceRef, Some, parse_type, parse_value, value_text
from icws_explore.protocol.candid.limits import MAX_DID_SIZE, MAX_VALUES
from icws_explore.protocol.candid.types import Future
from icws_explore.protocol.errors import DidError
from icws_explore.protocol.principal import Principal
from support.candid_cases import LIST_DID, typed_values, types, work_of

ORDER = parse_type("record { name : text; count : opt nat64; kind : variant { buy; sell : nat; hold : null } }")


class TestBothWays:
    @given(typed_values())
    def test_every_value_survives(self, case):
        type_, value = case
        assert parse_value(value_text(type_, value), type_) == value

    @given(types, st.text(alphabet='record{};="opt vec 1:nat\\blob.(,)_x-e', max_size=40))
    def test_only_a_did_error_comes_of_any_text(self, type_, text):
        try:
            value = parse_value(text, type_)
        except DidError:
            return
        assert candid.encode([type_], [value])

    def test_is_what_the_specification_writes(self):
        value = {"name": 'say "hi"\n', "count": 3, "kind": {"sell": 7}}
        assert value_text(ORDER, value) == (
            'record { name = "say \\"hi\\"\\n"; count = opt 3; kind = variant { sell = 7 } }'
        )

    def test_writes_bytes_and_principals(self):
        assert value_text(parse_type("blob"), b'a"\x00') == r'blob "a\22\00"'
        assert value_text(parse_type("principal"), MANAGEMENT) == 'principal "aaaaa-aa"'

    def test_takes_a_line_for_each_part_of_what_is_long(self):
        value = {"name": "x" * 60, "count": None, "kind": {"buy": None}}
        lines = value_text(ORDER, value).splitlines()
        assert lines[0] == "record {"
        assert lines[2:] == ["  count = null;", "  kind = variant { buy };", "}"]


MANAGEMENT = Principal.MANAGEMENT


class TestReading:
    @pytest.mark.parametrize(
        ("type_", "text", "value"),
        [
            ("nat64", "1_000 : nat64", 1000),
            ("int", "-0x10", -16),
            ("float64", "+1.5e3", 1500.0),
            ("float64", "2", 2.0),
            ("float64", "-inf", float("-inf")),
            ("blob", r'blob "a\00\ff"', b"a\x00\xff"),
            ("blob", "vec { 1; 2 }", b"\x01\x02"),
            ("record { nat; text }", '(record { 1; "x" },)', {"0": 1, "1": "x"}),
            ("record { a : opt nat; b : bool }", "record { b = true /* a is left out */ }", {"a": None, "b": True}),
            ("record { text : text }", 'record { "text" = "x"; }', {"text": "x"}),
            ("record { text : text }", f'record {{ {candid.label_hash("text")} = "x" }}', {"text": "x"}),
            ("variant { a : opt nat }", "variant { a }", {"a": None}),
            ("opt opt nat", "opt null", Some(None)),
            ("service {}", 'service "aaaaa-aa"', ServiceRef(MANAGEMENT)),
            ("func () -> ()", 'func "aaaaa-aa"."do it"', FuncRef(MANAGEMENT, "do it")),
        ],
    )
    def test_gives_the_value(self, type_, text, value):
        assert parse_value(text, parse_type(type_)) == value

    @pytest.mark.parametrize(
        ("type_", "text", "reason"),
        [
            ("nat8", "256", "line 1, column 1: nat8 goes from 0 to 255"),
            ("nat", "-1", "nat cannot be negative"),
            ("nat", "1.5", "expected a whole number (nat), found '1.5'"),
            ("nat", "9" * 5000, "too many digits"),
            ("nat", "5 : nat8", "the type here is nat, not nat8"),
            ("float32", "1e39", "too large for float32"),
            ("text", '"open', "the quoted text that begins here has no end"),
            ("text", r'"\q"', "is not an escape"),
            ("opt nat", "5", "expected null, or opt and a value"),
            ("record { a : nat }", "record {}", "the field a is missing"),
            ("record { a : nat }", "record {\n a = 1; b = 2 }", "line 2, column 9: there is no field b"),
            ("record { a : nat }", "record { a = 1; a = 2 }", "the field a is given twice"),
            ("variant { a; b : nat }", "variant { b }", "expected '=' and a value of nat"),
            ("variant { a }", "variant { c }", "there is no case c; the cases are: a"),
            ("principal", 'principal "aaaaa-ab"', "line 1, column 11: 'aaaaa-ab' should be written aaaaa-aa"),
            ("nat", "1 2", "'2' cannot stand behind the value"),
            ("nat", "§", "cannot stand here"),
            ("bool", "yes", "expected true or false"),
            ("float64", "much", "expected a number (float64)"),
            ("empty", "null", "the type empty has no values"),
            ("principal", "principal aaaaa", "expected a principal in quotes"),
            ("func () -> ()", 'func "aaaaa-aa".5', "expected the name of a method"),
            ("blob", "blob 5", "expected bytes in quotes"),
            ("blob", r'blob "\q"', "is not an escape"),
            ("record { a : nat }", "record { 0x1 = 1 }", "expected a field's name or number"),
            ("record { a : nat }", r'record { "\q" = 1 }', "is not an escape"),
            ("variant { a }", "variant { = }", "expected a case's name"),
            ("nat", "(1", "expected ')'"),
        ],
    )
    def test_says_in_a_line_what_is_wrong_and_where(self, type_, text, reason):
        with pytest.raises(DidError) as caught:
            parse_value(text, parse_type(type_))
        assert reason in str(caught.value)
        assert caught.value.line is not None
        assert "\n" not in str(caught.value)

    def test_takes_a_value_in_parentheses(self):
        assert parse_value("(1)", parse_type("nat")) == 1

    def test_refuses_what_is_too_much(self):
        with pytest.raises(DidError, match="characters, more than"):
            parse_value("x" * (MAX_DID_SIZE + 1), parse_type("text"))
        with pytest.raises(DidError, match="more than the .* values allowed"):
            parse_value(f"vec {{ {'1;' * MAX_VALUES} }}", parse_type("vec nat"))

    def test_knows_no_text_of_a_type_of_a_later_version(self):
        with pytest.raises(DidError, match="future type -30 .* has no values in text"):
            value_text(Future(-30), None)
        with pytest.raises(DidError, match="future type -30 .* has no values in text"):
            parse_value("1", Future(-30))

    def test_refuses_what_nests_without_end(self):
        with pytest.raises(DidError, match="nested more than"):
            parse_value("(" * 5000, parse_type("nat"))
        with pytest.raises(DidError, match="nested more than"):
            parse_value("opt record { head = 1; tail = " * 500, parse_type(LIST_DID))

    def test_costs_time_linear_in_the_text(self):
        type_ = parse_type("vec record { a : nat }")
        short, long = (f"vec {{ {'record { a = 1 };' * n} }}" for n in (100, 1000))
        assert work_of(lambda: parse_value(long, type_)) < 12 * work_of(lambda: parse_value(short, type_))
