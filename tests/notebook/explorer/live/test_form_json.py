from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from icws_explore.notebook.explorer.live.form_json import from_json, json_text, parse_json
from icws_explore.protocol import candid
from icws_explore.protocol.candid import Type, parse_type
from icws_explore.protocol.errors import ValueMismatchError
from support.candid_cases import JSON, typed_values, types


class TestEveryValue:
    @given(typed_values())
    def test_survives_the_json(self, case: tuple[Type, Any]) -> None:
        type_, value = case
        assert parse_json(json_text(type_, value), type_) == value

    @given(types, JSON)
    def test_any_json_gives_a_value_that_can_be_sent_or_one_line(self, type_: Type, content: Any) -> None:
        try:
            value = from_json(type_, content)
        except ValueMismatchError as error:
            assert "\n" not in error.reason
            return
        assert candid.encode([type_], [value])


class TestJson:
    def test_is_what_a_person_would_write(self) -> None:
        type_ = parse_type(
            "record { name : text; at : opt nat64; kind : variant { buy; sell : nat }; data : blob; "
            "pair : record { nat; opt opt nat } }"
        )
        value = {
            "name": "x", "at": 2**64 - 1, "kind": {"buy": None}, "data": b"\x00\xff",
            "pair": {"0": 1, "1": candid.Some(None)},
        }  # fmt: skip
        assert json.loads(json_text(type_, value)) == {
            "name": "x", "at": 2**64 - 1, "kind": "buy", "data": "0x00ff", "pair": [1, {"some": None}],
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("type_", "text", "reason"),
        [
            ("record { a : nat }", "{", "line 1, column 2: Expecting property name"),
            ("record { a : nat }", "{}", "value: the field 'a' is missing"),
            ("record { a : nat }", '{"a": 1, "b": 2}', "value: there is no field 'b'; the fields are: 'a'"),
            ("record { a : record { b : nat8 } }", '{"a": {"b": 256}}', "a.b: nat8 goes from 0 to 255"),
            ("record { a : nat }", '{"a": true}', "a: a number (nat) must stand here"),
            ("vec bool", "[0]", "0: true or false must stand here"),
            ("variant { a; b }", '"c"', "value: a variant is"),
            ("blob", '"ff"', 'value: bytes are written as "0x…"'),
            ("opt opt nat", "5", "value: an option of what may be null"),
            ("text", "[" * 100_000, "nested too deep"),
            ("nat", "9" * 5000, "number that is too long"),
        ],
    )
    def test_faults_are_one_line_with_their_place(self, type_: str, text: str, reason: str) -> None:
        with pytest.raises(ValueMismatchError) as caught:
            parse_json(text, parse_type(type_))
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)
