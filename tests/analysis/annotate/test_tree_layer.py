"""Hash trees in frames: every node has its kind, and labels read as what they are."""

import pytest

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.analysis.annotate.tree_layer import label_text
from icws_explore.capture import Frame
from icws_explore.protocol import hashtree, leb128
from icws_explore.protocol.hashtree import Empty, Fork, Labeled, Leaf, Pruned
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.principal import Principal

CANISTER = Principal.from_text("bkyz2-fmaaa-aaaaa-qaaaq-cai")


def annotated(tree):
    data = CanisterMessage("key", b"\xa0", b"\xa0", hashtree.encode(tree)).encode()
    return annotate_frame(Frame(1_700_000_000, "in", "binary", data))


class TestNodes:
    def test_each_kind_says_what_it_is(self):
        root = annotated(Fork(Labeled(b"a", Leaf(b"value")), Fork(Pruned(b"h" * 32), Empty())))
        assert {node.type for node in root.walk()} >= {"fork", "labeled", "leaf", "pruned", "empty"}
        assert next(node for node in root.walk() if node.path.endswith("a.leaf")).value == b"value"
        assert next(node for node in root.walk() if node.path.endswith(":pruned")).meaning.endswith("not shown")
        assert root.first_fault() is None

    def test_time_and_certified_data_have_their_meaning(self):
        time = Labeled(b"time", Leaf(leb128.encode(1_700_000_000 * 10**9)))
        data = Labeled(b"canister", Labeled(CANISTER.raw, Labeled(b"certified_data", Leaf(b"d" * 32))))
        root = annotated(Fork(data, time))
        meanings = {node.path.rpartition("tree.")[2]: node.meaning for node in root.walk() if node.meaning}
        assert any("certified at 2023-11-14 22:13:20 UTC" in meaning for meaning in meanings.values())
        assert any(CANISTER.text in node.path for node in root.walk())

    @pytest.mark.parametrize(
        "raw", [b"\x81\x05", b"\x80", b"\x01", b"\x83\x01\x81\x00", b"\x82\x03\x01", b"\x83\x02\x01\x81\x00"]
    )
    def test_what_is_none_is_a_fault_at_its_place(self, raw):
        data = CanisterMessage("key", b"\xa0", b"\xa0", raw).encode()
        root = annotate_frame(Frame(1.0, "in", "binary", data))
        assert sum(leaf.end - leaf.start for leaf in root.leaves()) == len(data)


class TestLabels:
    def test_read_as_text_principal_or_hex(self):
        assert label_text(b"time") == "time"
        assert label_text(CANISTER.raw, (b"canister",)) == CANISTER.text
        assert label_text(b"\x00\xff") == "0x00ff"
        assert label_text(b"a.b") == "0x612e62"  # a dot would split the path
        assert label_text(b"") == "0x"
