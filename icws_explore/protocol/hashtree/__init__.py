"""Hash trees, with which the Internet Computer proves a part of a state by a single hash.

Source: interface specification, "Certification". Nodes are immutable and know their hash. Decoding is
strict. A lookup distinguishes a value that is provably absent from one that was pruned.
"""

from __future__ import annotations

from .codec import MAX_DEPTH, MAX_NODES, MAX_SIZE, decode, encode, from_cbor, to_cbor
from .nodes import Empty, Forest, Fork, HashTree, Labeled, Leaf, Pruned, disorder, flatten, forest_of, walk
from .paths import (
    Absent,
    Found,
    FoundSubtree,
    LookupResult,
    Nested,
    Path,
    Unknown,
    build,
    leaves,
    lookup,
    lookup_value,
    prune,
)

__all__ = [
    "MAX_DEPTH",
    "MAX_NODES",
    "MAX_SIZE",
    "Absent",
    "Empty",
    "Forest",
    "Fork",
    "Found",
    "FoundSubtree",
    "HashTree",
    "Labeled",
    "Leaf",
    "LookupResult",
    "Nested",
    "Path",
    "Pruned",
    "Unknown",
    "build",
    "decode",
    "disorder",
    "encode",
    "flatten",
    "forest_of",
    "from_cbor",
    "leaves",
    "lookup",
    "lookup_value",
    "prune",
    "root_hash",
    "to_cbor",
    "walk",
]


def root_hash(tree: HashTree) -> bytes:
    """The hash of the whole tree (32 bytes). Pruning does not change it."""
    return tree.digest
