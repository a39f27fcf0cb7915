"""What every figure shares: paper, fonts, saving, and how it shows in a notebook without pyplot.

What every timing plot shares: limits as shaded bands with their seconds written on them, and its panels.

A band is told apart by its hatch as well as by its colour, so it reads in greyscale.
"""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.capture import Capture

from ..rows import one_line
from ..theme import SHADES, themed

WIDTH_IN: Final = 10.0
DPI: Final = 100
INK, SOFT, RULE, PAPER, LANE, BAD = (SHADES[role].light for role in ("ink", "soft", "rule", "paper", "lane", "bad"))

_SAVE_RC: Final[Any] = {"svg.hashsalt": "icws_explore", "svg.fonttype": "path", "savefig.facecolor": PAPER}


class SessionFigure(Figure):
    """A matplotlib figure on an Agg canvas of its own: nothing global, nothing to close."""

    def __init__(self, height_in: float) -> None:
        self.description = "a figure"  # what it shows, in words, for who cannot see it
        super().__init__(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor=PAPER)
        FigureCanvasAgg(self)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """For what shows no HTML: drawn at twice the size it is shown at."""
        out = io.BytesIO()
        with mpl.rc_context(_SAVE_RC):
            self.savefig(out, format="png", dpi=2 * DPI)
        width, height = self.get_size_inches() * DPI
        return out.getvalue(), {"width": round(width), "height": round(height)}

    def save(self, *paths: str | os.PathLike[str]) -> None:
        """Write the figure to each path, as PNG, SVG or PDF by its suffix; the same figure gives the same SVG."""
        for path in map(Path, paths):
            metadata = {"Date": None} if path.suffix == ".svg" else None
            with mpl.rc_context(_SAVE_RC):
                self.savefig(path, dpi=2 * DPI, metadata=metadata)

    def inline_svg(self, name: str) -> str:
        """The figure as an <svg> element for an HTML page, in colours that follow the page's theme.

        ``name`` is this figure's own in the page: its parts refer to each other by ids made from it.
        """
        out = io.StringIO()
        with mpl.rc_context({**_SAVE_RC, "svg.hashsalt": name}):
            self.savefig(out, format="svg", metadata={"Date": None})
        svg = out.getvalue()
        return themed(svg[svg.index("<svg") :])

    def _repr_html_(self) -> str:
        """For a notebook: as SVG in the theme's colours; in words where its style is stripped."""
        from ..html import figure_view

        return figure_view(self.inline_svg(secrets.token_hex(8)), self.description).html


def plain_axes(axes: Axes) -> None:
    """No frame but the time axis, no ticks that stick out."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(colors=SOFT, labelsize=8, length=3)
    axes.set_facecolor("none")


def title(figure: SessionFigure, heading: str, capture: Capture, left: float) -> None:
    """The heading, and under it whose session it is and how its seconds passed; in words as well."""
    figure.description = f"{heading}: {session_line(capture)}"
    _, height = figure.get_size_inches()
    figure.text(left, 1 - 0.16 / height, heading, ha="left", va="top", fontsize=11, fontweight="bold", color=INK)
    under = session_line(capture)
    figure.text(left, 1 - 0.38 / height, under, ha="left", va="top", fontsize=8, color=SOFT, parse_math=False)


def session_line(capture: Capture) -> str:
    """Canister, length and clock of a capture in a line."""
    canister = capture.info.canister_id
    clock = capture.info.clock
    parts = [] if canister is None else [f"canister {one_line(canister)[:63]}"]
    if clock.kind == "scaled":
        wall = capture.duration_s / clock.scale
        parts.append(f"{capture.duration_s:.1f} s of protocol time")
        parts.append(f"clock scaled × {clock.scale:g}, so {wall:.1f} s on the wall")
    else:
        parts.append(f"{capture.duration_s:.1f} s" + (", virtual clock" if clock.kind == "virtual" else ""))
    return ", ".join(parts)


def time_label(capture: Capture) -> str:
    unit = "protocol seconds" if capture.info.clock.kind != "real" else "seconds"
    return f"{unit} since the first frame"


def one_session(frames: Sequence[DecodedFrame], session: str | None) -> list[DecodedFrame]:
    """The frames of ``session``; of the first one where none is named."""
    chosen = session if session is not None or not frames else frames[0].frame.session
    return [decoded for decoded in frames if decoded.frame.session == chosen]


def nothing(figure: Figure) -> None:
    """Say on the paper that there is nothing to draw."""
    figure.text(0.5, 0.4, "no frames yet", ha="center", va="center", fontsize=10, color=SOFT)


def marker_style(marker: str, color: str, size: float = 6.5) -> dict[str, Any]:
    """How a kind's marker is drawn: filled, with an edge in paper colour that parts neighbours."""
    line = marker in ("|", "$?$")
    edge = color if line else PAPER
    return {
        "marker": marker,
        "markersize": size + (2 if line else 0),
        "color": color,
        "markeredgecolor": edge,
        "markeredgewidth": 1.4 if marker == "|" else 0.6,
        "linestyle": "none",
    }


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
