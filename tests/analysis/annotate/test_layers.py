"""Layer in layer: byte strings that hold another encoding are opened, others are left alone."""

import cbor2
import pytest

from icws_explore.analysis.annotate.layers import MAX_LAYERS, Layers
from icws_explore.analysis.annotate.meanings import Context
from icws_explore.analysis.annotate.shapes import CERTIFICATE, PLAIN, Shape

CONTEXT = Context(0, sent=False)


def read(data, shape=PLAIN):
    return Layers(data, CONTEXT).cbor("", 0, len(data), shape)


class TestLayers:
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
