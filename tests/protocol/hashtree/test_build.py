from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.errors import ArgumentTypeError, ArgumentValueError
from icws_explore.protocol.hashtree import (
    Absent,
    Empty,
    Fork,
    Found,
    FoundSubtree,
    Labeled,
    Leaf,
    Pruned,
    Unknown,
    build,
    decode,
    encode,
    leaves,
    lookup,
    prune,
    root_hash,
    walk,
)
from support import hash_trees


class TestBuild:
    def test_canonical_order(self) -> None:
        a, b, c = (Labeled(label, Leaf(label)) for label in (b"a", b"b", b"c"))
        assert build({b"c": b"c", b"a": b"a", b"b": b"b"}) == Fork(Fork(a, b), c)

    def test_values_and_empty_mappings(self) -> None:
        assert build({}) == Empty()
        assert build(b"value") == Leaf(b"value")
        assert build({b"request_status": {}}) == Labeled(b"request_status", Empty())

    @given(hash_trees.states)
    def test_depth_is_logarithmic(self, state) -> None:
        forks = [depth for _, node, depth in walk(build(dict.fromkeys(state, b""))) if isinstance(node, Leaf)]
        assert max(forks, default=0) <= max(len(state) - 1, 0).bit_length() + 1


class TestPrune:
    @given(hash_trees.states, st.lists(hash_trees.paths, max_size=4))
    def test_lookups_give_the_same_results_as_in_the_whole_tree(self, state, paths) -> None:
        whole = build(state)
        witness = prune(whole, paths)
        assert root_hash(witness) == root_hash(whole)
        for path in paths:
            assert lookup(witness, path) == lookup(whole, path)
        assert decode(encode(witness)) == witness

    @given(hash_trees.states, st.lists(hash_trees.paths, max_size=4))
    def test_of_a_witness_keeps_the_results_of_lookups(self, state, paths) -> None:
        witness = prune(build(state), paths)
        for path in paths:
            assert lookup(prune(witness, [path]), path) == lookup(witness, path)

    @given(hash_trees.trees, st.lists(hash_trees.paths, max_size=4))
    def test_keeps_the_root_hash_of_any_tree(self, tree, paths) -> None:
        assert root_hash(prune(tree, paths)) == root_hash(tree)

    @given(hash_trees.states, hash_trees.paths)
    def test_shows_no_other_value(self, state, path) -> None:
        whole = build(state)
        for shown, _ in leaves(prune(whole, [path])):
            # A value above the path is shown too: it proves that nothing is below it.
            assert shown[: len(path)] == path[: len(shown)]

    @pytest.mark.parametrize("paths", [(b"a",), [("a",)], ["a"], [b"a"], [(b"a", 1)]])
    def test_a_path_is_a_sequence_of_labels_in_bytes(self, paths: Any) -> None:
        with pytest.raises(ArgumentTypeError, match="each a tuple of labels"):
            prune(build({b"a": b"1"}), paths)

    def test_without_paths_only_the_hash_is_left(self) -> None:
        whole = build({b"a": b"1"})
        assert prune(whole, []) == Pruned(whole.digest)

    def test_absence_shows_only_the_labels_of_the_neighbours(self) -> None:
        whole = build({b"%d" % number: {b"secret": b"value"} for number in range(1, 9)})
        witness = prune(whole, [(b"45", b"x")])
        assert lookup(witness, (b"45",)) == Absent()
        assert list(leaves(witness)) == []
        labels = [node.label for _, node, _ in walk(witness) if isinstance(node, Labeled)]
        assert labels == [b"4", b"5"]
        assert lookup(witness, (b"2",)) == Unknown()

    def test_absence_before_the_first_label_and_after_the_last(self) -> None:
        whole = build({b"b": b"1", b"c": b"2", b"d": b"3"})
        assert lookup(prune(whole, [(b"a",)]), (b"a",)) == Absent()
        assert lookup(prune(whole, [(b"e",)]), (b"e",)) == Absent()

    def test_absence_across_empty_trees(self) -> None:
        bare = Fork(Empty(), Fork(Empty(), Empty()))
        whole = Fork(Labeled(b"a", Leaf(b"1")), Fork(bare, Labeled(b"c", Leaf(b"2"))))
        witness = prune(whole, [(b"b",)])
        assert lookup(witness, (b"b",)) == Absent()
        assert root_hash(witness) == root_hash(whole)

    def test_a_subtree_is_shown_completely(self) -> None:
        whole = build({b"a": {b"x": b"1", b"y": b"2"}, b"b": b"3"})
        witness = prune(whole, [(b"a",)])
        assert lookup(witness, (b"a",)) == FoundSubtree(build({b"x": b"1", b"y": b"2"}))
        assert lookup(witness, (b"a", b"y")) == Found(b"2")
        assert lookup(witness, (b"b",)) == Unknown()

    def test_refuses_a_tree_that_is_too_deep(self) -> None:
        tree: Labeled | Leaf = Leaf(b"")
        for _ in range(5000):
            tree = Labeled(b"x", tree)
        with pytest.raises(ArgumentValueError, match="deeper than 128"):
            prune(tree, [(b"x",)])
