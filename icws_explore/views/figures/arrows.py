"""Arrows and their labels in diagrams whose axes are inches from the upper left corner (`inch_axes`)."""

from __future__ import annotations

from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.text import Text

from .figure import BAD, PAPER, marker_style

MARGIN_IN: Final = 0.1  # on both sides of a label
Point = tuple[float, float]


def draw_arrow(
    axes: Axes,
    start: Point,
    end: Point,
    color: str,
    *,
    dashed: bool = False,
    head: bool = True,
    gid: str | None = None,
) -> None:
    """A line from ``start`` to ``end``; with ``head`` an arrow. ``gid`` is its id in an SVG."""
    arrow = axes.annotate(
        "", end, start, zorder=3,
        arrowprops={
            "arrowstyle": "-|>" if head else "-", "color": color, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 1,
            "mutation_scale": 8, "linestyle": (0, (3, 2)) if dashed else "-",
        },
    )  # fmt: skip
    if arrow.arrow_patch is not None:
        arrow.arrow_patch.set_gid(gid)


def draw_cross(axes: Axes, at: Point) -> None:
    """Where a message was lost."""
    axes.plot([at[0]], [at[1]], zorder=4, **marker_style("X", BAD, 7))


def write_label(
    axes: Axes,
    left: float,
    right: float,
    y: float,
    text: str,
    color: str,
    *,
    until: float,
    bold: bool = False,
    is_centred: bool = True,
) -> Text:
    """A label above the arrow from ``left`` to ``right``, in its middle or at its left end.

    One that is longer than its arrow begins at its left end and runs on, and is cut only at ``until``.
    """
    label = axes.text(
        (left + right) / 2, y - 0.025, text, ha="center", va="bottom", fontsize=7.2, color=color, zorder=5,
        fontweight="bold" if bold else "normal", parse_math=False,
    )  # fmt: skip
    width = width_in(label)
    if is_centred and width <= right - left - 2 * MARGIN_IN:
        return label
    label.set_horizontalalignment("left")
    label.set_x(left + MARGIN_IN)
    label.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 0.5})  # a lifeline may pass behind it
    room = until - left - 2 * MARGIN_IN
    while width > room and len(text) > 1:
        text = text[: max(1, min(len(text) - 1, int(len(text) * room / width)))]
        label.set_text(f"{text}…")
        width = width_in(label)
    return label


def width_in(label: Text) -> float:
    """The width of a text as it is drawn, in inches."""
    figure: Any = label.figure
    return float(label.get_window_extent(figure.canvas.get_renderer()).width / figure.dpi)


def left_of(label: Text) -> float:
    """Where a label begins, in inches."""
    x = float(label.get_position()[0])
    return x - width_in(label) / 2 if label.get_horizontalalignment() == "center" else x
