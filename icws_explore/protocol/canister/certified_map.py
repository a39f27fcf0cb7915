"""The map that a canister certifies: message key to SHA-256 of the content, under ``websocket``.

It has exactly the shape of the MerkleTree of the Motoko library ic-certification, which the Motoko
CDK uses, so root hashes and witnesses are the same byte for byte. The shape follows from the set of
keys alone: a binary radix tree over the bits of the keys, in which

- keys that agree up to a bit part there: ``Fork(those with 0, those with 1)``;
- a key that is a prefix of others stands before them: ``Fork(its label, the others)``.

The map is persistent: insert and remove give a new map that shares all but one path with the old
one. A canister that traps goes back to the old map, and a capture can keep every one it has seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeAlias

from ..constants import WEBSOCKET_LABEL
from ..hashtree import Empty, Fork, HashTree, Labeled, Leaf, Pruned


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """One key, and the keys that it is a proper prefix of."""

    key: bytes
    value: bytes
    longer: _Node | None
    here: Labeled
    tree: HashTree

    @property
    def bits(self) -> int:
        return 8 * len(self.key)


@dataclass(frozen=True, slots=True, eq=False)
class _Branch:
    """Keys that agree in their first ``bits`` bits and part at the next; ``key`` is one of them."""

    key: bytes
    bits: int
    zero: _Node
    one: _Node
    tree: HashTree


_Node: TypeAlias = _Entry | _Branch
# The way down to a place: each node passed, and whether the way went on to the right of it.
_Way: TypeAlias = list[tuple[_Node, bool]]


@dataclass(frozen=True, slots=True, eq=False)
class CertifiedMap:
    """An immutable map from bytes to bytes with a root hash. All costs are logarithmic in its size."""

    label: bytes = WEBSOCKET_LABEL
    _root: _Node | None = field(default=None, repr=False)
    _size: int = field(default=0, repr=False)

    @property
    def root_hash(self) -> bytes:
        """What the canister sets as certified data."""
        return self.tree.digest

    @property
    def tree(self) -> HashTree:
        """The whole hash tree, nothing pruned."""
        return Labeled(self.label, Empty() if self._root is None else self._root.tree)

    def get(self, key: bytes) -> bytes | None:
        """The value at ``key``, None if there is none."""
        node = _find(self._root, key)[1]
        return node.value if isinstance(node, _Entry) and node.key == key else None

    def insert(self, key: bytes, value: bytes) -> CertifiedMap:
        """A map that has ``value`` at ``key``, in place of what was there."""
        way, node = _find(self._root, key)
        if isinstance(node, _Entry) and node.key == key:
            return self._changed(way, _entry(key, value, node.longer), self._size)
        return self._changed(way, _beside(key, value, node), self._size + 1)

    def remove(self, key: bytes) -> CertifiedMap:
        """A map without ``key``; this very map if it is not there."""
        way, node = _find(self._root, key)
        if not isinstance(node, _Entry) or node.key != key:
            return self
        return self._changed(way, node.longer, self._size - 1)

    def _changed(self, way: _Way, new: _Node | None, size: int) -> CertifiedMap:
        """This map with ``new`` at the end of ``way``; a branch with one side left gives way to it."""
        for node, right in reversed(way):
            if isinstance(node, _Entry):
                new = _entry(node.key, node.value, new)
            elif new is None:
                new = node.zero if right else node.one
            else:
                new = _branch(node.bits, node.zero, new) if right else _branch(node.bits, new, node.one)
        return CertifiedMap(self.label, new, size)

    def witness(self, keys: Iterable[bytes]) -> HashTree:
        """The tree with only ``keys`` to be seen.

        A key that is not in the map is proved absent by the labels before and after it, their values
        pruned. Without keys nothing but the outer label and a hash is shown.
        """
        if self._root is None:
            return self.tree
        full: set[bytes] = set()
        named: set[bytes] = set()
        for key in keys:
            if key in self:
                full.add(key)
            else:
                named.update(_neighbours(self._root, key))
        return Labeled(self.label, _shown(self._root, full, named))

    def __len__(self) -> int:
        return self._size

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self.get(key) is not None

    def __iter__(self) -> Iterator[bytes]:
        """The keys in ascending order."""
        stack = [] if self._root is None else [self._root]
        while stack:
            node = stack.pop()
            if isinstance(node, _Branch):
                stack += [node.one, node.zero]
                continue
            yield node.key
            if node.longer is not None:
                stack.append(node.longer)

    def __repr__(self) -> str:
        return f"CertifiedMap({len(self)} keys under {self.label!r}, root hash {self.root_hash.hex()})"


def _entry(key: bytes, value: bytes, longer: _Node | None) -> _Entry:
    here = Labeled(key, Leaf(value))
    return _Entry(key, value, longer, here, here if longer is None else Fork(here, longer.tree))


def _branch(bits: int, zero: _Node, one: _Node) -> _Branch:
    return _Branch(zero.key, bits, zero, one, Fork(zero.tree, one.tree))


def _shared_bits(a: bytes, b: bytes) -> int:
    """In how many bits from the start the two agree."""
    size = min(len(a), len(b))
    a, b = a[:size], b[:size]
    differing = 0 if a == b else int.from_bytes(a, "big") ^ int.from_bytes(b, "big")
    return 8 * size - differing.bit_length()


def _bit(key: bytes, index: int) -> bool:
    return bool(key[index // 8] >> (7 - index % 8) & 1)


def _find(root: _Node | None, key: bytes) -> tuple[_Way, _Node | None]:
    """The way to the place of ``key``, and what is there.

    That is the entry of ``key``; or the node whose keys part from ``key`` (or begin with it), where
    ``key`` would have to come beside (or above) it; or None.
    """
    way: _Way = []
    node = root
    while node is not None and _shared_bits(key, node.key) >= node.bits < 8 * len(key):
        if isinstance(node, _Entry):
            way.append((node, True))
            node = node.longer
        else:
            right = _bit(key, node.bits)
            way.append((node, right))
            node = node.one if right else node.zero
    return way, node


def _beside(key: bytes, value: bytes, node: _Node | None) -> _Node:
    """A new entry for ``key`` and, at its proper side or under it, ``node``."""
    if node is None:
        return _entry(key, value, None)
    shared = _shared_bits(key, node.key)
    if shared == 8 * len(key):
        return _entry(key, value, node)
    new = _entry(key, value, None)
    return _branch(shared, node, new) if _bit(key, shared) else _branch(shared, new, node)


def _neighbours(root: _Node, key: bytes) -> set[bytes]:
    """The keys right before and after ``key``, which is not in the map: two, or one at an end."""
    way, node = _find(root, key)
    before = after = None
    if node is not None and node.key < key:
        before = _last(node)
    elif node is not None:
        after = _first(node)
    for above, right in reversed(way):
        if isinstance(above, _Entry):
            before = above.key if before is None else before
        elif right:
            before = _last(above.zero) if before is None else before
        else:
            after = _first(above.one) if after is None else after
    return {neighbour for neighbour in (before, after) if neighbour is not None}


def _first(node: _Node) -> bytes:
    while isinstance(node, _Branch):
        node = node.zero
    return node.key


def _last(node: _Node) -> bytes:
    while True:
        below = node.one if isinstance(node, _Branch) else node.longer
        if below is None:
            return node.key
        node = below


def _shown(root: _Node, full: AbstractSet[bytes], named: AbstractSet[bytes]) -> HashTree:
    """The tree of ``root`` with the keys ``full`` in full, ``named`` by name only, all else pruned."""
    seen: dict[int, _Node] = {}
    for key in full | named:
        way, node = _find(root, key)
        for passed in [*(above for above, _ in way), node]:
            if passed is not None:
                seen.setdefault(id(passed), passed)
    shown: dict[int, HashTree] = {}

    def part(node: _Node) -> HashTree:
        return shown[id(node)] if id(node) in shown else Pruned(node.tree.digest)

    # Each way was recorded from the top down and ways only part, so backwards is from the bottom up.
    for node in reversed(seen.values()):
        if isinstance(node, _Branch):
            shown[id(node)] = Fork(part(node.zero), part(node.one))
            continue
        here: HashTree = node.here
        if node.key not in full:
            here = Labeled(node.key, Pruned(node.here.tree.digest)) if node.key in named else Pruned(here.digest)
        shown[id(node)] = here if node.longer is None else Fork(here, part(node.longer))
    return part(root)
