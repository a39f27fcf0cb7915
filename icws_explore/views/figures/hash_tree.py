"""Hash trees from the root on the left to the values on the right, with the paths of a proof lit.

Lit parts are thick, dark and bold; pruned parts are grey, dashed and named as such. So the figure can be read in
greyscale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from icws_explore.protocol.hashtree import HashTree

from ..kinds import LOOKS
from ..proof import Path, ProofNode, proof_tree, tree_text
from .figure import INK, LANE, PAPER, RULE, SCREEN, SOFT, Paper, SessionFigure, inch_axes

LIT: Final = LOOKS["message"].light
ROW_IN: Final = 0.27
TITLE_IN: Final = 0.62
FONT_PT: Final = 7.5
_LEGEND_IN: Final = 0.45
_CHARACTER_IN: Final = 0.62 * FONT_PT / 72  # of the monospaced font, with a little air
_MARGIN_IN: Final = 0.25
_PAD_IN: Final = 0.07
_STEP_IN: Final = 0.26  # from a node to its children, if there is room
_MIN_STEP_IN: Final = 0.05
_HIDDEN: Final = ("pruned", "empty", "folded")
_LIT_LINE: Final[dict[str, Any]] = {"color": LIT, "linewidth": 2.6}
_LINE: Final[dict[str, Any]] = {"color": SOFT, "linewidth": 0.9}
_PRUNED_LINE: Final[dict[str, Any]] = {"color": SOFT, "linewidth": 0.9, "linestyle": (0, (3, 2))}


@dataclass(slots=True)
class _Place:
    """Where a node is drawn, in inches: from ``left`` to ``right``, in the middle of ``row``."""

    node: ProofNode
    left: float
    right: float
    row: float
    below: list[_Place]

    def walk(self) -> Iterator[_Place]:
        stack = [self]
        while stack:
            place = stack.pop()
            yield place
            stack.extend(reversed(place.below))


def hash_tree_figure(trees: Sequence[tuple[str, HashTree, Sequence[Path]]], *, paper: Paper = SCREEN) -> SessionFigure:
    """Trees below each other. Each is given as (heading, tree, lit paths).

    On paper that is too narrow for the widest tree all is printed smaller.
    """
    roots = [(heading, proof_tree(tree, paths)) for heading, tree, paths in trees]
    if paper is not SCREEN:
        paper = paper.widened(max(_width_in(root) for _, root in roots))
    legend_in = _LEGEND_IN * (2 if paper.is_narrow else 1)
    height = sum(TITLE_IN + root.rows * ROW_IN for _, root in roots) + legend_in
    figure = SessionFigure(height, paper)
    axes = inch_axes(figure)
    top = 0.0
    for heading, root in roots:
        axes.text(_MARGIN_IN, top + 0.22, heading, fontsize=11, fontweight="bold", color=INK, va="center")
        digest = root.digest.hex()
        line = f"root hash 0x{f'{digest[:24]}…{digest[-8:]}' if paper.is_narrow else digest}"
        axes.text(_MARGIN_IN, top + 0.43, line, fontsize=FONT_PT, color=SOFT, va="center", family="monospace")
        draw_tree(axes, root, top + TITLE_IN)
        top += TITLE_IN + root.rows * ROW_IN
    if any(root.lit for _, root in roots):  # without a proof, nothing is needed or not
        _legend(axes, height - 0.2, is_narrow=paper.is_narrow)
    figure.description = "\n\n".join(f"{heading}\n{tree_text(root)}" for heading, root in roots)
    return figure


def draw_tree(axes: Axes, root: ProofNode, top: float) -> None:
    """Draw ``root`` into axes whose units are inches, with its first row below ``top``."""
    step = _STEP_IN
    place = _placed(root, _MARGIN_IN, 0, step)
    width_in = max(axes.get_xlim())
    while max(each.right for each in place.walk()) > width_in - _MARGIN_IN and step > _MIN_STEP_IN:
        step -= 0.03
        place = _placed(root, _MARGIN_IN, 0, step)
    for each in place.walk():
        for below in each.below:
            _connect(axes, each, below, top, step)
    for each in place.walk():
        _draw_node(axes, each, top)


def _width_in(root: ProofNode) -> float:
    """The width of the narrowest paper for a tree."""
    return max(each.right for each in _placed(root, _MARGIN_IN, 0, _MIN_STEP_IN + 0.03).walk()) + _MARGIN_IN


def _placed(node: ProofNode, left: float, first_row: int, step: float) -> _Place:
    """Each leaf has its own row. A parent is in the row of its first lit child, or else in the middle."""
    right = left + (len(node.text) * _CHARACTER_IN + 2 * _PAD_IN if node.text else 0.0)
    below, row = [], first_row
    for child in node.children:
        below.append(_placed(child, right + step, row, step))
        row += child.rows
    if not below:
        return _Place(node, left, right, first_row + 0.5, [])
    lit = [place.row for place in below if place.node.lit]
    return _Place(node, left, right, lit[0] if lit else (below[0].row + below[-1].row) / 2, below)


def _connect(axes: Axes, above: _Place, below: _Place, top: float, step: float) -> None:
    turn = above.right + min(step / 2, 0.1)
    y0, y1 = top + above.row * ROW_IN, top + below.row * ROW_IN
    if above.node.lit and below.node.lit:
        style = _LIT_LINE | {"zorder": 3}
    else:
        style = (_PRUNED_LINE if below.node.kind in _HIDDEN else _LINE) | {"zorder": 2}
    axes.plot([above.right, turn, turn, below.left], [y0, y0, y1, y1], solid_capstyle="round", **style)


def _draw_node(axes: Axes, place: _Place, top: float) -> None:
    node, y = place.node, top + place.row * ROW_IN
    if node.kind == "fork":
        size, color = (5.5, LIT) if node.lit else (3.5, SOFT)
        axes.plot([place.left], [y], marker="o", markersize=size, color=color, zorder=4)
        return
    grey = node.kind in _HIDDEN
    edge = LIT if node.lit else RULE if grey else SOFT
    box = FancyBboxPatch(
        (place.left, y - 0.095), place.right - place.left, 0.19,
        boxstyle=f"round,pad=0,rounding_size={0.09 if node.kind == 'label' else 0.01}",
        facecolor=LANE if grey else PAPER, edgecolor=edge, linewidth=1.8 if node.lit else 0.8,
        linestyle=(0, (3, 2)) if grey else "solid", zorder=4,
    )  # fmt: skip
    axes.add_patch(box)
    axes.text(
        place.left + _PAD_IN, y, node.text, family="monospace", fontsize=FONT_PT, va="center_baseline", zorder=5,
        fontweight="bold" if node.lit else "normal", color=SOFT if grey else INK, parse_math=False,
    )  # fmt: skip


def _legend(axes: Axes, y: float, *, is_narrow: bool) -> None:
    x = _MARGIN_IN
    if is_narrow:  # the third part is below the others
        y -= 0.22
    for text, style in (
        ("on a path of the proof", _LIT_LINE),
        ("shown, but not needed", _LINE),
        ("pruned: only the hash is given", _PRUNED_LINE),
    ):
        axes.plot([x, x + 0.35], [y, y], **style)
        axes.text(x + 0.42, y, text, fontsize=8, color=SOFT, va="center")
        x += 0.42 + 0.075 * len(text) + 0.3
        if is_narrow and text.startswith("shown"):
            x, y = _MARGIN_IN, y + 0.22
