"""The map that a canister certifies: message key to SHA-256 of the content, under ``websocket``.

The map has the shape of the MerkleTree of the Motoko library ic-certification, which the Motoko CDK
uses, so its root hashes and witnesses are equal byte for byte. The map is a binary radix tree over the
bits of the keys, and the set of keys alone determines its shape:

- Keys that differ first at some bit are split there: ``Fork(keys with 0, keys with 1)``.
- A key that is a prefix of other keys comes before them: ``Fork(its label, the other keys)``.

The map is persistent: `insert` and `remove` return a new map that shares all but one path with the old
map. A canister that traps returns to the old map, and a recording can keep every map it has seen.

The lab's replica keeps the growing parts of its certified state in such maps, too. There the values are hash trees.
A tree for keys of equal length makes a witness in half the time: 30 µs instead of 55 µs for one of 10,000 requests.
The BLS signature of the certificate takes 160 µs, so one map serves both. Inserting takes 12 µs among 10,000 keys, and
the hashes on its path another 25 µs. They wait until the root hash or a witness is asked for: a busy replica inserts
many times between two certificates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TypeAlias

from ..constants import WEBSOCKET_LABEL
from ..hashtree import Empty, Fork, HashTree, Labeled, Leaf, Path, Pruned, prune


class _Entry:
    """One key, and the longer keys that begin with it. Only ``known`` ever changes, from None to the hash tree."""

    __slots__ = ("bits", "here", "key", "known", "longer")

    def __init__(self, here: Labeled, longer: _Node | None) -> None:
        self.key = here.label
        self.bits = 8 * len(here.label)
        self.longer = longer
        self.here = here  # the key's label and what is below it
        self.known: HashTree | None = here if longer is None else None


class _Branch:
    """Keys that agree in their first ``bits`` bits and differ in the next bit; ``key`` is any one of them."""

    __slots__ = ("bits", "key", "known", "one", "zero")

    def __init__(self, bits: int, zero: _Node, one: _Node) -> None:
        self.key: bytes = zero.key
        self.bits = bits
        self.zero = zero
        self.one = one
        self.known: HashTree | None = None


_Node: TypeAlias = _Entry | _Branch
# The nodes from the root down to a place, each with whether the path continues to its right.
_Steps: TypeAlias = list[tuple[_Node, bool]]


@dataclass(frozen=True, slots=True, eq=False)
class CertifiedMap:
    """An immutable map from bytes to bytes or hash trees.

    An operation visits the nodes on the paths to its keys: on average about log2(n) of n random keys, and never more
    than a key has bits.
    """

    label: bytes = WEBSOCKET_LABEL
    _root: _Node | None = field(default=None, repr=False)
    _size: int = field(default=0, repr=False)

    @property
    def root_hash(self) -> bytes:
        """The 32 bytes that the canister sets as its certified data."""
        return self.tree.digest

    @property
    def tree(self) -> Labeled:
        """The whole hash tree, with nothing pruned."""
        return Labeled(self.label, Empty() if self._root is None else _tree(self._root))

    def get(self, key: bytes) -> bytes | None:
        """The value at ``key``; None if there is none, or if it is a hash tree."""
        entry = self._entry_of(key)
        return entry.here.tree.value if entry is not None and isinstance(entry.here.tree, Leaf) else None

    def insert(self, key: bytes, value: bytes | HashTree) -> CertifiedMap:
        """A map with ``value`` at ``key``; it replaces an earlier value."""
        steps, node = _find(self._root, key)
        here = Labeled(key, Leaf(value) if isinstance(value, bytes) else value)
        if isinstance(node, _Entry) and node.key == key:
            return self._changed(steps, _Entry(here, node.longer), self._size)
        return self._changed(steps, _beside(here, node), self._size + 1)

    def remove(self, key: bytes) -> CertifiedMap:
        """A map without ``key``; the same map if it has no such key."""
        steps, node = _find(self._root, key)
        if not isinstance(node, _Entry) or node.key != key:
            return self
        return self._changed(steps, node.longer, self._size - 1)

    def _changed(self, steps: _Steps, new: _Node | None, size: int) -> CertifiedMap:
        """This map with ``new`` at the end of ``steps``. A branch with only one side left is replaced by that side."""
        for node, right in reversed(steps):
            if isinstance(node, _Entry):
                new = _Entry(node.here, new)
            elif new is None:
                new = node.zero if right else node.one
            else:
                new = _Branch(node.bits, node.zero, new) if right else _Branch(node.bits, new, node.one)
        return CertifiedMap(self.label, new, size)

    def witness(self, keys: Iterable[bytes]) -> HashTree:
        """The tree with everything pruned except ``keys``.

        The labels before and after an absent key, with their values pruned, prove that it is absent.
        Without keys the witness holds only the outer label and a hash.
        """
        return self.prune((key,) for key in keys)

    def prune(self, paths: Iterable[Path]) -> HashTree:
        """The tree with everything pruned except ``paths``: a key each, and the labels below it (none: all of them)."""
        if self._root is None:
            return self.tree
        full: dict[bytes, list[Path]] = {}
        named: set[bytes] = set()
        for path in paths:
            if not path:
                return self.tree
            if path[0] in self:
                full.setdefault(path[0], []).append(path[1:])
            else:
                named.update(_neighbours(self._root, path[0]))
        return Labeled(self.label, _shown(self._root, full, named))

    def _entry_of(self, key: bytes) -> _Entry | None:
        node = _find(self._root, key)[1]
        return node if isinstance(node, _Entry) and node.key == key else None

    def __len__(self) -> int:
        return self._size

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self._entry_of(key) is not None

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


def _tree(root: _Node) -> HashTree:
    """The hash tree of a node and everything below it, unpruned. What an earlier call made is not made again.

    A chain of keys that begin with each other is as deep as it is long, so this does not call itself.
    """
    stack = [root]
    while root.known is None:
        node = stack[-1]
        if isinstance(node, _Branch):
            left, right = node.zero.known, node.one.known
            if left is not None and right is not None:
                node.known = Fork(left, right)
                stack.pop()
            else:
                stack.append(node.zero if left is None else node.one)
            continue
        assert node.longer is not None  # else its tree is known from the beginning
        if node.longer.known is None:
            stack.append(node.longer)
        else:
            node.known = Fork(node.here, node.longer.known)
            stack.pop()
    return root.known


def _shared_bits(a: bytes, b: bytes) -> int:
    """The number of leading bits that two keys have in common."""
    size = min(len(a), len(b))
    a, b = a[:size], b[:size]
    differing = 0 if a == b else int.from_bytes(a, "big") ^ int.from_bytes(b, "big")
    return 8 * size - differing.bit_length()


def _bit(key: bytes, index: int) -> bool:
    return bool(key[index // 8] >> (7 - index % 8) & 1)


def _find(root: _Node | None, key: bytes) -> tuple[_Steps, _Node | None]:
    """The path to the place of ``key``, and the node at that place.

    The node is the entry of ``key``; or a node whose keys differ from ``key`` (``key`` belongs beside
    it) or begin with ``key`` (``key`` belongs above it); or None.
    """
    end = 8 * len(key)
    steps: _Steps = []
    node = near = root
    while node is not None and node.bits < end:
        near = node
        if isinstance(node, _Entry):
            steps.append((node, True))
            node = node.longer
        else:
            right = _bit(key, node.bits)
            steps.append((node, right))
            node = node.one if right else node.zero
    # All keys on the way down agree with `near` up to the bits that were looked at. So one comparison tells where `key`
    # has left the path.
    near = node or near
    shared = end if near is None else _shared_bits(key, near.key)
    while steps and steps[-1][0].bits > shared:
        node = steps.pop()[0]
    return steps, node


def _beside(here: Labeled, node: _Node | None) -> _Node:
    """A new entry for ``here``, with ``node`` beside it or below it."""
    if node is None:
        return _Entry(here, None)
    shared = _shared_bits(here.label, node.key)
    if shared == 8 * len(here.label):
        return _Entry(here, node)
    new = _Entry(here, None)
    return _Branch(shared, node, new) if _bit(here.label, shared) else _Branch(shared, new, node)


def _neighbours(root: _Node, key: bytes) -> set[bytes]:
    """The keys directly before and after ``key``, which is not in the map. At an end there is only one."""
    steps, node = _find(root, key)
    before = after = None
    if node is not None and node.key < key:
        before = _last(node)
    elif node is not None:
        after = _first(node)
    for above, right in reversed(steps):
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


def _shown(root: _Node, full: Mapping[bytes, list[Path]], named: AbstractSet[bytes]) -> HashTree:
    """The tree of ``root`` with the paths of ``full``, only the labels of ``named``, and the rest pruned."""
    seen: dict[int, _Node] = {}
    for key in full.keys() | named:
        steps, node = _find(root, key)
        assert node is not None  # the keys and their neighbours are in the map
        for passed in [*(above for above, _ in steps), node]:
            seen.setdefault(id(passed), passed)
    shown: dict[int, HashTree] = {}

    def part(node: _Node) -> HashTree:
        return shown[id(node)] if id(node) in shown else Pruned(_tree(node).digest)

    # Each path was recorded from the root down, so the reverse order visits children before their parents.
    for node in reversed(seen.values()):
        if isinstance(node, _Branch):
            shown[id(node)] = Fork(part(node.zero), part(node.one))
            continue
        here: HashTree = node.here
        if node.key in full:
            below = full[node.key]
            here = here if () in below else Labeled(node.key, prune(node.here.tree, below))
        else:
            here = Labeled(node.key, Pruned(node.here.tree.digest)) if node.key in named else Pruned(here.digest)
        shown[id(node)] = here if node.longer is None else Fork(here, part(node.longer))
    return part(root)
