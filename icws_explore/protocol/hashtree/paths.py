"""Looking up a path: found, a subtree, provably absent, or unknown because it was pruned away.

Source: interface specification, "Lookup". @dfinity/agent 2.4.1 answers differently in three ways: it
compares labels in another order, it stops at an empty tree inside a fork, and it misses a label when
an earlier one is a proper prefix of it. Trees that replicas and the CDKs make do not bring it there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .nodes import Empty, HashTree, Leaf, Pruned, forest_of, walk


@dataclass(frozen=True, slots=True)
class Found:
    """The path ends at a leaf with ``value``."""

    value: bytes


@dataclass(frozen=True, slots=True)
class FoundSubtree:
    """The path ends at labels below it, not at a value (the specification's ``Error``)."""

    tree: HashTree


@dataclass(frozen=True, slots=True)
class Absent:
    """Whoever certified this root hash certified that nothing is at the path."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The part of the tree that would tell was pruned."""


LookupResult: TypeAlias = Found | FoundSubtree | Absent | Unknown

_ABSENT = Absent()
_UNKNOWN = Unknown()


def lookup(tree: HashTree, path: Sequence[bytes]) -> LookupResult:
    """What ``tree`` says of ``path``; never raises, whatever the tree."""
    node = tree
    for label in path:
        forest = forest_of(node)
        below = forest.get(label)
        if below is None:
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


def lookup_value(tree: HashTree, path: Sequence[bytes]) -> bytes | None:
    """The value at ``path``, None for every other answer."""
    result = lookup(tree, path)
    return result.value if isinstance(result, Found) else None


def leaves(tree: HashTree) -> Iterator[tuple[tuple[bytes, ...], bytes]]:
    """Every value that can be seen, with its path, from left to right."""
    for path, node, _ in walk(tree):
        if isinstance(node, Leaf):
            yield path, node.value
