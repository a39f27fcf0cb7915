"""Hash trees as CBOR: ``[0]``, ``[1, left, right]``, ``[2, label, tree]``, ``[3, value]``, ``[4, hash]``.

Source: interface specification, "Encoding of certificates". Trees deeper than MAX_DEPTH are neither
decoded nor encoded, because the receiver could not read them. The size of decoded trees is limited
too, so that no frame costs more than a fraction of a second.
"""

from __future__ import annotations

from typing import Any, Final

from .. import cbor
from ..budgets import TREE_NODES
from ..constants import MAX_REPLY_BYTES
from ..errors import ArgumentValueError, MessageError
from .nodes import Empty, Fork, HashTree, Labeled, Leaf, Pruned, walk

MAX_DEPTH: Final = cbor.MAX_DEPTH
MAX_NODES: Final = TREE_NODES  # more nodes would take longer than 50 ms
MAX_SIZE: Final = 2 * MAX_REPLY_BYTES  # bytes of a tree or a certificate; one leaf may hold a whole reply
DIGEST_SIZE: Final = 32  # bytes
_WHAT: Final = "hash tree"
_EMPTY: Final = Empty()


def decode(data: bytes) -> HashTree:
    """Read a tree, with or without the self-describe tag. Raises CborError and MessageError."""
    return from_cbor(cbor.loads(data, what=_WHAT, max_size=MAX_SIZE))


def encode(tree: HashTree, *, tagged: bool = True) -> bytes:
    """``tree`` as CBOR, by default tagged as both CDKs write it. Raises ArgumentValueError if it is too deep."""
    return cbor.dumps(to_cbor(tree), tagged=tagged)


def from_cbor(value: Any, *, what: str = _WHAT) -> HashTree:
    """Read a tree from decoded CBOR. Raises MessageError, which names the labels above the fault."""
    return _Reader(what).node(value, (), 0)


def leaf_under(value: Any, label: bytes) -> bytes | None:
    """The value under ``label`` at the top of a tree that `cbor.loads` read. It makes no nodes, and hashes nothing.

    None if the label is not there exactly once with a value, or if anything in the tree is not well-formed. Then
    `from_cbor` and `lookup` tell what is.
    """
    top, below, found = [value], list[Any](), list[Any]()
    for nodes in (top, below):
        for node in nodes:  # which grows meanwhile
            kind, size = (node[0], len(node)) if type(node) is list and node else (None, 0)
            content = node[1] if size > 1 else None
            if type(kind) is not int:
                return None
            if kind == 1 and size == 3:
                nodes.extend(node[1:])
            elif type(content) is bytes and kind == 2 and size == 3:
                below.append(node[2])
                if content == label and nodes is top:
                    found.append(node[2])
            elif type(content) is bytes and size == 2 and (kind == 3 or (kind == 4 and len(content) == DIGEST_SIZE)):
                continue
            elif kind != 0 or size != 1:
                return None
    if len(found) != 1 or found[0][0] != 3 or len(top) + len(below) > MAX_NODES:
        return None
    leaf: bytes = found[0][1]
    return leaf


class _Reader:
    """Reads one tree and counts its nodes."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._nodes = 0

    def node(self, value: Any, path: tuple[bytes, ...], depth: int) -> HashTree:
        self._nodes += 1
        if depth >= MAX_DEPTH:
            raise MessageError(self._what, f"deeper than the {MAX_DEPTH} nodes allowed")
        if self._nodes > MAX_NODES:
            raise MessageError(self._what, f"more than the {MAX_NODES} nodes allowed")
        # Comparisons in place of match, which takes twice as long. In Python True and 1.0 equal 1, in CBOR they do not.
        kind, size = (value[0], len(value)) if type(value) is list and value else (None, 0)
        if type(kind) is int:
            if size == 3:
                first, below = value[1], value[2]
                if kind == 1:
                    return Fork(self.node(first, path, depth + 1), self.node(below, path, depth + 1))
                if kind == 2 and type(first) is bytes:
                    return Labeled(first, self.node(below, (*path, first), depth + 1))
            elif size == 2 and type(content := value[1]) is bytes:
                if kind == 3:
                    return Leaf(content)
                if kind == 4 and len(content) == DIGEST_SIZE:
                    return Pruned(content)
            elif size == 1 and kind == 0:
                return _EMPTY
        raise self._wrong(path, _fault(value))

    def _wrong(self, path: tuple[bytes, ...], reason: str) -> MessageError:
        place = "/".join(["…"] * (len(path) > 3) + [_shown(label) for label in path[-3:]])
        return MessageError(self._what, f"{reason} (under {place})" if path else reason)


def to_cbor(tree: HashTree) -> list[Any]:
    """``tree`` as nested lists. Raises ArgumentValueError if it is too deep."""
    return _listed(tree, 0)


def check_depth(tree: HashTree) -> None:
    """Raise ArgumentValueError for a tree deeper than MAX_DEPTH nodes."""
    if any(depth >= MAX_DEPTH for _, _, depth in walk(tree)):
        raise _too_deep()


def _too_deep() -> ArgumentValueError:
    return ArgumentValueError(f"the hash tree is deeper than {MAX_DEPTH} nodes, which no reader accepts")


def _listed(tree: HashTree, depth: int) -> list[Any]:
    if depth >= MAX_DEPTH:
        raise _too_deep()
    match tree:
        case Fork(left, right):
            return [1, _listed(left, depth + 1), _listed(right, depth + 1)]
        case Labeled(label, below):
            return [2, label, _listed(below, depth + 1)]
        case Leaf(value):
            return [3, value]
        case Pruned(digest):
            return [4, digest]
        case Empty():  # pragma: no branch
            return [0]


_SHAPES: Final = {
    0: "an empty node is [0]",
    1: "a fork is [1, left, right]",
    2: "a labeled node is [2, label, tree], the label a byte string",
    3: "a leaf is [3, value], the value a byte string",
    4: f"a pruned node is [4, hash], the hash {DIGEST_SIZE} bytes",
}


def _fault(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return f"a node is a non-empty array, not {type(value).__name__}"
    kind = value[0]
    if isinstance(kind, (bool, float)):
        return f"a node starts with an integer, not {type(kind).__name__}"
    known = _SHAPES.get(kind) if isinstance(kind, int) else None
    return known or "a node starts with 0 (empty), 1 (fork), 2 (labeled), 3 (leaf) or 4 (pruned)"


def _shown(label: bytes) -> str:
    text = label.decode("ascii") if label.isascii() else label.hex()
    text = text if text.isprintable() else label.hex()
    return text if len(text) <= 24 else text[:24] + "…"
