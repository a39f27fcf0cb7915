from __future__ import annotations

from typing import Any

import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.candid import annotate, parse_type
from icws_explore.protocol.candid.annotate import MAX_LEVELS, MAX_NUMBERS
from support.candid_cases import didl

LONG = list(range(MAX_NUMBERS + 1))


class TestParts:
    @pytest.mark.parametrize(
        ("text", "value", "leaves"),
        [
            ("nat", 300, {"0": 300}),
            ("opt nat", None, {"0.tag": 0}),
            ("text", "é", {"0.length": 2, "0.content": "é"}),
            ("blob", b"ab", {"0.length": 2, "0.content": b"ab"}),
            ("vec nat16", [1, 2], {"0.length": 2, "0.0": 1, "0.1": 2}),
            ("vec nat16", LONG, {"0.length": len(LONG), "0.content": LONG}),
            ("record { null; bool }", (None, True), {"0.0": None, "0.1": True}),
            ("variant { a; b : nat8 }", {"b": 7}, {"0.case": 1, "0.b": 7}),
            ("service {}", candid.ServiceRef(candid.decode(didl("00 01 68 01 01 05"))[0]),
             {"0.tag": 1, "0.length": 1, "0.bytes": b"\x05"}),
            ("func () -> ()", candid.FuncRef(candid.decode(didl("00 01 68 01 01 05"))[0], "m"),
             {"0.tag": 1, "0.service.tag": 1, "0.service.length": 1, "0.service.bytes": b"\x05",
              "0.method.length": 1, "0.method.content": "m"}),
        ],
    )  # fmt: skip
    def test_of_values(self, text: str, value: Any, leaves: dict[str, Any]) -> None:
        root = annotate(candid.encode([parse_type(text)], [value]), [parse_type(text)])
        assert {leaf.path: leaf.value for leaf in root.leaves() if leaf.path[0].isdigit()} == leaves


class TestFaults:
    def test_a_case_that_is_not_there(self) -> None:
        fault = annotate(didl("01 6b 01 61 7f 01 00 01")).first_fault()
        assert fault is not None
        assert (fault.path, fault.fault) == ("0.unread", "case 1 of a variant that has 1")


class TestSummingUp:
    """What there is no room for is still read and checked."""

    def test_long_vectors(self) -> None:
        type_ = parse_type("vec record { bool }")
        data = candid.encode([type_], [[(True,)] * 1000])
        root = annotate(data, max_nodes=50)
        rest = root.find("0.rest")
        assert rest is not None
        assert rest.end == len(data)
        assert rest.meaning.startswith("and 9")
        broken = annotate(data[:-1] + b"\x05", max_nodes=50).first_fault()
        assert broken is not None
        assert broken.fault == "bool is 5, not 0 or 1"

    def test_wide_records(self) -> None:
        type_ = candid.Record(tuple(candid.Field(i, candid.BOOL) for i in range(1000)))
        root = annotate(candid.encode([type_], [[True] * 1000]), max_nodes=50)
        rest = root.find("0.rest")
        assert rest is not None
        assert rest.end - rest.start > 900

    def test_deep_values(self) -> None:
        type_ = parse_type("type L = opt L2; type L2 = record { l : L }")
        value = None
        for _ in range(100):
            value = {"l": value}
        root = annotate(candid.encode([type_], [value]), [type_])
        deepest = max(root.leaves(), key=lambda leaf: leaf.path.count("."))
        assert deepest.path.count(".") <= MAX_LEVELS + 1
        assert deepest.value is not None
