"""From scanned CBOR to named fields, layer by layer, down to Candid values and hash-tree nodes."""

from __future__ import annotations

from typing import Final

from .candid_layer import candid_nodes
from .cbor_scan import Fault, Item, scan
from .meanings import Context
from .node import Node
from .shapes import CANISTER_RANGES, CERTIFICATE, HASH_TREE, PLAIN, WEBSOCKET_MESSAGE, Shape
from .tree_layer import tree_node

MAX_LAYERS: Final = 8  # frame, message, certificate, delegation's certificate, ranges: real ones need 5


class Layers:
    """Reads one frame. ``service`` is known once the message around the innermost content is."""

    def __init__(self, data: bytes, context: Context) -> None:
        self.data = data
        self.context = context
        self.depth = 0

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
        at_fault.fault = fault.reason
        return nodes

    def tag(self, path: str, item: Item) -> Node:
        about = "self-describe tag: CBOR follows" if item.value == 55799 else f"tag {item.value}"
        return Node(f"{path}:tag", "tag", item.start, item.head_end, item.value, about)

    def item(self, path: str, item: Item, shape: Shape) -> Node:
        """The node of one item, and those below it."""
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
                return self.inner(path, item, shape)
            case _:
                return self.scalar(path, item, shape)

    def scalar(self, path: str, item: Item, shape: Shape) -> Node:
        kind = f"{item.major}({len(item.value)})" if item.major in ("bytes", "text") and item.complete else item.major
        node = Node(path, kind, item.start, item.end, item.value)
        if item.indefinite and item.items:
            node.children = [self.head(path, item, "in chunks")]
            node.children += [self.scalar(f"{path}.{i}", chunk, PLAIN) for i, chunk in enumerate(item.items)]
            self.close(node, item)
        elif shape.explain is not None and item.complete:
            node.meaning = shape.explain(item.value, self.context)
        return node

    def map(self, path: str, item: Item, shape: Shape) -> Node:
        pairs = (len(item.items) + 1) // 2
        node = Node(path, f"map({pairs})", item.start, item.end, children=[self.head(path, item, f"{pairs} fields")])
        for i in range(0, len(item.items), 2):
            key = item.items[i]
            name = key.value if isinstance(key.value, str) else f"key {i // 2}"
            below = f"{path}.{name}" if path else name
            node.children.append(Node(f"{below}:key", key.major, key.start, key.end, key.value, "name of the field"))
            if i + 1 < len(item.items):
                node.children.append(self.item(below, item.items[i + 1], shape.fields.get(name, PLAIN)))
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

    def inner(self, path: str, item: Item, shape: Shape) -> Node:
        """A byte string that holds another layer: its head, then the layer."""
        node = Node(path, f"bytes({len(item.value)})", item.start, item.end)
        if self.depth >= MAX_LAYERS or not item.value:
            node.value = item.value
            return node
        self.depth += 1
        start, end = item.head_end, item.end
        match shape.inner:
            case "candid":
                below = candid_nodes(self.data, path, start, end, self.context)
            case "hash_tree":
                below = self.cbor(path, start, end, HASH_TREE)
            case "certificate":
                below = self.cbor(path, start, end, CERTIFICATE)
            case "canister_ranges":
                below = self.cbor(path, start, end, CANISTER_RANGES)
            case _:
                below = self.cbor(path, start, end, WEBSOCKET_MESSAGE)
        self.depth -= 1
        node.children = [self.head(path, item, f"{len(item.value)} bytes"), *below]
        return node
