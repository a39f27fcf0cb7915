"""Hash trees in frames: readable labels, explained leaves, faults for invalid nodes."""

import pytest

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.analysis.annotate.tree_layer import label_text
from icws_explore.capture import Frame
from icws_explore.protocol import hashtree, leb128
from icws_explore.protocol.cbor import dumps
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.hashtree import Empty, Fork, Labeled, Leaf, Pruned
from icws_explore.protocol.messages import CanisterMessage
from support.annotated import AT_S, CANISTER, annotated, app_content, canister_frame, message


def tree_nodes(data):
    root = annotated(canister_frame(message(app_content()).encode(), tree=data))
    return root, {node.path: node for node in root.walk()}


def built(**leaves):
    return hashtree.encode(hashtree.build({name.encode(): value for name, value in leaves.items()}))


class TestLeaves:
    @pytest.mark.parametrize(
        ("path", "value", "meaning"),
        [
            ("time", leb128.encode_unsigned(round(AT_S) * NS_PER_S), "certified at 2025-03-04 16:42:29 UTC"),
            ("time", b"\x80", "not a time"),
            ("status", b"replied", "'replied'"),
            ("public_key", b"\x30", "unknown key"),
        ],
    )
    def test_of_the_state_tree(self, path, value, meaning):
        root, _ = tree_nodes(built(**{path: value}))
        leaf = next(node for node in root.walk() if node.path.endswith(f"{path}.leaf"))
        assert leaf.meaning.startswith(meaning)

    def test_of_the_canister(self):
        tree = hashtree.build({b"canister": {CANISTER.raw: {b"certified_data": bytes(32)}}})
        root, _ = tree_nodes(hashtree.encode(tree))
        leaf = next(node for node in root.walk() if node.path.endswith(f"{CANISTER}.certified_data.leaf"))
        assert "root hash" in leaf.meaning

    def test_of_a_witness(self):
        root, _ = tree_nodes(hashtree.encode(hashtree.build({b"websocket": {b"k": bytes(32)}})))
        leaf = next(node for node in root.walk() if node.path.endswith("websocket.k.leaf"))
        assert leaf.meaning == "SHA-256 of the message's content"

    def test_pruned_and_empty(self):
        _, nodes = tree_nodes(dumps([1, [4, bytes(32)], [0]]))
        assert nodes["tree.left.pruned"].meaning == "hash of the pruned subtree"
        assert nodes["tree.right:empty"].meaning == "empty subtree"


class TestInvalid:
    @pytest.mark.parametrize(
        "tree", [[], [5], [1, [0]], ["a"], [3, 7], [2, 5, [0]], [1, [0], 3], [2, b"x"], 5, [[[[]]]]]
    )
    def test_invalid_nodes_raise_nothing(self, tree):
        root, _ = tree_nodes(dumps(tree))
        assert root.find("tree") is not None

    def test_what_is_not_a_node_is_a_fault(self):
        root, _ = tree_nodes(dumps([1, [0], 3]))
        assert root.first_fault().fault == "not a node of a hash tree"
        root, _ = tree_nodes(dumps([3, 7]))
        assert root.first_fault().fault == "a byte string is expected here"


class TestLabels:
    @pytest.mark.parametrize(
        ("label", "above", "text"),
        [
            (b"time", (), "time"),
            (CANISTER.raw, (b"canister",), CANISTER.text),
            (b"\x00\xff", (), "0x00ff"),
            (b"", (), "0x"),
            (b"a.b", (), "0x612e62"),
            (bytes(40), (b"canister",), "0x" + "00" * 40),
        ],
    )
    def test_are_text_principals_or_hex(self, label, above, text):
        assert label_text(label, above) == text


def with_witness(tree):
    data = CanisterMessage("key", b"\xa0", b"\xa0", hashtree.encode(tree)).encode()
    return annotate_frame(Frame(1_700_000_000, "in", "binary", data))


class TestEveryKind:
    def test_each_kind_has_its_type_and_meaning(self):
        root = with_witness(Fork(Labeled(b"a", Leaf(b"value")), Fork(Pruned(b"h" * 32), Empty())))
        assert {node.type for node in root.walk()} >= {"fork", "labeled", "leaf", "pruned", "empty"}
        assert next(node for node in root.walk() if node.path.endswith("a.leaf")).value == b"value"
        assert next(node for node in root.walk() if node.path.endswith(":pruned")).meaning == "hash of a pruned subtree"
        assert root.first_fault() is None

    def test_time_and_certified_data_have_their_meaning(self):
        time = Labeled(b"time", Leaf(leb128.encode_unsigned(1_700_000_000 * 10**9)))
        data = Labeled(b"canister", Labeled(CANISTER.raw, Labeled(b"certified_data", Leaf(b"d" * 32))))
        root = with_witness(Fork(data, time))
        meanings = {node.path.rpartition("tree.")[2]: node.meaning for node in root.walk() if node.meaning}
        assert any("certified at 2023-11-14 22:13:20 UTC" in meaning for meaning in meanings.values())
        assert any(CANISTER.text in node.path for node in root.walk())

    @pytest.mark.parametrize(
        "raw", [b"\x81\x05", b"\x80", b"\x01", b"\x83\x01\x81\x00", b"\x82\x03\x01", b"\x83\x02\x01\x81\x00"]
    )
    def test_an_invalid_node_keeps_the_leaves_complete(self, raw):
        data = CanisterMessage("key", b"\xa0", b"\xa0", raw).encode()
        root = annotate_frame(Frame(1.0, "in", "binary", data))
        assert sum(leaf.end - leaf.start for leaf in root.leaves()) == len(data)


class TestLabelsOfEveryKind:
    def test_read_as_text_principal_or_hex(self):
        assert label_text(b"time") == "time"
        assert label_text(CANISTER.raw, (b"canister",)) == CANISTER.text
        assert label_text(b"\x00\xff") == "0x00ff"
        assert label_text(b"a.b") == "0x612e62"  # a dot would split the path
        assert label_text(b"") == "0x"
