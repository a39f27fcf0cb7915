"""The five nodes of a hash tree, each with its hash.

Source: interface specification, "Certification": SHA-256 over a domain separator (its length in one
byte, then its text) and the parts. A node computes its hash when it is made. Its children exist by
then, so hashing needs no recursion, and a tree that shares parts with another (as in
`canister.certified_map`) computes only the hashes of its new nodes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import Final, TypeAlias


def _separator(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("ascii")


EMPTY_DIGEST: Final = sha256(_separator("ic-hashtree-empty")).digest()
_FORK: Final = _separator("ic-hashtree-fork")
_LABELED: Final = _separator("ic-hashtree-labeled")
_LEAF: Final = _separator("ic-hashtree-leaf")


@dataclass(frozen=True, slots=True)
class Empty:
    """A tree without labels and without a value."""

    digest: bytes = field(default=EMPTY_DIGEST, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Fork:
    """Two trees side by side; the labels on the left sort before those on the right."""

    left: HashTree
    right: HashTree
    digest: bytes = field(init=False, repr=False, compare=False)
    _forest: Forest | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _set(self, "digest", sha256(_FORK + self.left.digest + self.right.digest).digest())

    @property
    def forest(self) -> Forest:
        """The labels below, indexed at the first lookup, so that many lookups walk the tree once."""
        if self._forest is not None:
            return self._forest
        forest = Forest(flatten(self))
        _set(self, "_forest", forest)
        return forest


@dataclass(frozen=True, slots=True)
class Labeled:
    """A tree under a label."""

    label: bytes
    tree: HashTree
    digest: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _set(self, "digest", sha256(_LABELED + self.label + self.tree.digest).digest())


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value."""

    value: bytes
    digest: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _set(self, "digest", sha256(_LEAF + self.value).digest())


@dataclass(frozen=True, slots=True)
class Pruned:
    """A tree of which only the hash (32 bytes) is shown."""

    digest: bytes


HashTree: TypeAlias = Empty | Fork | Labeled | Leaf | Pruned

_set = object.__setattr__  # the nodes are frozen for everyone else


class Forest:
    """The trees side by side under one path: the specification's ``flatten_forks``, with an index.

    ``items`` holds no fork and no empty tree. ``in_order`` is True if the labels ascend strictly and no
    leaf is beside them, which the specification requires of well-formed trees.
    """

    __slots__ = ("_by_label", "_labels", "_places", "in_order", "items")

    def __init__(self, items: list[HashTree]) -> None:
        self.items = items
        self._by_label: dict[bytes, HashTree] = {}
        self._labels: list[bytes] = []
        self._places: list[int] = []
        for place, item in enumerate(items):
            if isinstance(item, Labeled):
                self._by_label.setdefault(item.label, item.tree)
                self._labels.append(item.label)
                self._places.append(place)
        ascending = all(a < b for a, b in pairwise(self._labels))
        self.in_order = ascending and (len(items) == 1 or not any(isinstance(item, Leaf) for item in items))

    @property
    def labels(self) -> list[bytes]:
        """The labels shown, from left to right."""
        return list(self._labels)

    def get(self, label: bytes) -> HashTree | None:
        """The tree under ``label``, None if the label is not shown."""
        return self._by_label.get(label)

    def proves_absent(self, label: bytes) -> bool:
        """Whether no tree with this root hash can have ``label`` here: nothing is between its neighbours.

        These are the rules of the specification's ``find_label`` after the first. Call it for labels
        that were not found.
        """
        if not self._labels:
            return not self.items or (len(self.items) == 1 and isinstance(self.items[0], Leaf))
        if self.in_order:
            after = bisect_left(self._labels, label)
            left = self._places[after - 1] if after else -1
            right = self._places[after] if after < len(self._labels) else len(self.items)
            return right == left + 1
        return self._absent_in_disorder(label)

    def _absent_in_disorder(self, label: bytes) -> bool:
        first, last = self.items[0], self.items[-1]
        if isinstance(first, Labeled) and label < first.label:
            return True
        if isinstance(last, Labeled) and last.label < label:
            return True
        return any(
            isinstance(a, Labeled) and isinstance(b, Labeled) and a.label < label < b.label
            for a, b in pairwise(self.items)
        )


def forest_of(tree: HashTree) -> Forest:
    """The trees side by side at the top of ``tree``."""
    if isinstance(tree, Fork):
        return tree.forest
    return Forest([] if isinstance(tree, Empty) else [tree])


def flatten(tree: HashTree) -> list[HashTree]:
    """The trees that the forks at the top of ``tree`` join, from left to right, without empty trees."""
    found: list[HashTree] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, Fork):
            stack.append(node.right)
            stack.append(node.left)
        elif not isinstance(node, Empty):
            found.append(node)
    return found


def walk(tree: HashTree) -> Iterator[tuple[tuple[bytes, ...], HashTree, int]]:
    """Every node in depth-first order, as (path of labels, node, depth in nodes from the root)."""
    stack: list[tuple[tuple[bytes, ...], HashTree, int]] = [((), tree, 0)]
    while stack:
        path, node, depth = stack.pop()
        yield path, node, depth
        if isinstance(node, Fork):
            stack.append((path, node.right, depth + 1))
            stack.append((path, node.left, depth + 1))
        elif isinstance(node, Labeled):
            stack.append(((*path, node.label), node.tree, depth + 1))


def disorder(tree: HashTree) -> tuple[bytes, ...] | None:
    """The path under which ``tree`` is not well-formed (interface specification), None if it is well-formed.

    If labels do not ascend, the same label can be both found and proved absent.
    """
    stack: list[HashTree] = [tree]
    while stack:
        node = stack.pop()
        while isinstance(node, Labeled):  # one label is in order
            node = node.tree
        if isinstance(node, Fork):
            forest = node.forest
            if not forest.in_order:
                return next(path for path, each, _ in walk(tree) if each is node)
            stack.extend(item.tree for item in forest.items if isinstance(item, Labeled))
    return None
