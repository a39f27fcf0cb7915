"""A frame as layers, each cut into its fields: what the anatomy figure draws and its text twin says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from icws_explore.analysis.annotate import Node

from ..rows import one_line

Part = Literal["field", "name", "form", "fault"]

MAX_LAYERS: Final = 8
MIN_BYTES: Final = 8  # of a field worth a layer of its own
_TREE_NODES: Final = ("empty", "fork", "labeled", "leaf", "pruned")


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of bytes within a layer. "name" is a field's name in CBOR, "form" is what holds the encoding together."""

    name: str
    start: int
    end: int
    part: Part
    node: Node


@dataclass(frozen=True, slots=True)
class Layer:
    """``parent`` is the number of the layer that holds it, None for the frame."""

    title: str
    start: int
    end: int
    segments: tuple[Segment, ...]
    parent: int | None

    @property
    def size(self) -> int:
        return self.end - self.start


def layers_of(root: Node) -> list[Layer]:
    """The frame's layers from the outside in; a layer's segments tile it. At most MAX_LAYERS."""
    found: list[Layer] = []
    waiting: list[tuple[Node, int | None]] = [(root, None)]
    while waiting and len(found) < MAX_LAYERS:
        node, parent = waiting.pop(0)
        segments = tuple(_segments(node))
        found.append(Layer(_title(node), node.start, node.end, segments, parent))
        here = len(found) - 1
        waiting[:0] = [(s.node, here) for s in segments if s.part == "field" and _worth_a_layer(s.node)]
    return found


def _title(node: Node) -> str:
    return one_line(node.path)[-60:] or "frame"


def _worth_a_layer(node: Node) -> bool:
    """Whether there is more than one field in it; Candid's type tables are for the field tree."""
    if node.end - node.start < MIN_BYTES or node.name.endswith((":types", ":args")):
        return False
    fields = [segment.node for segment in _segments(node) if segment.part == "field"]
    if len(fields) == 1 and fields[0] is not node and fields[0].children:
        return _worth_a_layer(fields[0])
    return len(fields) > 1


def _segments(node: Node) -> Iterator[Segment]:
    """The fields right inside ``node``: tags, heads and single wrappers around the same thing are passed through."""
    if not node.children:
        yield _segment(node)
        return
    for child in node.children:
        if child.children and child.path == node.path and child.type not in _TREE_NODES:
            yield from _segments(child)  # a tag's content, a byte string's layer
        else:
            yield _segment(child)


def _segment(node: Node) -> Segment:
    name = one_line(node.name)
    if node.fault:
        return Segment(name.partition(":")[0] or "fault", node.start, node.end, "fault", node)
    if name.endswith(":key"):
        return Segment(name.removesuffix(":key"), node.start, node.end, "name", node)
    before, colon, form = name.partition(":")
    if node.type in _TREE_NODES and not colon:
        return Segment("hash tree", node.start, node.end, "field", Node(node.path, node.type, node.start, node.end))
    if not colon:
        return Segment(name or "frame", node.start, node.end, "field", node)
    part: Part = "form" if form in ("head", "tag", "end", "magic") else "field"
    return Segment(form if part == "field" else f"{before}:{form}", node.start, node.end, part, node)
