"""Heads of CBOR items, and parts that are no values."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.edit import cbor_head, encoded_value, tree_bytes, with_node
from icws_explore.capture import Frame
from icws_explore.protocol.cbor import dumps
from icws_explore.protocol.hashtree import Empty
from icws_explore.protocol.principal import Principal
from support.annotated import AT_S, annotated, app_content, canister_frame, message


@given(st.integers(0, 2**64 - 1))
def test_heads_are_cbors(number):
    assert cbor_head(0, number) == cbor2.dumps(number)


def test_a_tree_in_a_frame_has_no_tag():
    assert tree_bytes(Empty()) == b"\x81\x00"


class TestWithNode:
    def test_head_grows_with_its_string(self):
        frame = canister_frame(message(app_content()).encode())
        root = annotated(frame)
        node = root.find("content.content")
        data = with_node(frame.data, root, node, dumps(bytes(70_000)))
        again = annotated(Frame(AT_S, "in", "binary", data))
        assert again.find("content").type == f"bytes({again.find('content').end - again.find('content:head').end})"

    def test_a_node_of_another_tree_is_not_found(self):
        frame = canister_frame(message(app_content()).encode())
        other = annotated(frame).find("key")
        assert with_node(frame.data, annotated(frame), other, b"\x60") == b"\x60"


class TestValues:
    @pytest.mark.parametrize("value", [Principal.ANONYMOUS, [Principal.ANONYMOUS], {"a": Principal.ANONYMOUS}])
    def test_principals_are_bytes_in_cbor(self, value):
        frame = canister_frame(message(app_content()).encode())
        root = annotated(frame)
        assert b"\x41\x04" in encoded_value(frame.data, root, root.find("key"), value, None)

    def test_opcodes_are_signed(self):
        frame = canister_frame(message(app_content()).encode())
        root = annotated(frame)
        opcode = root.find("content.content:types.t0.opcode")
        assert encoded_value(frame.data, root, opcode, -19, None) == b"\x6d"
