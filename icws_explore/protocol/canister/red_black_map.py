"""The map that a Rust canister certifies: the same keys and values as `CertifiedMap`, in another shape.

The Rust library ic-certification (2.6, which the CDK uses) has a left-leaning red-black tree (Sedgewick,
"Left-leaning red-black trees", 2008, the variant that splits on the way up). Its shape depends on the
order of insertions and removals, so root hashes and witnesses are the same bytes only if the map has had
the same history as the canister's. In the hash tree a node is ``Fork(left, Fork(its label, right))``,
without a fork for an empty side.

The map is persistent, for the same reasons as `CertifiedMap`. Nodes compute their hash when it is first
needed, because a rotation makes nodes that are replaced at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..constants import WEBSOCKET_LABEL
from ..hashtree import Empty, Fork, HashTree, Labeled, Leaf, Pruned


class _Node:
    """One key. Only ``known`` ever changes, from None to the node's hash tree. ``_NIL`` is no node."""

    __slots__ = ("here", "is_red", "known", "left", "right")

    def __init__(self, here: Labeled, left: _Node, right: _Node, *, is_red: bool) -> None:
        self.here = here
        self.left = left
        self.right = right
        self.is_red = is_red
        self.known: HashTree | None = None

    @property
    def key(self) -> bytes:
        return self.here.label

    @property
    def tree(self) -> HashTree:
        """The hash tree of this node and everything below it, unpruned."""
        if self.known is None:
            self.known = _forked(self.left.tree, self.here, self.right.tree)
        return self.known

    def coloured(self, *, is_red: bool) -> _Node:
        """The same node with that colour. The hash does not depend on it."""
        if self.is_red == is_red:
            return self
        other = _Node(self.here, self.left, self.right, is_red=is_red)
        other.known = self.known
        return other

    def flipped(self) -> _Node:
        """The same node with its own colour and those of both children inverted."""
        left, right = (each.coloured(is_red=not each.is_red) for each in (self.left, self.right))
        other = _Node(self.here, left, right, is_red=not self.is_red)
        other.known = self.known
        return other

    @classmethod
    def nil(cls) -> _Node:
        """The node that is no node: black, with nothing below it."""
        node = cls.__new__(cls)
        node.here = Labeled(b"", Empty())  # never used
        node.left = node.right = node
        node.is_red = False
        node.known = Empty()
        return node

    def with_left(self, left: _Node) -> _Node:
        return _Node(self.here, left, self.right, is_red=self.is_red)

    def with_right(self, right: _Node) -> _Node:
        return _Node(self.here, self.left, right, is_red=self.is_red)


_NIL = _Node.nil()


@dataclass(frozen=True, slots=True, eq=False)
class RedBlackMap:
    """An immutable map from bytes to bytes with a root hash. All operations cost O(log n)."""

    label: bytes = WEBSOCKET_LABEL
    _root: _Node = field(default=_NIL, repr=False)

    @property
    def root_hash(self) -> bytes:
        """The bytes that the canister sets as certified data."""
        return self.tree.digest

    @property
    def tree(self) -> HashTree:
        """The whole hash tree, unpruned."""
        return Labeled(self.label, self._root.tree)

    def insert(self, key: bytes, value: bytes) -> RedBlackMap:
        """A map with ``value`` at ``key``, replacing an earlier value."""
        root = _inserted(self._root, Labeled(key, Leaf(value)))
        return RedBlackMap(self.label, root.coloured(is_red=False))

    def remove(self, key: bytes) -> RedBlackMap:
        """A map without ``key``; this same map if it has no such key."""
        if key not in self:
            return self
        root = self._root
        if not root.left.is_red and not root.right.is_red:
            root = root.coloured(is_red=True)
        return RedBlackMap(self.label, _removed(root, key).coloured(is_red=False))

    def witness(self, keys: Iterable[bytes]) -> HashTree:
        """The tree with everything from the first to the last of ``keys`` shown. Both must be in the map.

        The CDK asks for ranges (state.rs, get_cert_for_range). Without keys only the outer label and a hash
        are shown. Raises KeyError.
        """
        wanted = sorted(keys)
        if not wanted:
            return Labeled(self.label, _pruned(self._root))
        first, last = wanted[0], wanted[-1]
        for key in (first, last):
            if key not in self:
                raise KeyError(key)
        return Labeled(self.label, _shown(self._root, first, last))

    def get(self, key: bytes) -> bytes | None:
        """The value at ``key``, None if there is none."""
        node = self._root
        while node is not _NIL and node.key != key:
            node = node.left if key < node.key else node.right
        leaf = node.here.tree
        return leaf.value if isinstance(leaf, Leaf) else None

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self.get(key) is not None

    def __iter__(self) -> Iterator[bytes]:
        """The keys in ascending order."""
        above: list[_Node] = []
        node = self._root
        while above or node is not _NIL:
            while node is not _NIL:
                above.append(node)
                node = node.left
            node = above.pop()
            yield node.key
            node = node.right


def _forked(left: HashTree, here: HashTree, right: HashTree) -> HashTree:
    """Join up to three trees. Adjacent hashes become one hash where the library does the same."""
    # Red links lean left, so a node with a right child has a left child. ``left`` or ``here`` is in the range or
    # has a part of it, so the three are never hashes at once.
    if isinstance(right, Empty):
        return here if isinstance(left, Empty) else Fork(left, here)
    beside: HashTree = Fork(here, right)
    if isinstance(here, Pruned) and isinstance(right, Pruned):
        beside = Pruned(beside.digest)
    return Fork(left, beside)


def _pruned(node: _Node) -> HashTree:
    return node.tree if node is _NIL else Pruned(node.tree.digest)


def _shown(node: _Node, first: bytes, last: bytes) -> HashTree:
    if node is _NIL:
        return node.tree
    if node.key < first:
        return _forked(_pruned(node.left), Pruned(node.here.digest), _shown(node.right, first, last))
    if node.key > last:
        return _forked(_shown(node.left, first, last), Pruned(node.here.digest), _pruned(node.right))
    left = _pruned(node.left) if node.key == first else _shown(node.left, first, last)
    right = _pruned(node.right) if node.key == last else _shown(node.right, first, last)
    return _forked(left, node.here, right)


def _inserted(node: _Node, here: Labeled) -> _Node:
    if node is _NIL:
        return _Node(here, _NIL, _NIL, is_red=True)
    if here.label == node.key:
        return _balanced(_Node(here, node.left, node.right, is_red=node.is_red))
    if here.label < node.key:
        return _balanced(node.with_left(_inserted(node.left, here)))
    return _balanced(node.with_right(_inserted(node.right, here)))


def _removed(node: _Node, key: bytes) -> _Node:
    """``node`` without ``key``, which it contains. On the way down, the node or its child is kept red."""
    if key < node.key:
        if not node.left.is_red and not node.left.left.is_red:
            node = _reddened_left(node)
        return _balanced(node.with_left(_removed(node.left, key)))
    if node.left.is_red:
        node = _turned_right(node)
    if key == node.key and node.right is _NIL:
        return _NIL
    if not node.right.is_red and not node.right.left.is_red:
        node = _reddened_right(node)
    if key != node.key:
        return _balanced(node.with_right(_removed(node.right, key)))
    least = node.right
    while least.left is not _NIL:
        least = least.left
    return _balanced(_Node(least.here, node.left, _without_least(node.right), is_red=node.is_red))


def _without_least(node: _Node) -> _Node:
    if node.left is _NIL:
        return _NIL
    if not node.left.is_red and not node.left.left.is_red:
        node = _reddened_left(node)
    return _balanced(node.with_left(_without_least(node.left)))


def _balanced(node: _Node) -> _Node:
    """Restore the invariants: red links lean left, and there are never two in a row. Split a node with two."""
    if node.right.is_red and not node.left.is_red:
        node = _turned_left(node)
    if node.left.is_red and node.left.left.is_red:
        node = _turned_right(node)
    return node.flipped() if node.left.is_red and node.right.is_red else node


def _turned_left(node: _Node) -> _Node:
    up = node.right
    down = _Node(node.here, node.left, up.left, is_red=True)
    return _Node(up.here, down, up.right, is_red=node.is_red)


def _turned_right(node: _Node) -> _Node:
    up = node.left
    down = _Node(node.here, up.right, node.right, is_red=True)
    return _Node(up.here, up.left, down, is_red=node.is_red)


def _reddened_left(node: _Node) -> _Node:
    """Get a red link at the left or below it, from the node or from its right side."""
    node = node.flipped()
    if not node.right.left.is_red:
        return node
    return _turned_left(node.with_right(_turned_right(node.right))).flipped()


def _reddened_right(node: _Node) -> _Node:
    """Get a red link at the right or below it, from the node or from its left side."""
    node = node.flipped()
    return _turned_right(node).flipped() if node.left.left.is_red else node
