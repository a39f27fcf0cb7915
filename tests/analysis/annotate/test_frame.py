"""The leaves of every frame tile it, and the fields have the protocol's names."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.capture import Frame
from icws_explore.protocol.messages import CanisterMessage, Handshake
from icws_explore.protocol.principal import Principal
from support.machine import ROOT

VECTORS = ROOT / "tests" / "vectors"
CALLS = json.loads((VECTORS / "calls.json").read_text())["vectors"]
LOCAL = json.loads((VECTORS / "icws_local_replica.json").read_text())


def canister_frame(message):
    content, cert, tree = (bytes.fromhex(message[f"{name}_hex"]) for name in ("content", "cert", "tree"))
    return CanisterMessage(message["key"], content, cert, tree).encode()


FRAMES = [("out", bytes.fromhex(call["frame_hex"])) for call in CALLS]
FRAMES += [("in", canister_frame(message)) for message in LOCAL["messages"]]
FRAMES.append(("in", Handshake(Principal.ANONYMOUS).encode()))
AT = 1741106549.354


def annotate(direction, data):
    return annotate_frame(Frame(AT, direction, "binary", data))


def assert_tiles(root, data):
    at = 0
    for leaf in root.leaves():
        assert leaf.start == at, leaf
        assert leaf.end >= leaf.start
        at = leaf.end
    assert at == len(data)


class TestTiling:
    @pytest.mark.parametrize(("direction", "data"), FRAMES)
    def test_real_frames(self, direction, data):
        root = annotate(direction, data)
        assert_tiles(root, data)
        assert root.first_fault() is None

    @given(st.sampled_from(FRAMES), st.integers(0, 10**6), st.binary(max_size=40))
    def test_a_real_beginning_with_a_random_tail(self, frame, cut, tail):
        direction, data = frame
        broken = data[: cut % len(data)] + tail
        assert_tiles(annotate(direction, broken), broken)

    @given(st.sampled_from(FRAMES), st.integers(0, 10**6), st.integers(1, 255))
    def test_a_flipped_byte(self, frame, place, flip):
        direction, data = frame
        broken = bytearray(data)
        broken[place % len(data)] ^= flip
        assert_tiles(annotate(direction, bytes(broken)), broken)

    @given(st.binary(max_size=200), st.sampled_from(["in", "out"]))
    def test_random_bytes(self, data, direction):
        assert_tiles(annotate(direction, data), data)


class TestFields:
    def test_of_an_envelope(self):
        call = CALLS[0]
        root = annotate("out", bytes.fromhex(call["frame_hex"]))
        data = bytes.fromhex(call["frame_hex"])
        expiry = root.find("ingress_expiry")
        assert expiry.path == "envelope.content.ingress_expiry"
        assert expiry.value == int(call["ingress_expiry"])
        assert expiry.meaning == "2025-03-04 16:46:00 UTC, 3 min 31 s after it was sent"
        assert root.find("sender").meaning == call["identity"]["sender_principal"]
        assert data[root.find("sender_sig").start : root.find("sender_sig").end].endswith(
            bytes.fromhex(call["sender_sig_hex"])
        )

    def test_of_a_certified_message(self):
        message = LOCAL["messages"][0]
        root = annotate("in", canister_frame(message))
        assert root.find("content.client_key.client_nonce").value == 385892949151814926
        assert root.find("content.is_service_message").value is True
        time = next(node for node in root.walk() if node.path.endswith("time.leaf"))
        assert time.meaning.startswith("certified at 2023-12-09 17:42:18")
        certified = next(node for node in root.walk() if node.path.endswith("certified_data.leaf"))
        assert "root hash" in certified.meaning

    def test_a_byte_leads_to_its_field(self):
        root = annotate("out", FRAMES[0][1])
        nonce = root.find("nonce")
        assert root.at(nonce.end - 1) is nonce


class TestFaults:
    def test_a_cut_frame_says_where_and_why(self):
        data = FRAMES[0][1][:200]
        fault = annotate("out", data).first_fault()
        assert fault.end == 200
        assert "short" in fault.fault

    def test_an_empty_frame(self):
        root = annotate("in", b"")
        assert root.fault == "an empty frame"
        assert list(root.leaves()) == [root]

    def test_no_hash_tree(self):
        root = annotate("in", CanisterMessage("k", b"\xa0", b"\xa1\x64tree\x82\x05\x00", b"\x80").encode())
        assert [node.fault for node in root.walk() if node.fault] == ["no node of a hash tree"] * 2


class TestControl:
    def test_text_is_one_leaf(self):
        root = annotate_frame(Frame(AT, "in", "text", b"hello"))
        assert [(leaf.start, leaf.end, leaf.value) for leaf in root.leaves()] == [(0, 5, "hello")]
