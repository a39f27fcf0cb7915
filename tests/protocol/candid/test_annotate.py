from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol import candid
from icws_explore.protocol.candid import CandidNode, annotate, parse_type
from icws_explore.protocol.candid.reader import VALUES_FREE
from icws_explore.protocol.errors import CandidError
from support.candid_cases import didl, typed_values, work_of


def tiles(root: CandidNode) -> bool:
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
        """The tree tiles, and finds a fault exactly when decoding does; the same where no type is expected."""
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
            (b"", "magic.unread", 0, 0, "does not begin with DIDL"),
            (b"DADL\0\0", "magic.unread", 0, 0, "does not begin with DIDL"),
            (didl("02 6e 7d 6e 05 00"), "types.t1.unread", 7, 8, "type 5 is not in the type table of 2"),
            (didl("01 69 01 01'a'68 00"), "types.unread", 10, 5, "the method 'a' is not of a function type"),
            (didl("00 02 7d"), "args.count.unread", 5, 5, "the number of values is 2, more than"),
            (didl("00 02 7d 05 07"), "args.1.unread", 7, 7, "type 5 is not in the type table of 0"),
            (didl("01 6c 02 00 7d 01 71 01 00 05 09'abc'"), "0.1.unread", 15, 15, "text needs 9 bytes"),
            (didl("00 01 7d 05 00"), "rest.unread", 8, 8, "1 bytes too many behind the values"),
        ],
    )
    def test_leave_what_could_be_read(self, message: bytes, path: str, start: int, at: int, reason: str) -> None:
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
