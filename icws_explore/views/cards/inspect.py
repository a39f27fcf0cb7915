"""`icws_explore.inspect`: one frame as a tree of fields next to its bytes, in hexadecimal and as ASCII.

Pointing at a field, or reaching it with the Tab key, marks its bytes, and pointing at bytes marks their field. That
is done by style rules without any script, so it also works in exported HTML.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from markupsafe import Markup

from icws_explore.analysis.annotate import Node, annotate_frame
from icws_explore.analysis.decode import DecodedFrame, application_type, decode_at
from icws_explore.protocol import candid

from ..annotated_text import annotated_frame_lines, is_encoding
from ..formatting import elide, one_line, shorten
from ..html import TEXT_WIDTH, View, render, view_of
from ..source import RecordingLike, capture_of, frame_index
from ..text import plain

BYTES_A_ROW: Final = 16
MAX_LEAF_BYTES: Final = 512  # of one field; of a longer one whole rows in the middle are left out
_HEAD_BYTES, _TAIL_BYTES = 256, 128  # shown of a longer field, at least
MAX_NODES: Final = 3_000  # frames of the protocol have a few hundred
MAX_VALUE: Final = 100  # characters
_OPEN_DEPTH: Final = 9  # deeper fields are closed at first
_CLOSED: Final = ("cert", "tree", "types", "certificate")  # long, and not what a reader looks for first


@dataclass(slots=True)
class Run:
    """Consecutive bytes of a leaf; ``left_out`` bytes before them, whole rows, are not shown."""

    left_out: int
    hex: list[str]
    ascii: str


@dataclass(slots=True)
class PaneNode:
    """A field as the template takes it. ``number`` ties it to its bytes; ``runs`` are those of a leaf."""

    number: int
    name: str
    type: str
    value: str
    meaning: str
    fault: str
    is_open: bool
    is_encoding: bool
    runs: list[Run] = field(default_factory=list)
    children: list[PaneNode] = field(default_factory=list)

    def walk(self) -> Iterator[PaneNode]:
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))


def inspect(recording: RecordingLike, number: int) -> View:
    """Show frame ``number`` of a recording, a session or a tap: every field next to its bytes.

    A negative number counts from the end. Raises IndexError.
    """
    capture = capture_of(recording)
    index = frame_index(capture, number)
    return inspect_view(decode_at(capture, index), app_type=application_type(capture))


def inspect_view(decoded: DecodedFrame, *, app_type: candid.Type | None = None) -> View:
    """The fields of ``decoded`` next to its bytes. Time and size are bounded for every frame."""
    root = annotate_frame(decoded.frame, app_type=app_type)
    data = decoded.frame.data
    pane = pane_tree(root, data)
    scope = f"icws-x{hashlib.sha256(data).hexdigest()[:10]}"
    body = render(
        "inspect.html.j2",
        root=pane,
        scope=scope,
        size=len(data),
        rules=marking_rules(scope, pane),
        offsets=list(row_offsets(pane)),
        has_encoding=any(node.is_encoding for node in pane.walk()),
    )
    return view_of(body, plain(annotated_frame_lines(decoded, root, width=TEXT_WIDTH)), "inspect.css")


def pane_tree(root: Node, data: bytes) -> PaneNode:
    """The tree for the template. Beyond `MAX_NODES` the parts of a field are shown as its bytes only."""
    numbers = iter(range(MAX_NODES * 2))
    left = MAX_NODES

    def convert(node: Node, depth: int) -> PaneNode:
        nonlocal left
        inner = list(_children(node))
        below = inner if len(inner) <= left else []
        left -= len(below)
        shown = _pane_node(node, next(numbers), depth)
        shown.children = [convert(child, depth + 1) for child in below]
        if not below:
            shown.runs = list(_runs(data, node.start, node.end))
        return shown

    return convert(root, 0)


def _children(node: Node) -> Iterator[Node]:
    """The parts of a node. A part that only wraps the same field (a tag, a byte string) is replaced by its own."""
    for child in node.children:
        if child.children and child.path == node.path and not child.fault:
            yield from _children(child)
        else:
            yield child


def _pane_node(node: Node, number: int, depth: int) -> PaneNode:
    return PaneNode(
        number=number,
        name=one_line(node.name.rpartition(":")[2] or node.type),
        type=one_line(node.type) if node.name else "",
        value=_value_text(node.value),
        meaning=one_line(node.meaning),
        fault=one_line(node.fault or ""),
        is_open=(depth < _OPEN_DEPTH and node.name not in _CLOSED) or any(below.fault for below in node.walk()),
        is_encoding=is_encoding(node) or (node.type == "type table" and not node.fault),
    )


def _value_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return shorten(elide(value) if isinstance(value, bytes) else one_line(str(value)), MAX_VALUE)


def _runs(data: bytes, start: int, end: int) -> Iterator[Run]:
    """The bytes of a leaf. What is left out begins and ends with a row, so that offsets stay true."""
    first = -(-(start + _HEAD_BYTES) // BYTES_A_ROW) * BYTES_A_ROW
    last = (end - _TAIL_BYTES) // BYTES_A_ROW * BYTES_A_ROW
    if end - start <= MAX_LEAF_BYTES or first >= last:
        yield _run(data[start:end], 0)
    else:
        yield _run(data[start:first], 0)
        yield _run(data[last:end], last - first)


def _run(data: bytes, left_out: int) -> Run:
    return Run(left_out, [f"{byte:02x}" for byte in data], "".join(chr(b) if 32 <= b < 127 else "·" for b in data))


def row_offsets(root: PaneNode) -> Iterator[str]:
    """The offset of each row of bytes in hexadecimal, and an ellipsis for the rows that are left out."""
    at = row = 0
    for node in root.walk():
        for run in node.runs:
            if run.left_out:
                at += run.left_out
                row = at
                yield "⋮"
            at += len(run.hex)
            for offset in range(row, at, BYTES_A_ROW):
                yield f"{offset:04x}"
                row = offset + BYTES_A_ROW


def marking_rules(scope: str, root: PaneNode) -> Markup:
    """The rules that mark a field's bytes when its label is pointed at, and a leaf's label for its bytes."""
    rules = []
    for node in root.walk():
        label = f".{scope} .t{node.number}>.icws-hl,.{scope} .t{node.number}>details>summary>.icws-hl"
        pointed = (
            f".t{node.number}>.icws-hl:is(:hover,:focus),.t{node.number}>details>summary>.icws-hl:is(:hover,:focus)"
        )
        rules.append(f".{scope}:has({pointed}) .h{node.number}{{background:var(--icws-mark)}}")
        if not node.children:
            rules.append(
                f".{scope}:has(.h{node.number}:hover) .h{node.number},"
                f".{scope}:has(.h{node.number}:hover) :is({label}){{background:var(--icws-mark)}}"
            )
    return Markup("\n".join(rules))  # noqa: S704  # numbers and a digest
