from __future__ import annotations

import contextlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.errors import ArgumentValueError, CborError, DecodeError, MessageError
from icws_explore.protocol.hashtree import (
    MAX_DEPTH,
    MAX_NODES,
    MAX_SIZE,
    Empty,
    Fork,
    Labeled,
    Leaf,
    decode,
    encode,
    from_cbor,
    lookup_value,
    to_cbor,
)
from icws_explore.protocol.hashtree.codec import leaf_under
from support import hash_trees
from support.hash_trees import from_vector


class TestEncoding:
    """Interface specification, "Encoding of certificates"."""

    def test_vectors_both_ways(self, vectors) -> None:
        for entry in vectors("hashtrees")["trees"]:
            data = bytes.fromhex(entry["cbor_hex"])
            assert decode(data) == from_vector(entry["tree"]), entry["id"]
            assert encode(from_vector(entry["tree"])) == data, entry["id"]

    @given(hash_trees.trees, st.booleans())
    def test_round_trip(self, tree, tagged) -> None:
        assert decode(encode(tree, tagged=tagged)) == tree

    def test_the_tag_is_optional(self) -> None:
        assert encode(Empty(), tagged=False) == bytes.fromhex("8100")
        assert encode(Empty()) == bytes.fromhex("d9d9f78100")
        assert decode(bytes.fromhex("8100")) == decode(bytes.fromhex("d9d9f78100")) == Empty()


class TestStrictDecoding:
    @pytest.mark.parametrize(
        ("node", "reason"),
        [
            ([], "a node is a non-empty array, not list"),
            ({}, "a node is a non-empty array, not dict"),
            (None, "a node is a non-empty array, not NoneType"),
            ([5, b""], "a node starts with 0 (empty), 1 (fork), 2 (labeled), 3 (leaf) or 4 (pruned)"),
            (["0"], "a node starts with 0 (empty)"),
            ([0.0], "a node starts with an integer, not float"),
            ([False], "a node starts with an integer, not bool"),
            ([True, [0], [0]], "a node starts with an integer, not bool"),
            ([0, []], "an empty node is [0]"),
            ([1, [0]], "a fork is [1, left, right]"),
            ([1, [0], [0], [0]], "a fork is [1, left, right]"),
            ([2, "text", [0]], "a labeled node is [2, label, tree], the label a byte string"),
            ([2, b"x"], "a labeled node is [2, label, tree]"),
            ([3], "a leaf is [3, value]"),
            ([3, "text"], "the value a byte string"),
            ([3, b"", b""], "a leaf is [3, value]"),
            ([4, bytes(31)], "the hash 32 bytes"),
            ([4, bytes(33)], "the hash 32 bytes"),
            ([2, b"websocket", [2, b"\xff\x00", [3, 1]]], "the value a byte string (under websocket/ff00)"),
            ([2, b"a", [2, b"b", [2, b"c", [2, b"d", [9]]]]], "(under …/b/c/d)"),
        ],
    )
    def test_refuses(self, node, reason) -> None:
        with pytest.raises(MessageError) as raised:
            decode(cbor2.dumps(node))
        assert reason in str(raised.value)

    def test_refuses_trailing_bytes(self) -> None:
        with pytest.raises(CborError, match="1 byte too many"):
            decode(encode(Empty()) + b"\x00")

    def test_reads_indefinite_lengths_as_the_agents_do(self) -> None:
        assert decode(bytes.fromhex("9f00ff")) == Empty()
        assert decode(bytes.fromhex("9f025f41614162ff9f0341 63ffff")) == Labeled(b"ab", Leaf(b"c"))

    @given(st.binary(max_size=60))
    def test_only_documented_errors_leave(self, tail) -> None:
        with contextlib.suppress(DecodeError):
            decode(bytes.fromhex("d9d9f78301") + tail)


class TestHostileTrees:
    def test_the_deepest_tree_that_is_allowed(self) -> None:
        tree: Labeled | Leaf = Leaf(b"")
        for _ in range(MAX_DEPTH - 1):
            tree = Labeled(b"", tree)
        assert decode(encode(tree)) == tree
        with pytest.raises(ArgumentValueError, match="deeper than 128"):
            encode(Labeled(b"", tree))

    @pytest.mark.parametrize("node", [b"\x83\x01\x81\x00", b"\x83\x02\x40"])
    def test_a_hundred_thousand_nodes_deep(self, node) -> None:
        with pytest.raises(CborError, match="nesting depth|items allowed"):
            decode(node * 100_000)

    def test_deep_lists_that_were_not_decoded_from_cbor(self) -> None:
        node: list[object] = [0]
        for _ in range(100_000):
            node = [2, b"", node]
        with pytest.raises(MessageError, match="deeper than the 128 nodes"):
            from_cbor(node)

    def test_a_fork_that_contains_itself(self) -> None:
        node: list[object] = [1]
        node += [node, node]
        with pytest.raises(MessageError, match="deeper than"):
            from_cbor(node)

    @pytest.mark.parametrize("head", ["9b" + 8 * "ff", "83025b7f" + 7 * "ff", "82039b" + 8 * "7f", "83015affffffff"])
    def test_huge_lengths(self, head) -> None:
        with pytest.raises(DecodeError):
            decode(bytes.fromhex(head))

    def test_too_many_nodes(self) -> None:
        tree: Fork | Empty = Empty()
        for _ in range(MAX_NODES.bit_length() - 1):
            tree = Fork(tree, tree)
        with pytest.raises(MessageError, match=f"more than the {MAX_NODES} nodes"):
            decode(encode(tree))

    def test_too_many_bytes(self) -> None:
        with pytest.raises(CborError, match="more than the"):
            decode(encode(Leaf(bytes(MAX_SIZE))))


class TestLeafUnder:
    @given(hash_trees.trees, st.sampled_from([b"", b"a", b"b", b"time"]))
    def test_is_what_a_lookup_finds(self, tree, label) -> None:
        assert leaf_under(to_cbor(tree), label) in (None, lookup_value(tree, [label]))

    @pytest.mark.parametrize(
        "beside", [[0], [3, b"x"], [4, bytes(32)], [2, b"a", [3, b"x"]], [2, b"a", [2, b"time", [0]]]]
    )
    def test_finds_the_value_beside_anything_that_is_well_formed(self, beside) -> None:
        assert leaf_under([1, [1, beside, [0]], [2, b"time", [3, b"now"]]], b"time") == b"now"

    @pytest.mark.parametrize(
        "beside",
        [[], {}, None, [5, b""], ["0"], [0.0], [False], [True, [0], [0]], [0, []], [1, [0]], [2, "a", [0]], [2, b"a"],
         [3, "x"], [3, b"x", b"y"], [4, bytes(31)], [2, b"a", [3]], [2, b"time", [3, b"then"]]],
    )  # fmt: skip
    def test_leaves_to_the_lookup_what_is_not_well_formed_or_there_twice(self, beside) -> None:
        assert leaf_under([1, beside, [2, b"time", [3, b"now"]]], b"time") is None

    @pytest.mark.parametrize("tree", [[0], [2, b"time", [0]], [2, b"time", [4, bytes(32)]], [2, b"a", [3, b"x"]]])
    def test_finds_nothing_where_there_is_no_value(self, tree) -> None:
        assert leaf_under(tree, b"time") is None

    def test_refuses_more_nodes_than_a_tree_may_have(self) -> None:
        row = [2, b"time", [3, b"now"]]
        for _ in range(MAX_NODES // 2):
            row = [1, [0], row]
        assert leaf_under(row, b"time") is None
