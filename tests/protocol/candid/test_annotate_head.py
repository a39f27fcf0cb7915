from __future__ import annotations

import pytest

from icws_explore.protocol import candid
from icws_explore.protocol.candid import annotate, parse_type
from icws_explore.protocol.candid.wire import MAX_ARGS, MAX_TABLE, unsigned
from icws_explore.protocol.errors import CandidError
from support.candid_cases import didl


class TestDefinitions:
    def test_of_every_kind_of_definition(self) -> None:
        text = "record { f : func (nat) -> (text, bool) query; s : service { m : () -> () }; v : variant { a } }"
        root = annotate(candid.encode([parse_type(f"vec {text}")], [[]]))
        leaves = {leaf.path: leaf.value for leaf in root.leaves()}
        for path, value in {
            "types.t0.of": "t1", "types.t1._102_.type": "t2", "types.t2.args.count": 1, "types.t2.args.0": "nat",
            "types.t2.results.1": "bool", "types.t2.annotations.0": 1, "types.t3.m.name": "m", "types.t3.m.type": "t4",
        }.items():  # fmt: skip
            assert leaves[path] == value, path
        future = annotate(didl("01 67 03'ABC' 01 00 02 00'xy'"))
        assert future.find("0").value == b"xy"  # type: ignore[union-attr]  # it is there


class TestLimits:
    def test_of_the_table_and_of_the_arguments(self) -> None:
        for data in (
            b"DIDL" + unsigned(MAX_TABLE + 1) + b"\x6e\x7f" * (MAX_TABLE + 1) + b"\x00",
            b"DIDL\x00" + unsigned(MAX_ARGS + 1) + b"\x7f" * (MAX_ARGS + 1),
        ):
            fault = annotate(data).first_fault()
            assert fault is not None
            with pytest.raises(CandidError) as caught:
                candid.decode(data)
            assert (fault.fault, fault.fault_at) == (caught.value.reason, caught.value.offset)


class TestSummingUp:
    def test_large_tables(self) -> None:
        data = b"DIDL" + unsigned(3000) + b"\x6e\x7f" * 3000 + b"\x00"
        root = annotate(data, max_nodes=100)
        rest = root.find("types.rest")
        assert rest is not None
        assert rest.end == len(data) - 1
        broken = annotate(data[:-3] + b"\x6e\x60\x00", max_nodes=100).first_fault()
        assert broken is not None
        assert broken.fault == "opcode -32 is not a primitive type"
        assert broken.path == "types.t2999.unread"

    def test_large_definitions(self) -> None:
        for type_ in (
            candid.Record(tuple(candid.Field(i, candid.BOOL) for i in range(1000))),
            candid.Func((candid.NAT,) * 1000),
            candid.Service(tuple((f"m{i:04}", candid.Func()) for i in range(1000))),
        ):
            root = annotate(candid.encode([candid.Vec(type_)], [[]]), max_nodes=50)
            assert root.find("types.t1.rest") is not None
            assert sum(1 for _ in root.walk()) < 70
