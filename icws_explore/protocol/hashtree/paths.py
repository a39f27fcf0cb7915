"""Looking up paths in hash trees, building trees, and pruning them to witnesses.

Lookup. Source: interface specification, "Lookup". A path is found, leads to a subtree, is provably
absent, or unknown because the place was pruned. @dfinity/agent 2.4.1 deviates in four points:

* it compares labels in another order than byte by byte;
* it stops at an empty tree inside a fork;
* it misses a label if an earlier label is a proper prefix of it;
* at the end of the path it reports any node as found, also an empty or a pruned one.

Trees made by replicas and by the CDKs do not show these differences.

Witnesses. A witness has the root hash of the whole tree and shows only what is needed: for a path that
exists, its value or subtree; for a path that does not, the two labels between which it would be.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import ArgumentTypeError
from .codec import check_depth
from .nodes import Empty, Fork, HashTree, Labeled, Leaf, Pruned, forest_of, walk


@dataclass(frozen=True, slots=True)
class Found:
    """The path ends at a leaf with ``value``."""

    value: bytes


@dataclass(frozen=True, slots=True)
class FoundSubtree:
    """The path exists, but ends at labels instead of a value (the specification's ``Error``)."""

    tree: HashTree


@dataclass(frozen=True, slots=True)
class Absent:
    """The tree proves that nothing is at the path."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The part of the tree that could contain the path was pruned."""


LookupResult: TypeAlias = Found | FoundSubtree | Absent | Unknown

_ABSENT = Absent()
_UNKNOWN = Unknown()


def lookup(tree: HashTree, path: Sequence[bytes]) -> LookupResult:
    """Look up ``path``. Never raises, whatever the tree; ArgumentTypeError for a path that is not labels (bytes)."""
    node = tree
    for label in path:
        if isinstance(node, Labeled):  # one label proves the absence of all others
            if node.label != label:
                _check_label(label)
                return _ABSENT
            node = node.tree
            continue
        forest = forest_of(node)
        below = forest.get(label)
        if below is None:
            _check_label(label)
            return _ABSENT if forest.proves_absent(label) else _UNKNOWN
        node = below
    match node:
        case Leaf(value):
            return Found(value)
        case Pruned():
            return _UNKNOWN
        case Empty():
            return _ABSENT
        case _:
            return FoundSubtree(node)


def _check_label(label: Any) -> None:
    if not isinstance(label, bytes):
        raise ArgumentTypeError(f"the labels of a path are bytes, as in (b'fruit', b'plum'), not {label!r:.40}")


def lookup_value(tree: HashTree, path: Sequence[bytes]) -> bytes | None:
    """The value at ``path``, None for every other result."""
    result = lookup(tree, path)
    return result.value if isinstance(result, Found) else None


def leaves(tree: HashTree) -> Iterator[tuple[tuple[bytes, ...], bytes]]:
    """Every value shown, with its path, from left to right."""
    for path, node, _ in walk(tree):
        if isinstance(node, Leaf):
            yield path, node.value


Nested: TypeAlias = bytes | Mapping[bytes, "Nested"]
Path: TypeAlias = Sequence[bytes]


def build(content: Nested) -> HashTree:
    """Build a tree: labels in ascending order, forks paired level by level as a replica pairs them.

    Bytes become a leaf, an empty mapping an empty tree.
    """
    if not isinstance(content, Mapping):
        return Leaf(content)
    row: list[HashTree] = [Labeled(label, build(content[label])) for label in sorted(content)]
    while len(row) > 1:
        paired: list[HashTree] = [Fork(a, b) for a, b in zip(row[::2], row[1::2], strict=False)]
        row = paired + row[len(paired) * 2 :]
    return row[0] if row else Empty()


def prune(tree: HashTree, paths: Iterable[Path]) -> HashTree:
    """The witness of a well-formed ``tree`` for ``paths``. It has the same root hash.

    A lookup of any of the paths has the same result in the witness as in ``tree``. Raises ArgumentTypeError for a
    path that is no sequence of labels (bytes), and ArgumentValueError for a tree deeper than codec.MAX_DEPTH.
    """
    check_depth(tree)
    wanted: list[tuple[bytes, ...]] = []
    path: Any  # what the caller gave
    for path in paths:
        labels = () if isinstance(path, (bytes, str)) else tuple(path)
        if isinstance(path, (bytes, str)) or not all(isinstance(label, bytes) for label in labels):
            raise ArgumentTypeError("paths is a list of paths, each a tuple of labels: [(b'fruit', b'plum')]")
        wanted.append(labels)
    return _witness(tree, wanted)


def _witness(tree: HashTree, paths: list[tuple[bytes, ...]]) -> HashTree:
    if not paths:
        return Pruned(tree.digest)
    if () in paths or not isinstance(tree, Fork | Labeled):
        return tree
    forest = forest_of(tree)
    labels = sorted(forest.labels)
    # A label that is kept without paths of its own is a neighbour. It proves an absence.
    kept: dict[bytes, list[tuple[bytes, ...]]] = {}
    for path in paths:
        if forest.get(path[0]) is not None:
            kept.setdefault(path[0], []).append(path[1:])
            continue
        at = bisect_left(labels, path[0])
        for neighbour in labels[max(at - 1, 0) : at + 1]:
            kept.setdefault(neighbour, [])
    cut = _cut(tree, kept)
    return Pruned(tree.digest) if cut is None else cut


def _cut(tree: HashTree, kept: Mapping[bytes, list[tuple[bytes, ...]]]) -> HashTree | None:
    """``tree`` with only the labels in ``kept``; None if it contains none of them."""
    if isinstance(tree, Labeled):
        return Labeled(tree.label, _witness(tree.tree, kept[tree.label])) if tree.label in kept else None
    if not isinstance(tree, Fork):
        return None
    left, right = _cut(tree.left, kept), _cut(tree.right, kept)
    if left is None and right is None:
        return None
    return Fork(left or _rest(tree.left), right or _rest(tree.right))


def _rest(tree: HashTree) -> HashTree:
    # An empty tree is kept. Pruned, it could contain labels, and an absence would no longer be proved.
    return tree if _is_bare(tree) else Pruned(tree.digest)


def _is_bare(tree: HashTree) -> bool:
    return isinstance(tree, Empty) or (isinstance(tree, Fork) and _is_bare(tree.left) and _is_bare(tree.right))
