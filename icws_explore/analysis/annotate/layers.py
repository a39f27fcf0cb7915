"""From scanned CBOR to named fields, layer by layer, down to Candid values and hash-tree nodes.

A whole frame, annotated from its first byte to its last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from icws_explore.capture import Frame
from icws_explore.protocol import candid
from icws_explore.protocol.constants import NS_PER_S

from .candid_layer import candid_nodes, reading_of_arguments, reading_of_content
from .cbor_scan import Fault, Item, scan
from .meanings import Context
from .node import Node
from .shapes import (
    CANISTER_MESSAGE,
    CANISTER_RANGES,
    CERTIFICATE,
    ENVELOPE_FRAME,
    HANDSHAKE,
    HASH_TREE,
    PLAIN,
    WEBSOCKET_MESSAGE,
    Shape,
)
from .tree_layer import tree_node

MAX_NAME: Final = 100  # characters of a field's name that stand in a path
MAX_LAYERS: Final = 8  # frame, message, certificate, delegation's certificate, ranges: real ones need 5


class Layers:
    """Reads one frame, each layer at its place in the one around it."""

    def __init__(self, data: bytes, context: Context) -> None:
        self.data = data
        self.context = context
        self.depth = 0

    def enter(self) -> bool:
        """One layer further in; False, and nothing changes, where there are too many."""
        if self.depth >= MAX_LAYERS:
            return False
        self.depth += 1
        return True

    def leave(self) -> None:
        self.depth -= 1

    def cbor(self, path: str, start: int, end: int, shape: Shape) -> list[Node]:
        """The nodes of the CBOR item at ``data[start:end]``; they tile that range, whatever it holds."""
        item, fault = scan(self.data, start, end)
        nodes = [] if item is None else [self.item(path, item, shape)]
        return self._with_rest(nodes, path, start if item is None else item.end, end, fault)

    def _with_rest(self, nodes: list[Node], path: str, at: int, end: int, fault: Fault | None) -> list[Node]:
        """``nodes`` and, where reading stopped early, what was left unread; the fault at its place."""
        if fault is None:
            return nodes
        if at < end:
            nodes.append(Node(f"{path}:rest", "bytes", at, end, self.data[at:end], f"not read: {end - at} bytes"))
        leaves = [leaf for node in nodes for leaf in node.leaves()]
        at_fault = next((leaf for leaf in leaves if leaf.start <= fault.offset < leaf.end), leaves[-1])
        at_fault.fault, at_fault.fault_at = fault.reason, fault.offset
        return nodes

    def tag(self, path: str, item: Item) -> Node:
        about = "self-describe tag: CBOR follows" if item.value == 55799 else f"tag {item.value}"
        return Node(f"{path}:tag", "tag", item.start, item.head_end, item.value, about)

    def item(self, path: str, item: Item, shape: Shape, beside: Mapping[str, Any] | None = None) -> Node:
        """The node of one item, and those below it; ``beside`` are the other fields of its map."""
        match item.major:
            case "array" if shape.is_tree:
                return tree_node(self, path, item)
            case "map":
                return self.map(path, item, shape)
            case "array":
                return self.array(path, item, shape)
            case "tag":
                node = Node(path, f"tag {item.value}", item.start, item.end, children=[self.tag(path, item)])
                node.children += [self.item(path, inner, shape) for inner in item.items]
                return node
            case "bytes" if shape.inner is not None and not item.indefinite and item.complete:
                return self.inner(path, item, shape, beside or {})
            case _:
                return self.scalar(path, item, shape)

    def scalar(self, path: str, item: Item, shape: Shape) -> Node:
        kind = f"{item.major}({len(item.value)})" if isinstance(item.value, (memoryview, str)) else item.major
        node = Node(path, kind, item.start, item.end, plain(item))
        if item.indefinite and item.items:
            node.children = [self.head(path, item, "in chunks")]
            node.children += [self.scalar(f"{path}.{i}", chunk, PLAIN) for i, chunk in enumerate(item.items)]
            self.close(node, item)
        elif shape.explain is not None and item.complete:
            node.meaning = shape.explain(node.value, self.context)
        return node

    def map(self, path: str, item: Item, shape: Shape) -> Node:
        pairs = (len(item.items) + 1) // 2
        node = Node(path, f"map({pairs})", item.start, item.end, children=[self.head(path, item, f"{pairs} fields")])
        beside = {key.value: plain(value) for key, value in zip(item.items[::2], item.items[1::2], strict=False)
                  if key.major == "text" and key.value in _DECIDING}  # fmt: skip
        for i in range(0, len(item.items), 2):
            key = item.items[i]
            name = key.value[:MAX_NAME] if isinstance(key.value, str) else f"key {i // 2}"
            below = f"{path}.{name}" if path else name
            node.children.append(Node(f"{below}:key", key.major, key.start, key.end, plain(key), "name of the field"))
            if i + 1 < len(item.items):
                node.children.append(self.item(below, item.items[i + 1], shape.fields.get(name, PLAIN), beside))
        self.close(node, item)
        return node

    def array(self, path: str, item: Item, shape: Shape) -> Node:
        count = len(item.items)
        node = Node(path, f"array({count})", item.start, item.end, children=[self.head(path, item, f"{count} items")])
        element = shape.element or PLAIN
        node.children += [self.item(f"{path}.{i}", inner, element) for i, inner in enumerate(item.items)]
        self.close(node, item)
        return node

    def head(self, path: str, item: Item, about: str) -> Node:
        return Node(f"{path}:head", "head", item.start, item.head_end, None, about)

    def close(self, node: Node, item: Item) -> None:
        """The break at the end of an indefinite item is a byte of its own."""
        last = node.children[-1].end
        if last < item.end:
            node.children.append(Node(f"{node.path}:end", "break", last, item.end, None, "end of the list"))

    def inner(self, path: str, item: Item, shape: Shape, beside: Mapping[str, Any]) -> Node:
        """A byte string that holds another layer: its head, then the layer."""
        size = len(item.value)
        node = Node(path, f"bytes({size})", item.start, item.end)
        if not size:
            node.value, node.fault = b"", "empty, where another layer should be"
            return node
        if not self.enter():
            node.value = plain(item)
            return node
        start, end = item.head_end, item.end
        app_type = self.context.app_type
        match shape.inner:
            case "arguments":
                reading = reading_of_arguments(beside.get("method_name"), app_type)
                below = candid_nodes(self, path, start, end, reading)
            case "content":
                reading = reading_of_content(beside.get("is_service_message"), app_type)
                below = candid_nodes(self, path, start, end, reading)
            case "hash_tree":
                below = self.cbor(path, start, end, HASH_TREE)
            case "certificate":
                below = self.cbor(path, start, end, CERTIFICATE)
            case "canister_ranges":
                below = self.cbor(path, start, end, CANISTER_RANGES)
            case _:
                below = self.cbor(path, start, end, WEBSOCKET_MESSAGE)
        self.leave()
        node.children = [self.head(path, item, f"{size} bytes"), *below]
        return node


# Fields that say what another one beside them holds.
_DECIDING: Final = ("method_name", "is_service_message")


def plain(item: Item) -> Any:
    """An item's value as Python data: bytes are copied out of the frame only here."""
    return bytes(item.value) if isinstance(item.value, memoryview) else item.value


MAX_TEXT: Final = 64 * 1024  # bytes of a text frame that are shown
FRAME_SHAPE: Final = Shape({**HANDSHAKE.fields, **ENVELOPE_FRAME.fields, **CANISTER_MESSAGE.fields})


def annotate_frame(frame: Frame, *, app_type: candid.Type | None = None) -> Node:
    """The tree of ``frame``'s fields. Its leaves tile the frame: no gap, no overlap.

    What does not decode is a leaf with the reason in ``fault``; nothing is raised for what the
    frame holds. ``app_type`` names the fields of application messages.
    """
    data = frame.data
    root = Node("", f"frame({len(data)})", 0, len(data))
    if frame.op != "binary":
        text = data[:MAX_TEXT].decode("utf-8", "replace")
        root.children = [Node(frame.op, frame.op, 0, len(data), text, f"WebSocket {frame.op}")] if data else []
        return root
    context = Context(round(frame.t * NS_PER_S), frame.direction == "out", app_type)
    if data:
        root.children = Layers(data, context).cbor("", 0, len(data), FRAME_SHAPE)
    else:
        root.fault = "an empty frame"
    return root
