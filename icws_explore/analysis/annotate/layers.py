"""The layers of a frame: CBOR by its shape, and in its byte strings further CBOR, hash trees and Candid.

`annotate_frame` starts with the whole frame. `Layers` turns each scanned CBOR item into a node. Where a shape
says that a byte string holds another layer, the nodes of that layer stand in place of the bytes.

Parts of the encoding have a colon in their path: ``envelope:head`` is the head of a map or a string,
``envelope:key`` a key, ``:tag`` a tag, ``:end`` the break byte of an item of indefinite length, ``:rest`` the bytes
that were not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from icws_explore.capture import Frame
from icws_explore.protocol import candid
from icws_explore.protocol.errors import count_of
from icws_explore.protocol.node import Node

from .candid_layer import candid_nodes, reading_of_arguments, reading_of_content
from .cbor_scan import Fault, Item, scan
from .limits import MAX_LAYERS, MAX_NAME, MAX_TEXT
from .meanings import Context
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

_FRAME_SHAPE: Final = Shape({**HANDSHAKE.fields, **ENVELOPE_FRAME.fields, **CANISTER_MESSAGE.fields})
_DECIDING: Final = ("method_name", "is_service_message")  # fields that say what a field beside them holds


def annotate_frame(frame: Frame, *, app_type: candid.Type | None = None) -> Node:
    """The tree of the fields of ``frame``. Its leaves cover the frame without gaps and overlaps.

    Never raises for the contents of the frame: what does not decode is a leaf with the reason in ``fault``.
    ``app_type`` names the fields of application messages.
    """
    data = frame.data
    root = Node("", f"frame({len(data)})", 0, len(data))
    if frame.op != "binary":
        text = data[:MAX_TEXT].decode("utf-8", "replace")
        root.children = [Node(frame.op, frame.op, 0, len(data), text, f"WebSocket {frame.op}")] if data else []
        return root
    context = Context(frame.t_ns, frame.direction == "out", app_type)
    if data:
        root.children = Layers(data, context).cbor("", 0, len(data), _FRAME_SHAPE)
    else:
        root.fault = "an empty frame"
    return root


class Layers:
    """Makes the nodes of one frame. Offsets are those of the frame, in every layer."""

    def __init__(self, data: bytes, context: Context) -> None:
        self.data = data
        self.context = context
        self.depth = 0

    def enter(self) -> bool:
        """Goes one layer further in; False if there are too many already."""
        if self.depth >= MAX_LAYERS:
            return False
        self.depth += 1
        return True

    def leave(self) -> None:
        self.depth -= 1

    def cbor(self, path: str, start: int, end: int, shape: Shape) -> list[Node]:
        """The nodes of the CBOR item at ``data[start:end]``. They cover that range, also if the item is broken."""
        item, fault = scan(self.data, start, end)
        nodes = [] if item is None else [self.item(path, item, shape)]
        return self._with_rest(nodes, path, start if item is None else item.end, end, fault)

    def _with_rest(self, nodes: list[Node], path: str, at: int, end: int, fault: Fault | None) -> list[Node]:
        """``nodes``, with a leaf for the bytes that were not read, and with the fault at its byte."""
        if fault is None:
            return nodes
        if at < end:
            about = f"not read: {count_of(end - at, 'byte')}"
            nodes.append(Node(f"{path}:rest", "bytes", at, end, self.data[at:end], about))
        leaves = [leaf for node in nodes for leaf in node.leaves()]
        at_fault = next((leaf for leaf in leaves if leaf.start <= fault.offset < leaf.end), leaves[-1])
        at_fault.fault, at_fault.fault_at = fault.reason, fault.offset
        return nodes

    def item(self, path: str, item: Item, shape: Shape, beside: Mapping[str, Any] | None = None) -> Node:
        """The node of one item, with those below it. ``beside`` are the other fields of its map."""
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
            case "bytes" if shape.inner is not None and item.complete and len(item.items) <= 1:
                return self.inner(path, item, shape, beside or {})
            case _:
                return self.scalar(path, item, shape)

    def tag(self, path: str, item: Item) -> Node:
        about = "self-describe tag: CBOR follows" if item.value == 55799 else f"tag {item.value}"
        return Node(f"{path}:tag", "tag", item.start, item.head_end, item.value, about)

    def scalar(self, path: str, item: Item, shape: Shape) -> Node:
        value = plain(item)
        sized = isinstance(value, (bytes, str)) and not item.indefinite
        node = Node(path, f"{item.major}({len(value)})" if sized else item.major, item.start, item.end, value)
        if item.indefinite:
            chunks = count_of(len(item.items), "chunk")
            node.children = [self.head(path, item, f"in {chunks} until the break byte")]
            node.children += [self.scalar(f"{path}:{i}", chunk, PLAIN) for i, chunk in enumerate(item.items)]
            self.close(node, item)
            node.meaning = f"in {chunks}, so the layer in it is not taken apart" if shape.inner is not None else ""
        if shape.explain is not None and item.complete:
            node.meaning = shape.explain(node.value, self.context)
        return node

    def map(self, path: str, item: Item, shape: Shape) -> Node:
        pairs = (len(item.items) + 1) // 2
        head = self.head(path, item, _until(item, count_of(pairs, "field")))
        node = Node(path, f"map({pairs})", item.start, item.end, children=[head])
        beside = {key.value: plain(value) for key, value in zip(item.items[::2], item.items[1::2], strict=False)
                  if key.major == "text" and key.value in _DECIDING}  # fmt: skip
        for i in range(0, len(item.items), 2):
            key = item.items[i]
            text = plain(key) if key.major == "text" else None
            name = text[:MAX_NAME] if isinstance(text, str) else f"key {i // 2}"
            below = f"{path}.{name}" if path else name
            node.children.append(self._key(f"{below}:key", key))
            if i + 1 < len(item.items):
                node.children.append(self.item(below, item.items[i + 1], shape.fields.get(name, PLAIN), beside))
        self.close(node, item)
        return node

    def _key(self, path: str, key: Item) -> Node:
        if key.indefinite or key.items:
            return self.item(path, key, PLAIN)
        return Node(path, key.major, key.start, key.end, plain(key), "name of the field")

    def array(self, path: str, item: Item, shape: Shape) -> Node:
        count = len(item.items)
        head = self.head(path, item, _until(item, count_of(count, "element")))
        node = Node(path, f"array({count})", item.start, item.end, children=[head])
        element = shape.element or PLAIN
        node.children += [self.item(f"{path}.{i}", inner, element) for i, inner in enumerate(item.items)]
        self.close(node, item)
        return node

    def head(self, path: str, item: Item, about: str) -> Node:
        return Node(f"{path}:head", "head", item.start, item.head_end, None, about)

    def close(self, node: Node, item: Item) -> None:
        """Adds the leaf of the break byte that ends an item of indefinite length."""
        last = node.children[-1].end
        if last < item.end:
            about = "break byte: the end of the item"
            node.children.append(Node(f"{node.path}:end", "break", last, item.end, None, about))

    def inner(self, path: str, item: Item, shape: Shape, beside: Mapping[str, Any]) -> Node:
        """A byte string that holds another layer: its head, then the nodes of the layer."""
        if item.indefinite and item.items:  # one chunk
            node = Node(path, "bytes", item.start, item.end, children=[self.head(path, item, _until(item, "1 chunk"))])
            chunk = self.inner(path, item.items[0], shape, beside)
            chunk.path = f"{path}:0"
            node.children.append(chunk)
            self.close(node, item)
            return node
        size = 0 if item.indefinite else len(item.value)
        node = Node(path, f"bytes({size})", item.start, item.end)
        if not size:
            node.value, node.fault = b"", "empty, but another layer is expected here"
            return node
        if not self.enter():
            node.value = plain(item)
            return node
        below = self._layer(path, item.head_end, item.end, shape, beside)
        self.leave()
        node.children = [self.head(path, item, count_of(size, "byte")), *below]
        return node

    def _layer(self, path: str, start: int, end: int, shape: Shape, beside: Mapping[str, Any]) -> list[Node]:
        app_type = self.context.app_type
        match shape.inner:
            case "arguments":
                return candid_nodes(self, path, start, end, reading_of_arguments(beside.get("method_name"), app_type))
            case "content":
                reading = reading_of_content(beside.get("is_service_message"), app_type)
                return candid_nodes(self, path, start, end, reading)
            case "hash_tree":
                return self.cbor(path, start, end, HASH_TREE)
            case "certificate":
                return self.cbor(path, start, end, CERTIFICATE)
            case "canister_ranges":
                return self.cbor(path, start, end, CANISTER_RANGES)
            case _:
                return self.cbor(path, start, end, WEBSOCKET_MESSAGE)


def _until(item: Item, content: str) -> str:
    return f"indefinite length: {content} until the break byte" if item.indefinite else content


def plain(item: Item) -> Any:
    """The value of an item as Python data. This is the only place where bytes are copied out of the frame."""
    if item.indefinite and item.major == "bytes":
        return b"".join(chunk.value for chunk in item.items if chunk.major == "bytes" and chunk.value is not None)
    if item.indefinite and item.major == "text":
        return "".join(chunk.value for chunk in item.items if isinstance(chunk.value, str))
    return bytes(item.value) if isinstance(item.value, memoryview) else item.value
