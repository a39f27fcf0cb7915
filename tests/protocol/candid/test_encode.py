from __future__ import annotations

from typing import Any

import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.candid import BLOB, BOOL, NAT, TEXT, Opt, parse_type
from icws_explore.protocol.errors import ValueMismatchError
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
        with pytest.raises(ValueMismatchError, match="2 values for 1 types"):
            candid.encode([NAT], [1, 2])


class TestPaths:
    """The text says where the value is that does not fit."""

    TYPE = parse_type("record { key : record { nonce : nat64 }; items : vec opt variant { a : text; b } }")

    @pytest.mark.parametrize(
        ("value", "path", "reason"),
        [
            ({"key": {"nonce": -1}, "items": []}, "key.nonce", "-1 is outside nat64"),
            ({"key": {}, "items": []}, "key.nonce", "is missing"),
            ({"key": {"nonce": 1}, "items": [None, {"a": 5}]}, "items.1.a", "text takes a str, not int"),
            ({"key": {"nonce": 1}, "items": [{"c": 5}]}, "items.0", "there is no case 'c'; there are a, b"),
            ({"key": {"nonce": 1, "x": 1}, "items": []}, "key", "there is no field 'x'; there are nonce"),
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
    def test_that_is_nearly_used_up(self) -> None:
        value: Any = None
        for _ in range(120):
            value = {"head": 1, "tail": value}
        assert candid.encode([TestBounds.LIST], [value])
        with pytest.raises(ValueMismatchError, match="nested too deep for the stack that is left"):
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
