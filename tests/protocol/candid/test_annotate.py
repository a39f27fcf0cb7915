from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import candid
from icws_explore.protocol.candid import annotate, parse_type
from icws_explore.protocol.candid.limits import (
    MAX_ARGS,
    MAX_LEVELS,
    MAX_NUMBERS,
    MAX_TABLE,
    NODES_FREE,
    NODES_PER_BYTE,
    VALUES_FREE,
)
from icws_explore.protocol.errors import CandidError
from icws_explore.protocol.leb128 import encode_unsigned
from icws_explore.protocol.node import Node
from icws_explore.protocol.principal import Principal
from support.candid_cases import didl, typed_values, work_of


def tiles(root: Node) -> bool:
    """Whether the leaves cover every byte once, in order, and every node spans its children."""
    at = root.start
    for leaf in root.leaves():
        if leaf.start != at or leaf.end < leaf.start:
            return False
        at = leaf.end
    spans = all(node.start == node.children[0].start and node.end == node.children[-1].end
                for node in root.walk() if node.children)  # fmt: skip
    return at == root.end and spans


class TestTiling:
    @given(typed_values())
    def test_whole_messages(self, case: tuple[candid.Type, Any]) -> None:
        type_, value = case
        root = annotate(candid.encode([type_], [value]), [type_])
        assert tiles(root)
        assert root.first_fault() is None

    @given(typed_values(), st.data())
    def test_broken_messages(self, case: tuple[candid.Type, Any], data: st.DataObject) -> None:
        type_, value = case
        message = bytearray(candid.encode([type_], [value]))
        for _ in range(data.draw(st.integers(0, 3))):
            message[data.draw(st.integers(0, len(message) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        del message[data.draw(st.integers(0, len(message))) :]
        self.check(bytes(message), None)
        self.check(bytes(message), [type_])

    @given(st.binary(max_size=60), st.sampled_from(["", "01 6c 02 00 7d 01", "00 01 71", "02 6e 01 6d 00 01 00"]))
    def test_any_bytes(self, tail: bytes, golden: str) -> None:
        self.check(didl(golden) + tail, None)
        self.check(tail, [candid.NAT])

    @given(typed_values())
    def test_with_few_nodes(self, case: tuple[candid.Type, Any]) -> None:
        type_, value = case
        data = candid.encode([type_], [value])
        for most in (0, 1, 5, 20):
            root = annotate(data, [type_], max_nodes=most)
            assert tiles(root)
            assert root.first_fault() is None

    @staticmethod
    def check(message: bytes, types: list[candid.Type] | None) -> None:
        """The leaves cover the message, and the tree has a fault exactly when decoding has one."""
        root = annotate(message, types)
        assert tiles(root)
        fault = root.first_fault()
        try:
            candid.decode(message, types)
        except CandidError as error:
            assert fault is not None
            if types is None and message[:4] == b"DIDL":
                assert (fault.fault, fault.fault_at) == (error.reason, error.offset)
        else:
            assert fault is None


class TestNames:
    def test_of_every_part(self, vectors: Callable[[str], Any]) -> None:
        data = bytes.fromhex(vectors("candid")["service_messages"][0]["encoded_hex"])
        root = annotate(data)
        shown = {node.path: (node.start, node.end, node.value) for node in root.walk()}
        nonce = shown["0.OpenMessage.client_key.client_nonce"]
        assert nonce == (len(data) - 8, len(data), 385892949151814926)
        assert shown["magic"] == (0, 4, "DIDL")
        assert shown["types.count"] == (4, 5, 6)
        assert shown["types.t0.opcode"] == (5, 6, -20)
        assert shown["types.t0.client_principal.id"][2] == candid.label_hash("client_principal")
        assert (
            data[slice(*shown["0.OpenMessage.client_key.client_principal.bytes"][:2])]
            == shown["0.OpenMessage.client_key.client_principal"][2].raw
        )
        assert shown["0.case"][2] == 0

    def test_come_from_the_expected_type(self) -> None:
        type_ = parse_type("record { unheard_of : opt vec text }")
        data = candid.encode([type_], [{"unheard_of": ["a"]}])
        assert annotate(data, [type_]).find("0.unheard_of.some.0.content") is not None
        assert annotate(data).find(f"0._{candid.label_hash('unheard_of')}_.some.0.content") is not None
        assert annotate(data, names={candid.label_hash("unheard_of"): "seen"}).find("0.seen.some.0") is not None


class TestFaults:
    @pytest.mark.parametrize(
        ("message", "path", "start", "at", "reason"),
        [
            (b"", "magic.unread", 0, 0, "the message is empty"),
            (b"DADL\0\0", "magic.unread", 0, 0, "the message begins with 44 41 44 4c, not with DIDL"),
            (
                didl("02 6e 7d 6e 05 00"),
                "types.t1.unread",
                7,
                8,
                "type 5 is not in the type table, which has 2 entries",
            ),
            (didl("01 69 01 01'a'68 00"), "types.unread", 10, 5, "the method 'a' is not of a function type"),
            (didl("00 02 7d"), "args.count.unread", 5, 5, "the number of values is 2, too many for the 1 byte left"),
            (didl("00 02 7d 05 07"), "args.1.unread", 7, 7, "type 5 is not in the type table, which has 0 entries"),
            (didl("01 6c 02 00 7d 01 71 01 00 05 09'abc'"), "0.1.unread", 15, 15, "text needs 9 bytes"),
            (didl("00 01 7d 05 00"), "rest.unread", 8, 8, "1 byte too many after the last value"),
        ],
    )
    def test_keep_the_parts_before_them(self, message: bytes, path: str, start: int, at: int, reason: str) -> None:
        root = annotate(message)
        fault = root.first_fault()
        assert fault is not None
        assert fault.fault is not None
        assert (fault.path, fault.start, fault.end, fault.fault_at) == (path, start, len(message), at)
        assert fault.fault.startswith(reason)
        assert tiles(root)

    def test_of_values_that_do_not_fit(self) -> None:
        wire, wanted = "record { a : opt record { b : text } }", "record { a : opt record { b : text }; c : nat }"
        data = candid.encode([parse_type(wire)], [{"a": {"b": "x"}}])
        for text, path, reason in [
            (wanted, "0", "the field c is missing"),
            ("record { a : record { b : nat } }", "0.a", "opt record { b : text } where record"),
            ("variant { a }", "0", "record { a : opt record { 98 : text } } where variant { a }"),
        ]:
            fault = annotate(data, [parse_type(text)]).first_fault()
            assert fault is not None
            assert fault.fault is not None
            assert fault.path == path
            assert fault.fault.startswith(reason)
        missing = annotate(data, [candid.RESERVED, candid.NAT]).first_fault()
        assert missing is not None
        assert missing.type == "Candid"


class TestBounds:
    @pytest.mark.parametrize(
        "message",
        [
            didl("01 6d 7f 01 00 80 80 80 80 10"),
            didl("01 6c 01 00 00 01 00"),
            b"DIDL\x01\x6d\x7e\x01\x00\xa0\x8d\x06" + bytes(100_000),
            b"DIDL\xb8\x17" + b"\x6e\x7f" * 3000 + b"\x00",
            b"DIDL\x01\x6c\xb8\x17"
            + b"".join(bytes([i & 0x7F | 0x80, i >> 7, 0x7E]) for i in range(3000))
            + b"\x01\x00"
            + bytes(3000),
            didl("02 6e 01 6c 01 00 00 01 00") + b"\x01" * 120 + b"\x00",
        ],
    )
    def test_few_nodes_and_little_work(self, message: bytes) -> None:
        tracemalloc.start()
        root = annotate(message, max_nodes=200)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert tiles(root)
        assert sum(1 for _ in root.walk()) <= 200 + 20
        assert peak < (4 << 20) + 100 * len(message)
        assert work_of(lambda: annotate(message, max_nodes=200)) < 20 * VALUES_FREE + 20 * len(message)

    def test_a_short_message_has_few_nodes(self) -> None:
        # A type table that doubles at each entry: 2^30 records without bytes, from 190 bytes.
        table = b"".join(bytes([0x6C, 2, 0, n + 1, 1, n + 1]) for n in range(30)) + b"\x6c\x00"
        message = b"DIDL\x1f" + table + b"\x01\x00"
        root = annotate(message)
        assert tiles(root)
        assert sum(1 for _ in root.walk()) <= NODES_FREE + NODES_PER_BYTE * len(message) + 2 * MAX_LEVELS
        assert work_of(lambda: annotate(message)) < 15 * VALUES_FREE


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


class TestHeadLimits:
    def test_of_the_table_and_of_the_arguments(self) -> None:
        for data in (
            b"DIDL" + encode_unsigned(MAX_TABLE + 1) + b"\x6e\x7f" * (MAX_TABLE + 1) + b"\x00",
            b"DIDL\x00" + encode_unsigned(MAX_ARGS + 1) + b"\x7f" * (MAX_ARGS + 1),
        ):
            fault = annotate(data).first_fault()
            assert fault is not None
            with pytest.raises(CandidError) as caught:
                candid.decode(data)
            assert (fault.fault, fault.fault_at) == (caught.value.reason, caught.value.offset)


class TestLargeHeads:
    def test_large_tables(self) -> None:
        data = b"DIDL" + encode_unsigned(3000) + b"\x6e\x7f" * 3000 + b"\x00"
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


LONG = list(range(MAX_NUMBERS + 1))


class TestParts:
    @pytest.mark.parametrize(
        ("text", "value", "leaves"),
        [
            ("nat", 300, {"0": 300}),
            ("opt nat", None, {"0.tag": 0}),
            ("text", "é", {"0.length": 2, "0.content": "é"}),
            ("text", "", {"0.length": 0}),
            ("blob", b"", {"0.length": 0}),
            ("vec nat64", [], {"0.length": 0}),
            ("principal", Principal(b""), {"0.tag": 1, "0.length": 0}),
            ("func () -> ()", candid.FuncRef(Principal(b""), ""),
             {"0.tag": 1, "0.service.tag": 1, "0.service.length": 0, "0.method.length": 0}),
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
        assert tiles(root)

    @pytest.mark.parametrize(("text", "value"), [("text", ""), ("blob", b""), ("principal", Principal(b""))])
    def test_a_value_without_content_is_still_there(self, text: str, value: Any) -> None:
        node = annotate(candid.encode([parse_type(text)], [value])).at_path("0")
        assert node is not None
        assert node.value == value


class TestValueFaults:
    def test_a_case_that_does_not_exist(self) -> None:
        fault = annotate(didl("01 6b 01 61 7f 01 00 01")).first_fault()
        assert fault is not None
        assert (fault.path, fault.fault) == ("0.unread", "case 1 of a variant with 1 case")


class TestLargeValues:
    """Parts beyond the number of nodes are still read and checked."""

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
