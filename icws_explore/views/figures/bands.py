"""What every timing plot shares: limits as shaded bands with their seconds written on them, and its panels.

A band is told apart by its hatch as well as by its colour, so it reads in greyscale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.transforms import blended_transform_factory

from icws_explore.capture import Capture

from ..theme import SHADES
from .figure import BAD, INK, PAPER, RULE, SOFT, WIDTH_IN, SessionFigure, plain_axes, time_label, title

Weight = Literal["allowance", "over"]

NOTE: Final = SHADES["note"].light
LEFT_IN: Final = 0.75
RIGHT_IN: Final = 1.5  # room for the limits' words, where no curve runs through them
TOP_IN: Final = 0.95
BOTTOM_IN: Final = 0.62
BETWEEN_IN: Final = 0.62
_FILLS: Final[dict[Weight, tuple[str, float, str]]] = {"allowance": (NOTE, 0.10, "//"), "over": (BAD, 0.13, "xx")}
_HATCH_ALPHA: Final = 0.22


@dataclass(frozen=True, slots=True)
class Band:
    """From ``low`` to ``high`` (seconds; infinite: to the edge of the axes). ``text`` is written at its foot."""

    low: float
    high: float
    weight: Weight
    text: str


def panels(figure: SessionFigure, heights_in: Sequence[float], right_in: float = RIGHT_IN) -> list[Axes]:
    """Axes below each other, each ``heights_in`` high; the figure must be `page_height` of the same heights."""
    total = page_height(heights_in)
    bottom = total - TOP_IN
    found = []
    for height in heights_in:
        bottom -= height
        width = WIDTH_IN - LEFT_IN - right_in
        axes = figure.add_axes((LEFT_IN / WIDTH_IN, bottom / total, width / WIDTH_IN, height / total))
        plain_axes(axes)
        axes.grid(color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        found.append(axes)
        bottom -= BETWEEN_IN
    return found


def page_height(heights_in: Sequence[float]) -> float:
    return TOP_IN + sum(heights_in) + BETWEEN_IN * (len(heights_in) - 1) + BOTTOM_IN


def time_axis(axes: Axes, capture: Capture, start: float, end: float, *, label: bool = True) -> None:
    """Seconds since the first frame along the foot, with a little room on both sides."""
    span = max(end - start, 1.0)
    axes.set_xlim(start - 0.02 * span, end + 0.04 * span)
    if label:
        axes.set_xlabel(time_label(capture), fontsize=8.5, color=SOFT)


def panel_title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=9, fontweight="bold", color=INK, pad=8)


def draw_band(axes: Axes, band: Band, *, along: Literal["x", "y"] = "y") -> None:
    """Shade ``band`` behind everything, with a line at its lower edge.

    Its text stands beside that line, outside of the axes at the right; along x, at its upper end.
    """
    color, alpha, hatch = _FILLS[band.weight]
    edges = axes.get_ylim() if along == "y" else axes.get_xlim()
    low, high = max(band.low, min(edges)), min(band.high, max(edges))
    if low >= high:
        return
    span = axes.axhspan if along == "y" else axes.axvspan
    span(low, high, facecolor=color, alpha=alpha, linewidth=0, zorder=0.5)
    # Not as the patch's alpha: that an SVG applies twice, to the hatch and to what it fills, so that none is seen.
    hatched: dict[str, Any] = {"facecolor": "none", "edgecolor": to_rgba(color, _HATCH_ALPHA)}
    span(low, high, zorder=0.6, hatch=hatch, linewidth=0, **hatched)
    line = axes.axhline if along == "y" else axes.axvline
    line(low, color=color, linewidth=1.2, linestyle=(0, (5, 2)), zorder=1.5)
    style: dict[str, Any] = {"fontsize": 7.5, "color": color, "zorder": 6, "textcoords": "offset points"}
    if along == "y":
        where = blended_transform_factory(axes.transAxes, axes.transData)
        axes.annotate(
            band.text, (1.0, low), (5, 0), xycoords=where, ha="left", va="center", annotation_clip=False, **style
        )
    else:
        where = blended_transform_factory(axes.transData, axes.transAxes)
        note = axes.annotate(band.text, (low, 1.0), (3, -3), xycoords=where, ha="left", va="top", **style)
        note.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.85})


def sheet(
    capture: Capture, heading: str, heights_in: Sequence[float], *, right_in: float = RIGHT_IN
) -> tuple[SessionFigure, list[Axes]]:
    """A page with its heading and its panels; ``right_in`` inches beside them are left for words."""
    figure = SessionFigure(page_height(heights_in))
    title(figure, heading, capture, 0.02)
    return figure, panels(figure, heights_in, right_in)


def legend(axes: Axes, columns: int = 8) -> None:
    """Above the axes, at the right, where nothing is drawn."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=columns, frameon=False, fontsize=8, labelcolor=INK,
            borderaxespad=0.2, handletextpad=0.4, columnspacing=1.4,
        )  # fmt: skip


def write_empty(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=SOFT, fontsize=9)
