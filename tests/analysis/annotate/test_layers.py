"""CBOR layers within layers."""

import cbor2
import pytest

from icws_explore.analysis.annotate.layers import MAX_LAYERS, Layers
from icws_explore.analysis.annotate.meanings import Context
from icws_explore.analysis.annotate.shapes import CERTIFICATE, PLAIN, Shape
from icws_explore.capture import Frame
from icws_explore.protocol.cbor import dumps
from icws_explore.protocol.messages import Handshake
from icws_explore.protocol.principal import Principal
from support.annotated import AT_S, annotated, app_content, canister_frame, message, vector_frames


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
    def test_cbor_is_read_for_the_eye(self, data):
        annotated(frame(bytes.fromhex(data)))

    def test_what_lies_behind_the_value_is_a_leaf(self):
        root = annotated(frame(Handshake(Principal.ANONYMOUS).encode() + b"more"))
        rest = root.find(":rest") or next(node for node in root.walk() if node.path == ":rest")
        assert (rest.value, rest.fault) == (b"more", "4 bytes too many behind the value")

    def test_layers_do_not_nest_for_ever(self):
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

    def test_certificates_in_certificates_end_somewhere(self):
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

    def test_keys_that_are_not_text_still_have_a_place(self):
        (root,) = read(cbor2.dumps({1: 2}))
        assert "key 0" in [node.path for node in root.walk()]
