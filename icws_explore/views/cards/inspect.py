"""`icws_explore.inspect`: one frame, every field beside its bytes.

One frame as a tree of fields beside its bytes: pointing at either marks the other.

The marking is done by style rules, without any script, so it works in exported HTML too; a field
that is pointed at with the keyboard (Tab) marks its bytes as well. Without style the text twin shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

from markupsafe import Markup

from icws_explore.analysis.annotate import Node, annotate_frame
from icws_explore.analysis.decode import DecodedFrame, application_type, decode_at
from icws_explore.protocol import candid

from ..annotated_text import annotated_frame_lines
from ..facts import Subject, capture_of
from ..html import View, render, style
from ..rows import elide, one_line

BYTES_A_ROW: Final = 16
MAX_LEAF_BYTES: Final = 512  # of one field; the rest is counted
MAX_NODES: Final = 3_000  # the views of real frames have some hundred
MAX_VALUE: Final = 80  # characters
_OPEN_DEPTH: Final = 9  # a certificate's tree starts there; it opens on demand
_FORM_TYPES: Final = ("head", "tag", "break")
_TEXT_WIDTH: Final = 100


@dataclass(slots=True)
class PaneNode:
    """A node as the template takes it; ``number`` ties the field in the tree to its bytes."""

    number: int
    name: str
    type: str
    value: str
    meaning: str
    fault: str
    is_open: bool
    is_form: bool
    bytes: list[str] = field(default_factory=list)
    left_out: int = 0
    children: list[PaneNode] = field(default_factory=list)

    def walk(self) -> Iterator[PaneNode]:
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(node.children)


def hex_view(decoded: DecodedFrame, *, app_type: candid.Type | None = None) -> View:
    """The tree of ``decoded``'s fields beside its bytes. Time and size are bounded, whatever the frame holds."""
    root = annotate_frame(decoded.frame, app_type=app_type)
    data = decoded.frame.data
    pane = pane_tree(root, data)
    scope = f"icws-x{hashlib.sha256(data).hexdigest()[:10]}"
    body = render(
        "hex_pane.html.j2",
        root=pane,
        scope=scope,
        size=len(data),
        rules=marking_rules(scope, pane),
        offsets=[f"{offset:04x}" for offset in range(0, max(1, _shown_bytes(pane)), BYTES_A_ROW)],
    )
    lines = annotated_frame_lines(decoded, root, width=_TEXT_WIDTH)
    text = "\n".join(line.plain for line in lines)
    return View(str(render("view.html.j2", style=style() + _pane_style(), text=text, body=body)), text)


def pane_tree(root: Node, data: bytes) -> PaneNode:
    """The template's tree; beyond MAX_NODES what is below a field is shown as its bytes only."""
    numbers = iter(range(MAX_NODES * 2))
    left = MAX_NODES

    def convert(node: Node, depth: int) -> PaneNode:
        nonlocal left
        below = node.children if len(node.children) <= left else []
        left -= len(below)
        shown = _pane_node(node, next(numbers), depth)
        shown.children = [convert(child, depth + 1) for child in below]
        if not below:
            content = data[node.start : node.end]
            shown.bytes = [f"{byte:02x}" for byte in content[:MAX_LEAF_BYTES]]
            shown.left_out = max(0, len(content) - MAX_LEAF_BYTES)
        return shown

    return convert(root, 0)


def _pane_node(node: Node, number: int, depth: int) -> PaneNode:
    return PaneNode(
        number=number,
        name=one_line(node.name or node.type),
        type=one_line(node.type) if node.name else "",
        value=_value_text(node.value),
        meaning=one_line(node.meaning),
        fault=one_line(node.fault or ""),
        is_open=(depth < _OPEN_DEPTH and not _is_proof(node)) or any(below.fault for below in node.walk()),
        is_form=node.type in _FORM_TYPES or node.name.endswith((":key", ":head", ":tag", ":end")),
    )


def _is_proof(node: Node) -> bool:
    """A certificate, a witness or a type table: long, and not what one looks for first."""
    return node.name in ("cert", "tree", "types", "certificate")


def _value_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = elide(value) if isinstance(value, bytes) else one_line(str(value))
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


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


def _shown_bytes(root: PaneNode) -> int:
    return sum(len(node.bytes) for node in root.walk())


@cache
def _pane_style() -> Markup:
    rules = resources.files("icws_explore.views").joinpath("hex_pane.css").read_text(encoding="utf-8")
    return Markup(rules)  # noqa: S704  # our own file


def inspect(subject: Subject, number: int) -> View:
    """Frame ``number`` of a capture, a recording or a session (negative: from the end).

    A tree of fields beside the bytes; pointing at either marks the other. Raises IndexError.
    """
    capture = capture_of(subject)
    index = number if number >= 0 else len(capture) + number
    if not 0 <= index < len(capture):
        raise IndexError(f"there is no frame {number}: the capture holds {len(capture)}")
    return hex_view(decode_at(capture, index), app_type=application_type(capture))
