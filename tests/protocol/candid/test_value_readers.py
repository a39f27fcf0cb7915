from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.candid import Field, FuncRef, Record, ServiceRef, Variant, Vec
from icws_explore.protocol.candid.limits import MAX_DEPTH
from icws_explore.protocol.candid.reader import Fault, Mismatch, Reader
from icws_explore.protocol.candid.types import PRIM_BY_NAME
from icws_explore.protocol.candid.value_readers import SCALARS, Read, opt, present, record, variant, vec
from icws_explore.protocol.errors import CandidError
from icws_explore.protocol.principal import Principal
from support.candid_cases import didl

CAFFEE = Principal(bytes.fromhex("caffee"))


class TestValues:
    @pytest.mark.parametrize(
        ("message", "name", "value"),
        [
            ("00 01 7f", "null", None),
            ("00 01 7e 01", "bool", True),
            ("00 01 7e 00", "bool", False),
            ("00 01 7d 80 80 98 f4 e9 b5 ca 6a", "nat", 60_000_000_000_000_000),
            ("00 01 7c 80 80 e8 8b 96 ca b5 95 7f", "int", -60_000_000_000_000_000),
            ("00 01 7b ff", "nat8", 255),
            ("00 01 7a 00 01", "nat16", 256),
            ("00 01 79 ff ff ff ff", "nat32", 2**32 - 1),
            ("00 01 78 ff ff ff ff ff ff ff ff", "nat64", 2**64 - 1),
            ("00 01 77 ff", "int8", -1),
            ("00 01 76 00 80", "int16", -32768),
            ("00 01 75 ff ff ff ff", "int32", -1),
            ("00 01 74 00 00 00 00 00 00 00 80", "int64", -(2**63)),
            ("00 01 73 00 00 40 40", "float32", 3.0),
            ("00 01 72 00 00 00 00 00 00 e0 bf", "float64", -0.5),
            ("00 01 71 03 e2 98 83", "text", "☃"),
            ("00 01 71 86 00'Motoko'", "text", "Motoko"),
            ("00 01 70", "reserved", None),
            ("00 01 68 01 03 ca ff ee", "principal", CAFFEE),
            ("00 01 68 01 00", "principal", Principal(b"")),
        ],
    )
    def test_of_every_primitive(self, message: str, name: str, value: Any) -> None:
        assert candid.decode(didl(message)) == [value]
        assert candid.decode(didl(message), [PRIM_BY_NAME[name]]) == [value]
        assert candid.decode_typed(didl(message)) == [(PRIM_BY_NAME[name], value)]

    def test_nan_and_infinity(self) -> None:
        (value,) = candid.decode(b"DIDL\x00\x01\x72" + struct.pack("<d", math.nan))
        assert math.isnan(value)
        assert candid.decode(b"DIDL\x00\x01\x73" + struct.pack("<f", -math.inf)) == [-math.inf]

    def test_references(self) -> None:
        assert candid.decode(didl("01 69 00 01 00 01 03 ca ff ee")) == [ServiceRef(CAFFEE)]
        assert candid.decode(didl("01 6a 00 00 00 01 00 01 01 03 ca ff ee 03'foo'")) == [FuncRef(CAFFEE, "foo")]


class TestRefusals:
    @pytest.mark.parametrize(
        ("message", "reason", "offset"),
        [
            ("00 01 7e 02", "bool is 2, not 0 or 1", 7),
            ("00 01 7e", "bool needs 1 byte, 0 are left", 7),
            ("00 01 7a 00", "nat16 needs 2 bytes, 1 is left", 7),
            ("00 01 72 00 00 00 00", "float64 needs 8 bytes, 4 are left", 7),
            ("00 01 6f", "the type empty has no values", 7),
            ("00 01 71 07'Motoko'", "text needs 7 bytes, 6 are left", 8),
            ("00 01 71 03 e2 28 a1", "text is not UTF-8", 8),
            ("00 01 68 00", "a principal begins with 01", 7),
            ("00 01 68 01 1e" + "00" * 30, "a principal of 30 bytes is longer than 29", 7),
            ("00 01 68 01 80 94 eb dc 03", "is longer than 29", 7),
            ("01 6a 00 00 00 01 00 00", "a func begins with 01", 11),
            ("01 6a 00 00 00 01 00 01 00 03 ca ff ee", "a principal begins with 01", 12),
            ("01 69 00 01 00 00", "a principal begins with 01", 9),
        ],
    )
    def test_say_what_and_where(self, message: str, reason: str, offset: int) -> None:
        with pytest.raises(CandidError, match=reason) as caught:
            candid.decode(didl(message))
        assert caught.value.offset == offset
        assert "\n" not in str(caught.value)


class TestVectorsOfFixedSize:
    @pytest.mark.parametrize("name", ["nat16", "int32", "nat64", "float64"])
    def test_are_read_at_once_and_bounded(self, name: str) -> None:
        type_ = Vec(PRIM_BY_NAME[name])
        data = candid.encode([type_], [[1, 2, 3]])
        assert candid.decode(data) == candid.decode(data, [type_]) == [[1, 2, 3]]
        with pytest.raises(CandidError, match=f": {name} needs"):
            candid.decode(data[:-1])

    def test_blob_is_bytes(self) -> None:
        assert candid.decode(didl("01 6d 7b 01 00 03 01 02 03")) == [b"\x01\x02\x03"]
        with pytest.raises(CandidError, match="blob needs 3 bytes, 2 are left"):
            candid.decode(didl("01 6d 7b 01 00 03 01 02"))


BOOL = SCALARS["bool"]


def refuses(reader: Reader, _depth: int) -> Any:
    reader.take(1, "part of it")
    raise Mismatch("does not fit", reader.pos)


def always(read: Read) -> Callable[[int, candid.Type | None], Read]:
    return lambda _ref, _expected: read


class TestPath:
    def test_has_a_step_of_each_reader(self) -> None:
        inner = record([("a", 0, None), ("b", 0, None)], ["a", "b"], always(BOOL))
        with pytest.raises(Fault) as caught:
            vec(0, None, always(inner), is_blob=False)(Reader(b"\x02\x01\x01\x01\x05"), 0)
        assert caught.value.path == ["b", 1]
        with pytest.raises(Fault) as caught:
            variant([("x", 0, None)], str, always(inner))(Reader(b"\x00\x05"), 0)
        assert caught.value.path == ["a", "x"]


class TestPresent:
    def test_reads_content_that_does_not_fit_to_its_end(self) -> None:
        reader = Reader(b"\x01\x01\x00")
        content = present(refuses, lambda: BOOL, wraps=False)
        assert opt(lambda: content)(reader, 0) is None
        assert reader.pos == 2


class TestDepth:
    @pytest.mark.parametrize(
        "read",
        [
            vec(0, None, always(BOOL), is_blob=False),
            record([], [], always(BOOL)),
            variant([], str, always(BOOL)),
            present(BOOL, lambda: BOOL, wraps=False),
        ],
    )
    def test_is_limited_for_each_kind(self, read: Read) -> None:
        with pytest.raises(Fault, match=f"nested more than {MAX_DEPTH} deep"):
            read(Reader(b"\x00\x00"), MAX_DEPTH)


class TestBudget:
    def test_is_charged_before_anything_is_read(self) -> None:
        reader = Reader(b"\xff\xff\xff\xff\x0f")
        with pytest.raises(Fault, match="asks for too many values"):
            vec(0, None, always(refuses), is_blob=False)(reader, 0)

    def test_a_record_is_charged_for_its_keys(self) -> None:
        reader = Reader(b"")
        left = reader.left
        record([], [str(i) for i in range(100)], always(BOOL))(reader, 0)
        assert reader.left == left - 100


class TestEmptyName:
    def test_is_a_valid_name(self) -> None:
        type_ = Record((Field("", candid.NAT), Field("a", candid.NAT)))
        value = {"": 1, "a": 2}
        data = candid.encode([type_], [value])
        assert candid.decode(data, [type_]) == [value]
        assert candid.decode(data, [Record((Field("", candid.NAT),))]) == [{"": 1}]
        case = Variant((Field("", candid.NAT),))
        assert candid.decode(candid.encode([case], [{"": 1}]), [case]) == [{"": 1}]
