from __future__ import annotations

import struct
from typing import Any

import pytest

from icws_explore.protocol.candid.encode import Refusal, kind_of, scalar_writer, write_func, write_service
from icws_explore.protocol.candid.types import PRIM_BY_NAME, FuncRef, ServiceRef
from icws_explore.protocol.principal import Principal

IC = Principal(b"")


def written(name: str, value: Any) -> str:
    out = bytearray()
    scalar_writer(PRIM_BY_NAME[name])(out, value, 0)
    return out.hex()


class TestBytes:
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


class TestRefusals:
    def test_leave_nothing_half_written(self) -> None:
        for name, value in [("nat8", 300), ("text", "\ud800"), ("principal", "x"), ("float32", 1e39), ("nat", -1)]:
            out = bytearray()
            with pytest.raises(Refusal):
                scalar_writer(PRIM_BY_NAME[name])(out, value, 0)
            assert out == b""

    @pytest.mark.parametrize(
        ("value", "word"), [(None, "None"), ({"a": 1}, "a dict of 1"), ([], "list"), (1.5, "float")]
    )
    def test_name_what_was_given(self, value: Any, word: str) -> None:
        assert kind_of(value) == word
