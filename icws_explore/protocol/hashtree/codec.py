"""Hash trees as CBOR: ``[0]``, ``[1, left, right]``, ``[2, label, tree]``, ``[3, value]``, ``[4, hash]``.

Source: interface specification, "Encoding of certificates". Trees deeper than MAX_DEPTH are refused
in both directions: a reader that follows must not be sent one that it cannot walk.
"""

from __future__ import annotations

from typing import Any, Final

from .. import cbor
from ..errors import MessageError, StateError
from .nodes import Empty, Fork, HashTree, Labeled, Leaf, Pruned, walk

MAX_DEPTH: Final = cbor.MAX_DEPTH
DIGEST_SIZE: Final = 32  # bytes
_WHAT: Final = "hash tree"
_EMPTY: Final = Empty()


def decode(data: bytes) -> HashTree:
    """The tree in ``data``, with or without the self-describe tag. Raises CborError and MessageError."""
    return from_cbor(cbor.loads(data, what=_WHAT))


def encode(tree: HashTree, *, tagged: bool = True) -> bytes:
    """``tree`` as CBOR, tagged as both CDKs write it. Raises StateError for one deeper than MAX_DEPTH."""
    return cbor.dumps(to_cbor(tree), tagged=tagged)


def from_cbor(value: Any, *, what: str = _WHAT) -> HashTree:
    """The tree in decoded CBOR. Raises MessageError, which says where: ``f`` forks left, ``F`` right."""
    return _node(value, what, "", 0)


def _node(value: Any, what: str, place: str, depth: int) -> HashTree:
    if depth >= MAX_DEPTH:
        raise MessageError(what, f"deeper than the {MAX_DEPTH} nodes allowed")
    if type(value) is not list or not value:
        raise _wrong(what, place, f"a node is a non-empty array, not {type(value).__name__}")
    match value:
        # bool is an int to Python, and True == 1; CBOR tells them apart, and so do we.
        case [int(kind), *_] if isinstance(kind, bool):
            raise _wrong(what, place, "a node starts with a number, not a bool")
        case [1, left, right]:
            return Fork(_node(left, what, place + "f", depth + 1), _node(right, what, place + "F", depth + 1))
        case [2, bytes(label), tree]:
            return Labeled(label, _node(tree, what, f"{place}/{_shown(label)}/", depth + 1))
        case [3, bytes(content)]:
            return Leaf(content)
        case [4, bytes(digest)] if len(digest) == DIGEST_SIZE:
            return Pruned(digest)
        case [0]:
            return _EMPTY
        case [4, bytes(digest)]:
            raise _wrong(what, place, f"a pruned node holds {DIGEST_SIZE} bytes, not {len(digest)}")
        case _:
            raise _wrong(what, place, _why(value))


def to_cbor(tree: HashTree) -> list[Any]:
    """``tree`` as nested lists. Raises StateError for one deeper than MAX_DEPTH."""
    check_depth(tree)
    return _listed(tree)


def check_depth(tree: HashTree) -> None:
    """Raise StateError for a tree deeper than MAX_DEPTH nodes."""
    if any(depth >= MAX_DEPTH for _, _, depth in walk(tree)):
        raise StateError(f"the hash tree is deeper than {MAX_DEPTH} nodes: no reader would take it")


def _listed(tree: HashTree) -> list[Any]:
    match tree:
        case Fork(left, right):
            return [1, _listed(left), _listed(right)]
        case Labeled(label, below):
            return [2, label, _listed(below)]
        case Leaf(value):
            return [3, value]
        case Pruned(digest):
            return [4, digest]
        case Empty():
            return [0]


def _wrong(what: str, place: str, reason: str) -> MessageError:
    at = f" (at {place})" if place else " (at the root)"
    return MessageError(what, reason + at)


def _why(value: list[Any]) -> str:
    kind = value[0]
    names = {0: "empty", 1: "fork", 2: "labeled", 3: "leaf", 4: "pruned"}
    if type(kind) is not int or kind not in names:
        return "a node starts with 0 (empty), 1 (fork), 2 (labeled), 3 (leaf) or 4 (pruned)"
    shapes = {0: "[0]", 1: "[1, left, right]", 2: "[2, label, tree]", 3: "[3, value]", 4: "[4, hash]"}
    bstr = ", the label, value or hash being a byte string" if kind >= 2 else ""
    return f"a node of kind {names[kind]} is {shapes[kind]}{bstr}"


def _shown(label: bytes) -> str:
    text = label.decode("ascii", "replace") if label.isascii() else label.hex()
    return text if len(text) <= 24 and text.isprintable() else label.hex()[:24] + "…"
