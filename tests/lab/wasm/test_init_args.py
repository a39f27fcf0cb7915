"""Candid text of values."""

from __future__ import annotations

from typing import Any

import pytest

from icws_explore.lab.wasm.init_args import MAX_TEXT, encode_init, values_of
from icws_explore.protocol.candid import NAT64, TEXT, Opt, Some, decode, parse_type
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.principal import Principal

CASES: dict[str, list[Any]] = {
    "()": [],
    "(5)": [5],
    "(1_000 : nat, -3, 0xff, 1.5, 2e3)": [1000, -3, 255, 1.5, 2000.0],
    '("a \\"b\\" \\n\\u{e9}", true, false, null)': ['a "b" \né', True, False, None],
    '(record { a = 5 : nat; "b c" = opt "x" }, record { 1; 2 }, record {})': [
        {"a": 5, "b c": Some("x")},
        {0: 1, 1: 2},
        {},
    ],
    "(record { 7 = 1; 2 })": [{7: 1, 8: 2}],
    '(variant { Ok }, variant { Err = "no" })': [{"Ok": None}, {"Err": "no"}],
    '(vec { 1; 2; }, vec {}, blob "\\00\\ff", principal "aaaaa-aa")': [[1, 2], [], b"\x00\xff", Principal.MANAGEMENT],
    "((5 : nat8))": [5],
}


@pytest.mark.parametrize("text", CASES)
def test_values_are_read(text: str) -> None:
    assert values_of(text) == CASES[text]


NOT_CANDID = ["5", "(", "(5", "(record { a = })", "hello", "(opt)", '("', '(principal "x")', "(" * 5000 + ")" * 5000]


@pytest.mark.parametrize("text", [*NOT_CANDID, "x" * (MAX_TEXT + 1)])
def test_other_text_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(LabError) as refused:
        values_of(text)
    assert str(refused.value).startswith("the init argument ")
    assert len(str(refused.value)) < 200


def test_arguments_are_encoded_as_the_types_say() -> None:
    types = (parse_type("record { limit : nat64; name : opt text }"), TEXT)
    data = encode_init('(record { limit = 5; name = opt "x" }, "y")', types)
    assert decode(data, list(types)) == [{"limit": 5, "name": "x"}, "y"]


def test_optional_arguments_may_be_left_out() -> None:
    assert decode(encode_init("(5)", (NAT64, Opt(TEXT))), [NAT64, Opt(TEXT)]) == [5, None]


@pytest.mark.parametrize(
    ("text", "why"),
    [("(1, 2)", "has 2 values"), ('("x")', "does not fit"), ("()", "does not fit")],
)
def test_arguments_that_do_not_fit_are_refused(text: str, why: str) -> None:
    with pytest.raises(LabError, match=why):
        encode_init(text, (NAT64,))
