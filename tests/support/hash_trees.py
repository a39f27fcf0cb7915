"""Random hash trees, and lookup written as in the interface specification."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from icws_explore.protocol.hashtree import (
    Absent,
    Empty,
    Fork,
    Found,
    FoundSubtree,
    HashTree,
    Labeled,
    Leaf,
    LookupResult,
    Pruned,
    Unknown,
)

# Few letters, so that labels are often equal, prefixes of each other, or neighbours.
labels = st.text("abc", max_size=3).map(str.encode)
paths = st.lists(labels, max_size=3).map(tuple)
digests = st.binary(min_size=32, max_size=32)

# States: nested mappings with values at the ends.
contents = st.recursive(st.binary(max_size=4), lambda below: st.dictionaries(labels, below, max_size=6), max_leaves=12)
states = st.dictionaries(labels, contents, max_size=8)

# Trees as hostile bytes can hold them: any nodes in any order, well-formed or not.
trees: st.SearchStrategy[HashTree] = st.recursive(
    st.one_of(st.just(Empty()), st.builds(Leaf, st.binary(max_size=4)), st.builds(Pruned, digests)),
    lambda below: st.one_of(st.builds(Fork, below, below), st.builds(Labeled, labels, below)),
    max_leaves=12,
)


def from_vector(node: list[Any]) -> HashTree:
    """A tree as tests/vectors/hashtrees.json writes it."""
    match node:
        case ["empty"]:
            return Empty()
        case ["fork", left, right]:
            return Fork(from_vector(left), from_vector(right))
        case ["labeled", label, below]:
            return Labeled(bytes.fromhex(label), from_vector(below))
        case ["leaf", value]:
            return Leaf(bytes.fromhex(value))
        case ["pruned", digest]:
            return Pruned(bytes.fromhex(digest))
        case _:
            raise AssertionError(node)


def specified_lookup(tree: HashTree, path: tuple[bytes, ...]) -> LookupResult:
    """``lookup_path`` of the interface specification, rule by rule."""
    if path:
        found = _find_label(path[0], _flatten_forks(tree))
        return specified_lookup(found, path[1:]) if not isinstance(found, Absent | Unknown) else found
    match tree:
        case Empty():
            return Absent()
        case Leaf(value):
            return Found(value)
        case Pruned():
            return Unknown()
        case _:
            return FoundSubtree(tree)


def _flatten_forks(tree: HashTree) -> list[HashTree]:
    match tree:
        case Empty():
            return []
        case Fork(left, right):
            return _flatten_forks(left) + _flatten_forks(right)
        case _:
            return [tree]


def _find_label(label: bytes, trees: list[HashTree]) -> HashTree | Absent | Unknown:
    for tree in trees:
        if isinstance(tree, Labeled) and tree.label == label:
            return tree.tree
    for before, after in pairwise(trees):
        if isinstance(before, Labeled) and isinstance(after, Labeled) and before.label < label < after.label:
            return Absent()
    if trees and isinstance(trees[0], Labeled) and label < trees[0].label:
        return Absent()
    if trees and isinstance(trees[-1], Labeled) and trees[-1].label < label:
        return Absent()
    if not trees or (len(trees) == 1 and isinstance(trees[0], Leaf)):
        return Absent()
    return Unknown()
