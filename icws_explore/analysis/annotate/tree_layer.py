"""Hash trees in a frame: forks, labels, leaves and pruned parts, and what the known labels mean.

A node of a hash tree is an array: [0] empty, [1, left, right] fork, [2, label, tree] labeled, [3, value] leaf,
[4, hash] pruned. Source: interface specification, "Certificate".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from icws_explore.protocol import leb128
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.node import Node
from icws_explore.protocol.principal import Principal

from .cbor_scan import Item
from .limits import MAX_LABEL
from .meanings import public_key_meaning, time_meaning
from .shapes import PLAIN, Shape

if TYPE_CHECKING:
    from .layers import Layers

# code: (name, number of items in the array)
_KINDS: Final = {0: ("empty", 1), 1: ("fork", 3), 2: ("labeled", 3), 3: ("leaf", 2), 4: ("pruned", 2)}
_ABOUT: Final = {
    "empty": "empty subtree",
    "fork": "two subtrees",
    "labeled": "a label and a subtree",
    "leaf": "a value",
    "pruned": "hash of a pruned subtree",
}
_RANGES: Final = Shape(inner="canister_ranges")
_OF_PRINCIPALS: Final = (b"canister", b"subnet", b"canister_ranges", b"node")  # the labels below these are principals


def tree_node(layers: Layers, path: str, item: Item, labels: tuple[bytes, ...] = ()) -> Node:
    """The node of one tree node. ``labels`` are the labels above it."""
    code = item.items[0].value if item.items and item.items[0].major == "uint" else None
    name, size = _KINDS.get(code if isinstance(code, int) else -1, ("", 0))
    if not name or (item.complete and len(item.items) != size):
        node = layers.array(path, item, PLAIN)
        node.fault = None if not item.complete else "not a node of a hash tree"
        return node
    node = Node(path, name, item.start, item.end)
    start = item.start
    if item.indefinite:
        node.children.append(layers.head(path, item, "indefinite length: until the break byte"))
        start = item.head_end
    node.children.append(Node(f"{path}:{name}", name, start, item.items[0].end, code, _ABOUT[name]))
    rest = item.items[1:]
    match name:
        case "fork":
            for side, below in zip(("left", "right"), rest, strict=False):
                node.children.append(_subtree(layers, f"{path}.{side}", below, labels))
        case "labeled":
            node.children += _labeled(layers, path, rest, labels)
        case _:
            node.children += [_value(layers, f"{path}.{name}", value, labels, name) for value in rest]
    layers.close(node, item)
    return node


def _subtree(layers: Layers, path: str, item: Item, labels: tuple[bytes, ...]) -> Node:
    if item.major == "array":
        return tree_node(layers, path, item, labels)
    node = layers.item(path, item, PLAIN)
    node.fault = "not a node of a hash tree"
    return node


def _labeled(layers: Layers, path: str, rest: list[Item], labels: tuple[bytes, ...]) -> list[Node]:
    if not rest:
        return []
    raw = layers.scalar(path, rest[0], PLAIN)
    label = raw.value if isinstance(raw.value, bytes) else b""
    if rest[0].major != "bytes":
        raw.fault = "a byte string is expected here"
    shown = label_text(label, labels)
    below = f"{path}.{shown}"
    raw.path, raw.value, raw.meaning = f"{below}:label", label, f"label {shown}"
    return [raw, *(_subtree(layers, below, item, (*labels, label)) for item in rest[1:])]


def _value(layers: Layers, path: str, item: Item, labels: tuple[bytes, ...], kind: str) -> Node:
    if kind == "leaf" and b"canister_ranges" in (*labels[:1], *labels[-1:]):  # the sharded and the classic layout
        return layers.item(path, item, _RANGES)
    node = layers.item(path, item, PLAIN)
    if item.major != "bytes" or not item.complete:
        node.fault = node.fault or "a byte string is expected here"
        return node
    node.meaning = _meaning(layers, labels, node.value) if kind == "leaf" else "hash of the pruned subtree"
    return node


def _meaning(layers: Layers, labels: tuple[bytes, ...], value: bytes) -> str:
    """The meaning of the leaf at ``labels``. Source: interface specification, "The system state tree"."""
    last = labels[-1] if labels else b""
    match last:
        case b"time":
            try:
                return "certified at " + time_meaning(leb128.decode_unsigned(value), layers.context)
            except DecodeError as error:
                return f"not a time: {error.reason}"
        case b"certified_data":
            return "the data that the canister certifies: the root hash of its tree"
        case b"public_key":
            return public_key_meaning(value, layers.context)
        case _ if labels[:1] == (b"websocket",):
            return "SHA-256 of the message's content"
        case b"status" | b"reject_message":
            return repr(value.decode("utf-8", "replace"))
        case _:
            return ""


def label_text(label: bytes, above: tuple[bytes, ...] = ()) -> str:
    """A label for a person: as text, below some labels as a principal, else as hex."""
    if above[-1:] and above[-1] in _OF_PRINCIPALS and len(label) <= 29:
        return Principal(label).text
    if len(label) > MAX_LABEL:
        return f"0x{label[:16].hex()}…({len(label)} bytes)"
    text = label.decode("ascii", "replace")
    return text if text.isprintable() and "\ufffd" not in text and text and "." not in text else f"0x{label.hex()}"
