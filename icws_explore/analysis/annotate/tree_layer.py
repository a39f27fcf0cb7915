"""Hash trees in a frame: forks, labels, leaves and pruned parts, with what the known labels mean.

Interface specification, "Certificate": [0] empty, [1, l, r] fork, [2, label, tree], [3, value],
[4, hash].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from icws_explore.protocol import leb128
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.principal import Principal

from .cbor_scan import Item
from .meanings import public_key_meaning, time_meaning
from .node import Node
from .shapes import PLAIN, Shape

if TYPE_CHECKING:
    from .layers import Layers

# code: (name, number of items in the array)
_KINDS: Final = {0: ("empty", 1), 1: ("fork", 3), 2: ("labeled", 3), 3: ("leaf", 2), 4: ("pruned", 2)}
_ABOUT: Final = {
    "empty": "nothing here",
    "fork": "two subtrees",
    "labeled": "a label and what is under it",
    "leaf": "a value",
    "pruned": "the hash of a part that is not shown",
}
MAX_LABEL: Final = 200  # bytes that stand in a path; the protocol's longest label has about 90
_RANGES: Final = Shape(inner="canister_ranges")
# Under these labels a principal's bytes follow.
_OF_PRINCIPALS: Final = (b"canister", b"subnet", b"canister_ranges", b"node")


def tree_node(layers: Layers, path: str, item: Item, labels: tuple[bytes, ...] = ()) -> Node:
    """The node of one tree node; ``labels`` are those above it."""
    code = item.items[0].value if item.items and item.items[0].major == "uint" else None
    name, size = _KINDS.get(code if isinstance(code, int) else -1, ("", 0))
    if not name or (item.complete and len(item.items) != size):
        node = layers.array(path, item, PLAIN)
        node.fault = None if not item.complete else "no node of a hash tree"
        return node
    head = Node(f"{path}:{name}", name, item.start, item.items[0].end, code, _ABOUT[name])
    node = Node(path, f"{name}", item.start, item.end, children=[head])
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
    node.fault = "no node of a hash tree"
    return node


def _labeled(layers: Layers, path: str, rest: list[Item], labels: tuple[bytes, ...]) -> list[Node]:
    if not rest:
        return []
    label = bytes(rest[0].value) if isinstance(rest[0].value, memoryview) else b""
    shown = label_text(label, labels)
    below = f"{path}.{shown}"
    nodes = [Node(f"{below}:label", f"bytes({len(label)})", rest[0].start, rest[0].end, label, f"label {shown}")]
    return nodes + [_subtree(layers, below, item, (*labels, label)) for item in rest[1:]]


def _value(layers: Layers, path: str, item: Item, labels: tuple[bytes, ...], kind: str) -> Node:
    if kind == "leaf" and b"canister_ranges" in (*labels[:1], *labels[-1:]):  # sharded and classic layout
        return layers.item(path, item, _RANGES)
    node = layers.item(path, item, PLAIN)
    if item.major != "bytes" or not item.complete:
        node.fault = node.fault or "should be bytes"
        return node
    node.meaning = _meaning(layers, labels, node.value) if kind == "leaf" else "hash of what is not shown"
    return node


def _meaning(layers: Layers, labels: tuple[bytes, ...], value: bytes) -> str:
    """What the leaf at ``labels`` says. Source: interface specification, "The system state tree"."""
    last = labels[-1] if labels else b""
    match last:
        case b"time":
            try:
                return "certified at " + time_meaning(leb128.decode_unsigned(value), layers.context)
            except DecodeError as error:
                return f"no time: {error.reason}"
        case b"certified_data":
            return "what the canister certifies: the root hash of its tree"
        case b"public_key":
            return public_key_meaning(value, layers.context)
        case _ if labels[:1] == (b"websocket",):
            return "SHA-256 of the message's content"
        case b"status" | b"reject_message":
            return repr(value.decode("utf-8", "replace"))
        case _:
            return ""


def label_text(label: bytes, above: tuple[bytes, ...] = ()) -> str:
    """A label as a person reads it: its text, a principal where one belongs, else hex."""
    if above[-1:] and above[-1] in _OF_PRINCIPALS and len(label) <= 29:
        return Principal(label).text
    if len(label) > MAX_LABEL:
        return f"0x{label[:16].hex()}…({len(label)} bytes)"
    text = label.decode("ascii", "replace")
    return text if text.isprintable() and "\ufffd" not in text and text and "." not in text else f"0x{label.hex()}"
