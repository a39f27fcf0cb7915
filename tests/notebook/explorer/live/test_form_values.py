from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from icws_explore.notebook.explorer.live.form_values import (
    MAX_NODES,
    START_NODES,
    Schema,
    form_size,
    from_form,
    schema_of,
    start,
    to_form,
)
from icws_explore.protocol import candid
from icws_explore.protocol.candid import Type, parse_type
from support.candid_cases import JSON, LIST_DID, TREE_DID, typed_values, types, work_of


def schema(text: str) -> Schema:
    return schema_of(parse_type(text))


def problems(text: str, contents: Any) -> list[tuple[str, str]]:
    return [(problem.path, problem.text) for problem in from_form(schema(text), contents)[1]]


class TestEveryValue:
    @given(typed_values())
    def test_survives_the_form(self, case: tuple[Type, Any]) -> None:
        type_, value = case
        described = schema_of(type_)
        contents = json.loads(json.dumps(to_form(described, value)))  # as it passes to the browser and back
        assert from_form(described, contents) == (value, [])

    @given(types, JSON)
    def test_any_contents_give_a_value_that_can_be_sent_or_a_problem(self, type_: Type, contents: Any) -> None:
        value, found = from_form(schema_of(type_), contents)
        assert found or candid.encode([type_], [value])

    @given(types)
    def test_a_form_begins_with_contents_that_only_lack_what_has_no_default(self, type_: Type) -> None:
        described = schema_of(type_)
        _, found = from_form(described, start(described))
        assert {problem.text for problem in found} <= {"write a principal, such as aaaaa-aa"}


class TestSchema:
    def test_of_a_record_names_its_fields(self) -> None:
        (root, text, opt, number) = schema("record { text : text; n : opt nat8 }").nodes
        assert (root["kind"], root["parts"]) == ("record", [["text", 1], ["n", 2]])
        assert (text["kind"], opt["kind"], opt["inner"]) == ("text", "opt", 3)
        assert (number["low"], number["high"]) == ("0", "255")

    def test_of_a_recursive_type_is_finite(self) -> None:
        assert len(schema(LIST_DID).nodes) == 3
        assert len(schema(TREE_DID).nodes) == 3

    def test_is_json(self) -> None:
        assert json.loads(json.dumps(schema(TREE_DID).nodes)) == list(schema(TREE_DID).nodes)


class TestStart:
    def test_takes_the_first_case_and_ends_a_recursion_at_the_shortest(self) -> None:
        tree = "type Tree = variant { branch : record { left : Tree; right : Tree }; leaf : nat };"
        leaf = {"case": 1, "value": "0"}
        assert start(schema(tree)) == {"case": 0, "value": [leaf, leaf]}

    def test_leaves_what_never_ends_to_be_said(self) -> None:
        assert problems("type A = record { a : A };", start(schema("type A = record { a : A };"))) == [
            ("", "no value of this type comes to an end")
        ]

    def test_passes_over_a_case_that_never_ends(self) -> None:
        described = schema("type A = record { a : A }; type B = variant { endless : A; no : empty; good };")
        assert start(described) == {"case": 2, "value": None}
        assert from_form(described, start(described)) == ({"good": None}, [])


class TestHostileTypes:
    def test_with_many_parts_end_in_text(self) -> None:
        wide = schema(f"record {{ {' '.join(f'f{i} : record {{ a : nat; b{i} : text }};' for i in range(3000))} }}")
        assert len(wide.nodes) < MAX_NODES + 3001
        inner = "record { a : vec record { b : nat } }"
        contents = start(schema(inner))
        assert from_form(schema(inner), contents)[0] == {"a": []}

    def test_that_double_at_each_level_cost_no_more_than_they_are_long(self) -> None:
        def doubling(depth: int) -> str:
            lines = [f"type T{i} = record {{ a : T{i + 1}; b : T{i + 1} }};" for i in range(depth)]
            return " ".join([f"type T{depth} = nat;", *reversed(lines)])

        described = schema_of(candid.parse_did(doubling(60)).types["T0"])
        assert len(described.nodes) == 61
        assert form_size(start(described)) < 3 * START_NODES
        assert work_of(lambda: start(described)) < 2000
        assert from_form(described, start(described))[1][0].text == "fill this in"

    def test_a_type_beyond_the_limit_is_written_as_candid_text(self) -> None:
        inner = "".join(f"g{i} : opt record {{ x{i} : nat }};" for i in range(1500))
        described = schema(f"record {{ {inner} }}")
        assert [node["kind"] for node in described.nodes] == ["candid"]
        assert problems(f"record {{ {inner} }}", "record { g0 = opt record { x0 = 1 } }") == []
        assert problems(f"record {{ {inner} }}", "record { q = 1 }")[0][1].startswith("line 1, column 10: there is no")


class TestProblems:
    @pytest.mark.parametrize(
        ("type_", "contents", "path", "text"),
        [
            ("record { a : nat8 }", ["300"], "0", "nat8 goes from 0 to 255"),
            ("record { a : nat }", [""], "0", "write a whole number (nat)"),
            ("vec int", ["1", "x"], "1", "this is no whole number (int)"),
            ("vec nat", ["9" * 9999], "0", "the number has too many digits"),
            ("opt nat", {"some": "-1"}, "s", "nat cannot be negative"),
            ("variant { a : float32 }", {"case": 0, "value": "1e99"}, "v", "the number is too large for float32"),
            ("float64", "one", "", "this is no number (float64): write 1.5, 1e9, inf or nan"),
            ("blob", {"as": "hex", "text": "0"}, "", "there is an odd number of hexadecimal digits: a byte has two"),
            ("blob", {"as": "hex", "text": "xy"}, "", "bytes are written in hexadecimal, such as 00 ff 1a"),
            ("principal", "aaaaa-ab", "", "'aaaaa-ab' should be written aaaaa-aa"),
            ("text", "\ud800", "", "the text has half of a character (a lone surrogate), which cannot be sent"),
            ("empty", None, "", "this type has no values"),
        ],
    )
    def test_stand_at_their_field_in_one_line(self, type_: str, contents: Any, path: str, text: str) -> None:
        assert problems(type_, contents) == [(path, text)]

    def test_of_several_fields_all_show(self) -> None:
        found = problems("record { a : nat; b : record { c : nat8 } }", ["x", ["y"]])
        assert [path for path, _ in found] == ["0", "1/0"]


class TestWhatIsTyped:
    @pytest.mark.parametrize(
        ("type_", "contents", "value"),
        [
            ("nat64", " 1_000 000,000 ", 10**9),
            ("int", "-0xff", -255),
            ("nat", str(2**200), 2**200),
            ("float64", "1e3", 1000.0),
            ("blob", {"as": "hex", "text": "0x00 FF:1a"}, b"\x00\xff\x1a"),
            ("blob", {"as": "text", "text": "é"}, "é".encode()),
        ],
    )
    def test_may_be_written_as_people_do(self, type_: str, contents: Any, value: Any) -> None:
        assert from_form(schema(type_), contents) == (value, [])
