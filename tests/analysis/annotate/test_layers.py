"""Whole frames and their CBOR layers: the leaves cover every byte, and the fields have the protocol's names."""

from __future__ import annotations

import dataclasses
import json

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.analysis.annotate.layers import MAX_LAYERS, Layers
from icws_explore.analysis.annotate.meanings import Context
from icws_explore.analysis.annotate.shapes import CERTIFICATE, PLAIN, Shape
from icws_explore.capture import Frame
from icws_explore.protocol.cbor import dumps
from icws_explore.protocol.messages import CanisterMessage, Handshake
from icws_explore.protocol.principal import Principal
from support.annotated import APP_TYPE, AT_S, annotated, app_content, canister_frame, message, vector_frames
from support.indefinite import reencoded
from support.machine import ROOT


def frame(data):
    return Frame(AT_S, "in", "binary", data)


class TestReal:
    @pytest.mark.parametrize("number", range(len(vector_frames())))
    def test_frames_hold_nothing_unexplained(self, number):
        root = annotated(vector_frames()[number])
        assert root.first_fault() is None

    def test_a_handshake(self):
        root = annotated(frame(Handshake(Principal.ANONYMOUS).encode()))
        assert root.find("gateway_principal").meaning == "2vxsx-fae (anonymous)"
        assert root.find(":tag").meaning == "self-describe tag: CBOR follows"


class TestOdd:
    @pytest.mark.parametrize(
        "data",
        [
            "bf616101ff",  # an indefinite map
            "5f4101420203ff",  # an indefinite string
            "a10102",  # a number as a key
            "a1416101",  # bytes as a key
            "c1c2d9d9f700",  # tags on tags
            "f7",
            "fb7ff8000000000000",
            "a2676b6579",
        ],
    )
    def test_any_cbor_is_read(self, data):
        annotated(frame(bytes.fromhex(data)))

    def test_bytes_after_the_value_are_a_leaf(self):
        root = annotated(frame(Handshake(Principal.ANONYMOUS).encode() + b"more"))
        rest = root.find(":rest") or next(node for node in root.walk() if node.path == ":rest")
        assert (rest.value, rest.fault) == (b"more", "4 bytes too many after the value")

    def test_layers_do_not_nest_without_end(self):
        certificate = dumps({"tree": [0]})
        for _ in range(30):
            certificate = dumps({"tree": [0], "delegation": {"subnet_id": b"", "certificate": certificate}})
        root = annotated(canister_frame(message(app_content()).encode(), cert=certificate))
        deepest = max((node.path for node in root.walk()), key=lambda path: path.count("certificate"))
        assert deepest.count("certificate") < 10

    def test_an_empty_layer_is_a_fault(self):
        root = annotated(canister_frame(b"", cert=b""))
        assert [node.path for node in root.walk() if node.fault] == ["content", "cert"]


CONTEXT = Context(0, sent=False)


def read(data, shape=PLAIN):
    return Layers(data, CONTEXT).cbor("", 0, len(data), shape)


class TestByteStrings:
    def test_only_named_byte_strings_are_opened(self):
        data = cbor2.dumps({"cert": cbor2.dumps({"signature": b"s"}), "other": cbor2.dumps([1])})
        (root,) = read(data, Shape({"cert": Shape(inner="certificate")}))
        paths = [node.path for node in root.walk()]
        assert "cert.signature" in paths
        assert "other.0" not in paths

    def test_nested_certificates_are_limited(self):
        nested = b"\xa0"
        for _ in range(3 * MAX_LAYERS):
            nested = cbor2.dumps({"delegation": {"certificate": nested}})
        (root,) = read(nested, CERTIFICATE)
        deepest = max(node.path.count("certificate") for node in root.walk())
        assert deepest == MAX_LAYERS + 1

    @pytest.mark.parametrize(
        ("data", "types"),
        [
            (b"\xbf\x61a\x01\xff", ["map(1)", "head", "text", "uint", "break"]),
            (b"\x9f\x01\xff", ["array(1)", "head", "uint", "break"]),
            (b"\x5f\x41a\x41b\xff", ["bytes", "head", "bytes(1)", "bytes(1)", "break"]),
            (b"\xc1\x01", ["tag 1", "tag", "uint"]),
        ],
    )
    def test_indefinite_lengths_and_tags_keep_every_byte(self, data, types):
        (root,) = read(data)
        assert [node.type for node in root.walk()] == types
        assert sum(leaf.end - leaf.start for leaf in root.leaves()) == len(data)

    def test_keys_that_are_not_text_have_a_name(self):
        (root,) = read(cbor2.dumps({1: 2}))
        assert "key 0" in [node.path for node in root.walk()]


VECTORS = ROOT / "tests" / "vectors"
CALLS = json.loads((VECTORS / "calls.json").read_text())["vectors"]
LOCAL = json.loads((VECTORS / "icws_local_replica.json").read_text())


def frame_of(message):
    content, cert, tree = (bytes.fromhex(message[f"{name}_hex"]) for name in ("content", "cert", "tree"))
    return CanisterMessage(message["key"], content, cert, tree).encode()


FRAMES = [("out", bytes.fromhex(call["frame_hex"])) for call in CALLS]
FRAMES += [("in", frame_of(message)) for message in LOCAL["messages"]]
FRAMES.append(("in", Handshake(Principal.ANONYMOUS).encode()))
AT = 1741106549.354


def annotate_bytes(direction, data):
    return annotate_frame(Frame(AT, direction, "binary", data))


def assert_covers(root, data):
    at = 0
    for leaf in root.leaves():
        assert leaf.start == at, leaf
        assert leaf.end >= leaf.start
        at = leaf.end
    assert at == len(data)


class TestTiling:
    @pytest.mark.parametrize(("direction", "data"), FRAMES)
    def test_real_frames(self, direction, data):
        root = annotate_bytes(direction, data)
        assert_covers(root, data)
        assert root.first_fault() is None

    @given(st.sampled_from(FRAMES), st.integers(0, 10**6), st.binary(max_size=40))
    def test_a_real_beginning_with_a_random_tail(self, frame, cut, tail):
        direction, data = frame
        broken = data[: cut % len(data)] + tail
        assert_covers(annotate_bytes(direction, broken), broken)

    @given(st.sampled_from(FRAMES), st.integers(0, 10**6), st.integers(1, 255))
    def test_a_flipped_byte(self, frame, place, flip):
        direction, data = frame
        broken = bytearray(data)
        broken[place % len(data)] ^= flip
        assert_covers(annotate_bytes(direction, bytes(broken)), broken)

    @given(st.binary(max_size=200), st.sampled_from(["in", "out"]))
    def test_random_bytes(self, data, direction):
        assert_covers(annotate_bytes(direction, data), data)


class TestFields:
    def test_of_an_envelope(self):
        call = CALLS[0]
        root = annotate_bytes("out", bytes.fromhex(call["frame_hex"]))
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
        root = annotate_bytes("in", frame_of(message))
        assert root.find("content.client_key.client_nonce").value == 385892949151814926
        assert root.find("content.is_service_message").value is True
        time = next(node for node in root.walk() if node.path.endswith("time.leaf"))
        assert time.meaning.startswith("certified at 2023-12-09 17:42:18")
        certified = next(node for node in root.walk() if node.path.endswith("certified_data.leaf"))
        assert "root hash" in certified.meaning

    def test_a_byte_leads_to_its_field(self):
        root = annotate_bytes("out", FRAMES[0][1])
        nonce = root.find("nonce")
        assert root.at(nonce.end - 1) is nonce


class TestFaults:
    def test_a_cut_frame_says_where_and_why(self):
        data = FRAMES[0][1][:200]
        fault = annotate_bytes("out", data).first_fault()
        assert fault.end == 200
        assert "too early" in fault.fault

    def test_an_empty_frame(self):
        root = annotate_bytes("in", b"")
        assert root.fault == "an empty frame"
        assert list(root.leaves()) == [root]

    def test_no_hash_tree(self):
        root = annotate_bytes("in", CanisterMessage("k", b"\xa0", b"\xa1\x64tree\x82\x05\x00", b"\x80").encode())
        assert [node.fault for node in root.walk() if node.fault] == ["not a node of a hash tree"] * 2


class TestControl:
    def test_text_is_one_leaf(self):
        root = annotate_frame(Frame(AT, "in", "text", b"hello"))
        assert [(leaf.start, leaf.end, leaf.value) for leaf in root.leaves()] == [(0, 5, "hello")]


class TestIndefiniteLengths:
    """As IC4J writes CBOR, and with strings in chunks as well: in every layer of every frame."""

    @pytest.mark.parametrize("chunks", [False, True])
    @pytest.mark.parametrize("number", range(len(vector_frames())))
    def test_real_frames_keep_their_fields(self, number, chunks):
        original = vector_frames()[number]
        inside = ("content", "cert", "tree") if original.direction == "in" else ()
        data = reencoded(original.data, chunks=chunks, inside=inside)
        root = annotated(dataclasses.replace(original, data=data))
        assert root.first_fault() is None
        wanted = {node.path: node.value for node in annotated(original).walk() if ":" not in node.path}
        found = {node.path: node.value for node in root.walk()}
        taken_apart = {path for path in wanted if path in found}
        assert chunks or taken_apart == set(wanted)
        assert all(
            found[path] == wanted[path] for path in taken_apart if isinstance(wanted[path], (int, str, Principal))
        )

    @pytest.mark.parametrize("chunks", [False, True])
    def test_head_and_break_are_leaves(self, chunks):
        data = reencoded(canister_frame(message(app_content()).encode()).data, chunks=chunks, inside=("tree",))
        root = annotated(frame(data))
        leaves = list(root.leaves())
        breaks = [leaf for leaf in leaves if leaf.type == "break"]
        assert all(data[leaf.start : leaf.end] == b"\xff" for leaf in breaks)
        heads = [leaf for leaf in leaves if leaf.type == "head" and data[leaf.start] & 31 == 31]
        assert all(leaf.end == leaf.start + 1 for leaf in heads)
        assert len(heads) == len(breaks) == (9 if chunks else 2)
        assert heads[0].meaning == "indefinite length: 4 fields until the break byte"
        assert breaks[-1].meaning == "break byte: the end of the item"

    def test_a_layer_in_one_chunk_is_taken_apart(self):
        inner = message(app_content("hi")).encode()
        data = b"\xa1\x67content\x5f" + dumps(inner) + b"\xff"
        root = annotated(frame(data), app_type=APP_TYPE)
        assert root.first_fault() is None
        assert root.find("content.content.text").value == "hi"
        assert [leaf.path for leaf in root.leaves() if leaf.start > len(data) - 2] == ["content:end"]

    def test_a_layer_in_two_chunks_is_not_taken_apart(self):
        root = annotated(frame(b"\xa1\x67content\x5f\x41\xa1\x41\xa0\xff"))
        assert root.find("content").meaning == "in 2 chunks, so the layer in it is not taken apart"
        assert root.find("content").value == b"\xa1\xa0"

    def test_a_fault_in_a_chunk_is_at_its_byte(self):
        fault = annotated(frame(b"\xbf\x63key\x7f\x61a\x41b\xff\xff")).first_fault()
        assert (fault.fault_offset, fault.fault) == (8, "a chunk of a text string is no text string")

    def test_a_missing_break_is_a_fault(self):
        root = annotated(frame(b"\xbf\x63key\x9f\x01"))
        assert root.first_fault().fault == "ends 1 byte too early"


class TestWithIndefiniteLengthsAndRandomEnds:
    @given(st.sampled_from(vector_frames()), st.booleans(), st.integers(0, 10**6), st.binary(max_size=20))
    def test_every_byte_has_its_leaf(self, original, chunks, cut, tail):
        data = reencoded(original.data, chunks=chunks)
        annotated(dataclasses.replace(original, data=data[: cut % len(data)] + tail))
