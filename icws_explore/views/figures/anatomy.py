"""The byte map of a frame: each layer a bar that is as long as the figure, opened out of its place in the layer above.

Fields differ by their names and by alternating shades; field names and the framing of the encoding are hatched.
So the figure can be read in greyscale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import Polygon, Rectangle

from icws_explore.analysis.annotate import Node

from ..formatting import one_line
from ..kinds import LOOKS
from ..proof import short_label
from .figure import BAD, INK, LANE, PAPER, RULE, SCREEN, SOFT, Paper, SessionFigure, inch_axes, wrapped

Part = Literal["field", "name", "form", "fault"]

MAX_LAYERS: Final = 8
MIN_BYTES: Final = 8  # of a field that gets a layer of its own
_TREE_NODES: Final = ("empty", "fork", "labeled", "leaf", "pruned")


@dataclass(frozen=True, slots=True)
class Segment:
    """Some bytes of a layer: a field, the name of a field in CBOR, framing ("form") or undecodable bytes ("fault")."""

    name: str
    start: int
    end: int
    part: Part
    node: Node


@dataclass(frozen=True, slots=True)
class Layer:
    """A part of the frame, cut into segments. ``parent`` is the number of the layer around it, None for the frame."""

    title: str
    start: int
    end: int
    segments: tuple[Segment, ...]
    parent: int | None

    @property
    def size(self) -> int:
        return self.end - self.start

    @property
    def text(self) -> str:
        return f"{self.title}, bytes {self.start} to {self.end} ({self.size})"


def layers_of(root: Node) -> list[Layer]:
    """The layers of an annotated frame from the outside in, at most `MAX_LAYERS`. The segments of each tile it."""
    found: list[Layer] = []
    waiting: list[tuple[Node, int | None]] = [(root, None)]
    while waiting and len(found) < MAX_LAYERS:
        node, parent = waiting.pop(0)
        segments = tuple(_segments(node))
        found.append(Layer(one_line(node.path)[-60:] or "frame", node.start, node.end, segments, parent))
        here = len(found) - 1
        waiting[:0] = [(s.node, here) for s in segments if s.part == "field" and _has_layer(s.node)]
    return found


def _has_layer(node: Node) -> bool:
    """Whether a field has a layer of its own: it holds several fields, and is no type table of Candid."""
    if node.end - node.start < MIN_BYTES or node.name.endswith((":types", ":args")):
        return False
    fields = [segment.node for segment in _segments(node) if segment.part == "field"]
    if len(fields) == 1 and fields[0] is not node and fields[0].children:
        return _has_layer(fields[0])
    return len(fields) > 1


def _segments(node: Node) -> Iterator[Segment]:
    """The fields directly inside ``node``. A tag or a byte string around the same value is looked through."""
    if not node.children:
        yield _segment(node)
        return
    for child in node.children:
        if child.children and child.path == node.path and child.type not in _TREE_NODES:
            yield from _segments(child)
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


_LEFT_IN: Final = 0.35
_BAR_IN: Final = 0.34
_TITLE_IN: Final = 0.26
_LABEL_IN: Final = 0.155  # a row of labels below a bar
_GAP_IN: Final = 0.32
_HEAD_IN: Final = 0.75
_FONT_PT: Final = 7.5
_CHARACTER_IN: Final = 0.066
_TITLE_CHARACTER_IN: Final = 0.08
# Colours of the theme, so that they follow it; of different lightness, so that neighbours differ in greyscale.
_FILLS: Final = (to_rgba(LOOKS["message"].light, 0.24), to_rgba(LOOKS["app"].light, 0.08))
_MAX_ROWS, _NARROW_ROWS = 4, 6  # of labels below a bar


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A layer with the place of its bar and of its labels. ``top`` is the upper edge of the bar in inches.

    ``below`` has each label that does not fit into the bar: the segment, its left edge in inches, and its row.
    """

    layer: Layer
    top: float
    inside: list[Segment]
    below: list[tuple[Segment, float, int]]
    right_in: float  # where the bar ends

    def x(self, offset: float) -> float:
        """A byte offset as inches from the left."""
        return _LEFT_IN + (offset - self.layer.start) / max(1, self.layer.size) * (self.right_in - _LEFT_IN)

    def middle(self, segment: Segment) -> float:
        return self.x((segment.start + segment.end) / 2)


def anatomy_figure(root: Node, heading: str, *, paper: Paper = SCREEN) -> SessionFigure:
    """The layers of an annotated frame below each other, each to its own scale."""
    drawn: list[_Drawn] = []
    top = _HEAD_IN + paper.more_top_in
    for layer in layers_of(root):
        each = _laid_out(layer, top + _TITLE_IN, paper)
        drawn.append(each)
        rows = 1 + max((row for _, _, row in each.below), default=-1)
        top = each.top + _BAR_IN + rows * _LABEL_IN + _GAP_IN
    figure = SessionFigure(top + 0.15, paper)
    axes = inch_axes(figure)
    axes.text(_LEFT_IN, 0.25, heading, fontsize=11, fontweight="bold", color=INK, va="center", parse_math=False)
    note = "Each bar is one layer, with its bytes to scale. Hatched: field names and framing of the encoding."
    for number, line in enumerate(wrapped(note, paper, 8)):
        axes.text(_LEFT_IN, 0.48 + 0.16 * number, line, fontsize=8, color=SOFT, va="center")
    for each in drawn:
        _draw_layer(axes, each, None if each.layer.parent is None else drawn[each.layer.parent])
    figure.description = anatomy_text(root, heading)
    return figure


def _laid_out(layer: Layer, top: float, paper: Paper) -> _Drawn:
    """Which fields have their label inside the bar, and where below it the others have theirs."""
    each = _Drawn(layer, top, [], [], paper.width_in - _LEFT_IN)
    ends = [0.0] * (_NARROW_ROWS if paper.is_narrow else _MAX_ROWS)
    for segment in layer.segments:
        if segment.part not in ("field", "fault"):
            continue
        width = len(_label(segment)) * _CHARACTER_IN
        if width + 0.08 < each.x(segment.end) - each.x(segment.start):
            each.inside.append(segment)
            continue
        middle = each.middle(segment)
        x = middle if middle + width < each.right_in else middle - width - 0.06  # to the left of its line if need be
        row = next((number for number, end in enumerate(ends) if end < x), None)
        if row is not None:  # else there is no room, and only the description names it
            each.below.append((segment, x, row))
            ends[row] = x + width + 0.12
    return each


def _label(segment: Segment) -> str:
    """The name and the size of a field. An index of a list is in brackets."""
    name = short_label(segment.name)
    return f"{f'[{name}]' if name.isdecimal() else name} {segment.end - segment.start}"


def _title(layer: Layer, right_in: float) -> str:
    """The title of a bar; of a path that is too long for it, the end."""
    over = len(layer.text) - int((right_in - _LEFT_IN) / _TITLE_CHARACTER_IN)
    return layer.text if over <= 0 else f"…{layer.text[over + 1 :]}"


def _draw_layer(axes: Axes, each: _Drawn, parent: _Drawn | None) -> None:
    layer, top = each.layer, each.top
    if parent is not None:
        _draw_funnel(axes, each, parent)
    text = axes.text(
        _LEFT_IN, top - 0.11, _title(layer, each.right_in), fontsize=8.5, fontweight="bold", color=INK, va="center",
        parse_math=False, zorder=6,
    )  # fmt: skip
    text.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 1.0, "alpha": 0.85})
    fields = 0
    for segment in layer.segments:
        left, right = each.x(segment.start), each.x(segment.end)
        named = segment.part in ("field", "fault")
        fields += named
        color = "none" if segment.part == "fault" else _FILLS[fields % 2] if named else LANE
        edge = BAD if segment.part == "fault" else SOFT if named else RULE
        axes.add_patch(Rectangle((left, top), right - left, _BAR_IN, facecolor=color, edgecolor=edge, linewidth=0.6))
        if segment.part != "field":  # a patch of its own: one with a face would keep its colours on a dark page
            hatch = "xx" if segment.part == "fault" else "////"
            axes.add_patch(
                Rectangle(
                    (left, top), right - left, _BAR_IN, facecolor="none", edgecolor=edge, hatch=hatch, linewidth=0
                )
            )
    for segment in each.inside:
        _write(axes, each.middle(segment), top + _BAR_IN / 2, segment, "center")
    for segment, x, row in each.below:
        middle = each.middle(segment)
        y = top + _BAR_IN + (row + 0.6) * _LABEL_IN
        axes.plot([middle, middle], [top + _BAR_IN, y], color=SOFT, linewidth=0.6, zorder=2)
        if x < middle:
            _write(axes, middle - 0.03, y, segment, "right")
        else:
            _write(axes, middle + 0.03, y, segment, "left")


def _write(axes: Axes, x: float, y: float, segment: Segment, align: str) -> None:
    text = axes.text(
        x, y, _label(segment), fontsize=_FONT_PT, ha=align, va="center", zorder=5, parse_math=False,
        color=BAD if segment.part == "fault" else INK,
    )  # fmt: skip
    if align != "center":
        text.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 0.5})


def _draw_funnel(axes: Axes, each: _Drawn, parent: _Drawn) -> None:
    """From a layer's place in the layer around it down to its own bar. Only neighbours are joined by lines."""
    corners = [
        (parent.x(each.layer.start), parent.top + _BAR_IN), (parent.x(each.layer.end), parent.top + _BAR_IN),
        (each.right_in, each.top), (_LEFT_IN, each.top),
    ]  # fmt: skip
    neighbour = each.top - parent.top < 2 * _BAR_IN + _GAP_IN + _TITLE_IN + _MAX_ROWS * _LABEL_IN
    axes.add_patch(Polygon(corners, closed=True, facecolor=LANE if neighbour else "none", alpha=0.7, zorder=0.5))
    if neighbour:
        for (x0, y0), (x1, y1) in ((corners[0], corners[3]), (corners[1], corners[2])):
            axes.plot([x0, x1], [y0, y1], color=RULE, linewidth=0.7, zorder=1)


def anatomy_text(root: Node, heading: str) -> str:
    """Every layer with its fields and their bytes, on lines."""
    lines = [heading]
    for layer in layers_of(root):
        lines.append(layer.text)
        lines += [
            f"  {s.start:>6} to {s.end:<6} {'' if s.part == 'field' else f'({s.part}) '}{s.name}"
            for s in layer.segments
        ]
    return "\n".join(lines)
