from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given

from icws_explore.protocol.hashtree import (
    Empty,
    Fork,
    Labeled,
    Leaf,
    Pruned,
    build,
    disorder,
    flatten,
    forest_of,
    root_hash,
    walk,
)
from support import hash_trees
from support.hash_trees import from_vector


class TestRootHash:
    """Interface specification, "Root hash"."""

    def test_domain_separators(self) -> None:
        a, b = Leaf(b"a"), Pruned(bytes(32))
        assert Empty().digest == sha256(b"\x11ic-hashtree-empty").digest()
        assert a.digest == sha256(b"\x10ic-hashtree-leafa").digest()
        assert Labeled(b"l", a).digest == sha256(b"\x13ic-hashtree-labeledl" + a.digest).digest()
        assert Fork(a, b).digest == sha256(b"\x10ic-hashtree-fork" + a.digest + bytes(32)).digest()
        assert b.digest == bytes(32)

    def test_vectors(self, vectors) -> None:
        trees = vectors("hashtrees")["trees"]
        assert len(trees) == 20
        for entry in trees:
            assert root_hash(from_vector(entry["tree"])).hex() == entry["root_hash_hex"], entry["id"]

    def test_the_specifications_example(self) -> None:
        state = {b"a": {b"x": b"hello", b"y": b"world"}, b"b": b"good", b"c": {}, b"d": b"morning"}
        pruned = Fork(
            Fork(Labeled(b"a", build(state[b"a"])), Pruned(Labeled(b"b", Leaf(b"good")).digest)),
            Pruned(Fork(Labeled(b"c", Empty()), Labeled(b"d", Leaf(b"morning"))).digest),
        )
        assert root_hash(pruned) == root_hash(build(state))

    def test_a_tree_much_deeper_than_pythons_stack(self) -> None:
        tree: Leaf | Labeled = Leaf(b"")
        for _ in range(50_000):
            tree = Labeled(b"x", tree)
        assert len(root_hash(tree)) == 32
        assert disorder(tree) is None

    def test_nodes_cannot_be_changed(self) -> None:
        leaf = Leaf(b"a")
        with pytest.raises(AttributeError):
            leaf.value = b"b"  # type: ignore[misc]  # the misuse under test


class TestForest:
    def test_flattens_forks_and_drops_empty_trees(self) -> None:
        a, b, c = (Labeled(label, Leaf(label)) for label in (b"a", b"b", b"c"))
        tree = Fork(Fork(a, Empty()), Fork(Fork(Empty(), b), c))
        assert flatten(tree) == [a, b, c]
        assert forest_of(tree).labels == [b"a", b"b", b"c"]

    def test_is_computed_once(self) -> None:
        tree = build({b"a": b"1", b"b": b"2"})
        assert forest_of(tree) is forest_of(tree)

    def test_the_cached_index_does_not_affect_equality(self) -> None:
        used, fresh = build({b"a": b"1", b"b": b"2"}), build({b"a": b"1", b"b": b"2"})
        forest_of(used)
        assert used == fresh
        assert repr(used) == repr(fresh)
        assert hash(used) == hash(fresh)


class TestWellFormed:
    """Interface specification, "well_formed"."""

    @given(hash_trees.states)
    def test_built_trees_are_well_formed(self, state) -> None:
        assert disorder(build(state)) is None

    def test_descending_labels(self) -> None:
        below = Fork(Labeled(b"b", Empty()), Labeled(b"a", Empty()))
        assert disorder(Labeled(b"x", below)) == (b"x",)

    def test_a_label_twice(self) -> None:
        assert disorder(Fork(Labeled(b"a", Leaf(b"1")), Labeled(b"a", Leaf(b"2")))) == ()

    def test_a_leaf_beside_a_label(self) -> None:
        assert disorder(Fork(Labeled(b"a", Empty()), Leaf(b""))) == ()


class TestWalk:
    def test_left_to_right_with_paths_and_depths(self) -> None:
        tree = Fork(Labeled(b"a", Leaf(b"1")), Labeled(b"b", Empty()))
        assert [(path, type(node), depth) for path, node, depth in walk(tree)] == [
            ((), Fork, 0),
            ((), Labeled, 1),
            ((b"a",), Leaf, 2),
            ((), Labeled, 1),
            ((b"b",), Empty, 2),
        ]


class TestAbsence:
    """Interface specification, "Lookup": ``find_label`` for labels that are not shown."""

    ORDERED = Fork(Labeled(b"b", Empty()), Fork(Pruned(bytes(32)), Labeled(b"d", Empty())))
    DISORDERED = Fork(Fork(Labeled(b"d", Empty()), Labeled(b"f", Empty())), Labeled(b"b", Empty()))

    def test_is_proved_where_nothing_is_between_the_neighbours(self) -> None:
        forest = forest_of(self.ORDERED)
        assert forest.in_order
        assert [label for label in (b"a", b"c", b"e") if forest.proves_absent(label)] == [b"a", b"e"]

    def test_in_a_tree_whose_labels_are_out_of_order_takes_the_specifications_rules_one_by_one(self) -> None:
        forest = forest_of(self.DISORDERED)
        assert not forest.in_order
        # Before the first label, after the last one, or between two that follow each other.
        assert all(forest.proves_absent(label) for label in (b"a", b"c", b"e", b"g"))
        hidden = forest_of(
            Fork(Fork(Pruned(bytes(32)), Labeled(b"d", Empty())), Fork(Labeled(b"b", Empty()), Pruned(bytes(32))))
        )
        assert not any(hidden.proves_absent(label) for label in (b"a", b"c", b"e"))
