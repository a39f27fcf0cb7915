from __future__ import annotations

import pytest
from hypothesis import given

from icws_explore.protocol.errors import ArgumentTypeError
from icws_explore.protocol.hashtree import (
    Absent,
    Empty,
    Fork,
    Found,
    FoundSubtree,
    Labeled,
    Leaf,
    LookupResult,
    Pruned,
    Unknown,
    build,
    decode,
    leaves,
    lookup,
    lookup_value,
    prune,
)
from support import hash_trees

# "error" in the vectors is the specification's Error: the path ends above other labels.
STATUS = {Found: "found", FoundSubtree: "error", Absent: "absent", Unknown: "unknown"}


def as_vector(result: LookupResult) -> dict[str, str]:
    status = {"status": STATUS[type(result)]}
    return status | {"value_hex": result.value.hex()} if isinstance(result, Found) else status


class TestSpecification:
    """Interface specification, "Lookup"."""

    def test_vectors(self, vectors) -> None:
        """If @dfinity/agent 2.4.1 deviates, we follow the specification."""
        looked_up = differing = 0
        for entry in vectors("hashtrees")["trees"]:
            tree = decode(bytes.fromhex(entry["cbor_hex"]))
            for case in entry["lookups"]:
                result = lookup(tree, [bytes.fromhex(label) for label in case["path_hex"]])
                assert as_vector(result) == case["expected"], (entry["id"], case["path_text"])
                looked_up += 1
                differing += "dfinity_agent_js" in case and case["dfinity_agent_js"] != case["expected"]
        statistics = vectors("hashtrees")["statistics"]
        assert looked_up == statistics["lookups"] == 166
        assert differing >= statistics["lookups_where_dfinity_agent_js_differs_from_spec"] == 26

    @given(hash_trees.trees, hash_trees.paths)
    def test_lookups_in_any_tree_are_as_specified(self, tree, path) -> None:
        assert lookup(tree, path) == hash_trees.specified_lookup(tree, path)

    @given(hash_trees.states, hash_trees.paths)
    def test_nothing_is_unknown_in_an_unpruned_tree(self, state, path) -> None:
        node = state
        for label in path:
            node = node.get(label) if isinstance(node, dict) else None
        result = lookup(build(state), path)
        if node is None or node == {}:
            assert result == Absent()
        elif isinstance(node, dict):
            assert result == FoundSubtree(build(node))
        else:
            assert result == Found(node)


class TestAbsence:
    TREE = Fork(Fork(Labeled(b"b", Leaf(b"1")), Pruned(bytes(32))), Labeled(b"f", Pruned(bytes(32))))

    @pytest.mark.parametrize(
        ("label", "result"),
        [
            (b"a", Absent()),
            (b"b", Found(b"1")),
            (b"c", Unknown()),
            (b"f", Unknown()),
            (b"g", Absent()),
        ],
    )
    def test_needs_adjacent_neighbours(self, label, result) -> None:
        assert lookup(self.TREE, [label]) == result

    def test_neighbours_are_adjacent_across_an_empty_tree(self) -> None:
        tree = Fork(Labeled(b"a", Leaf(b"")), Fork(Empty(), Labeled(b"c", Leaf(b""))))
        assert lookup(tree, [b"b"]) == Absent()

    def test_nothing_is_below_a_value(self) -> None:
        assert lookup(Labeled(b"a", Leaf(b"1")), [b"a", b"b"]) == Absent()

    def test_a_leaf_beside_a_pruned_tree_proves_nothing(self) -> None:
        assert lookup(Fork(Leaf(b"1"), Pruned(bytes(32))), [b"a"]) == Unknown()


@pytest.mark.parametrize("paths", [(b"a", b"b"), [b"a"], ["a"]])
def test_a_path_in_place_of_a_list_of_paths_is_named(paths) -> None:
    with pytest.raises(ArgumentTypeError, match="a list of paths"):
        prune(build({b"a": {b"b": b"1"}}), paths)


@pytest.mark.parametrize("tree", [build({b"a": b"1"}), build({b"a": b"1", b"b": b"2"})])
def test_a_label_that_is_text_is_named(tree) -> None:
    with pytest.raises(ArgumentTypeError, match="labels of a path are bytes"):
        lookup(tree, ["a"])


class TestConveniences:
    def test_lookup_value(self) -> None:
        tree = build({b"a": {b"b": b"1"}})
        assert lookup_value(tree, [b"a", b"b"]) == b"1"
        assert lookup_value(tree, [b"a"]) is None
        assert lookup_value(tree, [b"b"]) is None

    def test_leaves(self) -> None:
        tree = build({b"b": b"2", b"a": {b"y": b"1", b"x": b"0"}, b"c": {}})
        assert list(leaves(tree)) == [((b"a", b"x"), b"0"), ((b"a", b"y"), b"1"), ((b"b",), b"2")]

    def test_many_lookups_walk_the_witness_once(self, monkeypatch) -> None:
        tree = build({b"websocket": {b"%020d" % number: b"" for number in range(1000)}})
        lookup(tree, [b"websocket", b"0"])
        monkeypatch.setattr("icws_explore.protocol.hashtree.nodes.flatten", None)
        found = [lookup(tree, [b"websocket", b"%020d" % number]) for number in range(50)]
        assert found == [Found(b"")] * 50
