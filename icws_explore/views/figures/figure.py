"""What every figure shares: its paper and heading, panels with a time axis, bands, markers and legends.

Figures do without pyplot: each has an Agg canvas of its own, so nothing is global and nothing needs closing. They
are drawn in the colours of the light theme; as inline SVG they take those of the page. A hollow marker always
means "inferred": no frame tells it. A time axis never runs backwards: frames whose times contradict their order are
left out, and the line under the heading says so.
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
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from icws_explore.analysis.decode import DecodedFrame, shared_frames
from icws_explore.analysis.order import misplaced, out_of_order
from icws_explore.capture import Capture

from ..facts import order_text
from ..formatting import one_line
from ..theme import SHADES, themed

WIDTH_IN: Final = 10.0
DPI: Final = 100
INK, SOFT, RULE, PAPER, LANE, BAD, NOTE = (
    SHADES[role].light for role in ("ink", "soft", "rule", "paper", "lane", "bad", "note")
)
HEADING_LEFT: Final = 0.02  # of the figure's width

# Of a sheet: the margins around its panels and between them, in inches.
LEFT_IN: Final = 0.75
RIGHT_IN: Final = 1.5  # room for the labels of limits
TOP_IN: Final = 0.95
BOTTOM_IN: Final = 0.62
BETWEEN_IN: Final = 0.62

_EMPTY_IN: Final = 1.6  # height of a figure without frames
_SAVE_RC: Final[Any] = {"svg.hashsalt": "icws_explore", "svg.fonttype": "path", "savefig.facecolor": PAPER}


class SessionFigure(Figure):
    """A matplotlib figure that shows itself in a notebook. ``description`` says in words what it shows."""

    def __init__(self, height_in: float) -> None:
        self.description = "a figure"
        super().__init__(figsize=(WIDTH_IN, height_in), dpi=DPI, facecolor=PAPER)
        FigureCanvasAgg(self)

    def save(self, *paths: str | os.PathLike[str]) -> None:
        """Write the figure to each path, as PNG, SVG or PDF by its suffix. The same figure gives the same SVG."""
        for path in map(Path, paths):
            metadata = {"Date": None} if path.suffix == ".svg" else None
            with mpl.rc_context(_SAVE_RC):
                self.savefig(path, dpi=2 * DPI, metadata=metadata)

    def inline_svg(self, name: str) -> str:
        """The figure as an <svg> element whose colours follow the page's theme.

        ``name`` must be unique within the page: the ids inside the element are made from it.
        """
        out = io.StringIO()
        with mpl.rc_context({**_SAVE_RC, "svg.hashsalt": name}):
            self.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
        svg = out.getvalue()
        return themed(svg[svg.index("<svg") :])

    def _repr_html_(self) -> str:
        """For a notebook: SVG in the theme's colours, or the description where its style is stripped."""
        from ..html import figure_view

        return figure_view(self.inline_svg(secrets.token_hex(8)), self.description).html

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """For viewers without HTML: a PNG at twice the size at which it is shown."""
        out = io.BytesIO()
        with mpl.rc_context(_SAVE_RC):
            self.savefig(out, format="png", dpi=2 * DPI)
        width, height = self.get_size_inches() * DPI
        return out.getvalue(), {"width": round(width), "height": round(height)}


def drawn_frames(capture: Capture, frames: Sequence[DecodedFrame] | None = None) -> list[DecodedFrame]:
    """The frames of a recording that a figure draws: those whose times do not contradict their order.

    ``frames`` are the recording's frames, or some of them, if they are decoded already.
    """
    known = list(shared_frames(capture)) if frames is None else list(frames)
    left_out = set(misplaced((decoded.number, decoded.frame) for decoded in known))
    return [decoded for decoded in known if decoded.number not in left_out] if left_out else known


def one_session(frames: Sequence[DecodedFrame], session: str | None) -> list[DecodedFrame]:
    """The frames of ``session``, or of the first session if it is None."""
    chosen = session if session is not None or not frames else frames[0].frame.session
    return [decoded for decoded in frames if decoded.frame.session == chosen]


def empty_figure(capture: Capture, heading: str) -> SessionFigure:
    """A figure that says that there is nothing to draw yet."""
    figure = SessionFigure(_EMPTY_IN)
    title(figure, heading, capture)
    figure.description += ". No frames yet"
    figure.text(0.5, 0.4, "no frames yet", ha="center", va="center", fontsize=10, color=SOFT)
    return figure


def title(figure: SessionFigure, heading: str, capture: Capture) -> None:
    """Write the heading and, under it, the canister, the length and the clock; both begin the description."""
    under = session_line(capture)
    figure.description = f"{heading}: {under}"
    _, height = figure.get_size_inches()
    style: dict[str, Any] = {"ha": "left", "va": "top"}
    figure.text(HEADING_LEFT, 1 - 0.16 / height, heading, fontsize=11, fontweight="bold", color=INK, **style)
    figure.text(HEADING_LEFT, 1 - 0.38 / height, under, fontsize=8, color=SOFT, parse_math=False, **style)
    left_out = out_of_order(capture)
    if left_out:
        figure.description += f". {order_text(left_out)}"
        figure.text(HEADING_LEFT, 1 - 0.55 / height, order_text(left_out), fontsize=8, color=BAD, **style)


def session_line(capture: Capture) -> str:
    """Canister, length and clock of a recording on one line."""
    canister = capture.info.canister_id
    clock = capture.info.clock
    parts = [] if canister is None else [f"canister {one_line(canister)[:63]}"]
    if clock.kind == "scaled":
        real = capture.duration_s / clock.scale
        parts.append(f"{capture.duration_s:.1f} s of protocol time, clock scaled × {clock.scale:g}, {real:.1f} s real")
    else:
        parts.append(f"{capture.duration_s:.1f} s" + (", virtual clock" if clock.kind == "virtual" else ""))
    return ", ".join(parts)


def footnote(figure: SessionFigure, text: str) -> None:
    """A line at the foot of the figure, which is also added to the description."""
    _, height = figure.get_size_inches()
    figure.text(HEADING_LEFT, 0.08 / height, text, ha="left", va="bottom", fontsize=7, color=SOFT)
    figure.description += f". {text}"


def sheet(
    capture: Capture, heading: str, heights_in: Sequence[float], *, right_in: float = RIGHT_IN, foot_in: float = 0.0
) -> tuple[SessionFigure, list[Axes]]:
    """A figure with its heading and panels below each other, each ``heights_in`` high.

    ``right_in`` inches next to the panels are left for labels, ``foot_in`` below them for a `footnote`.
    """
    total = TOP_IN + sum(heights_in) + BETWEEN_IN * (len(heights_in) - 1) + BOTTOM_IN + foot_in
    figure = SessionFigure(total)
    title(figure, heading, capture)
    bottom = total - TOP_IN
    panels = []
    for height in heights_in:
        bottom -= height
        width = WIDTH_IN - LEFT_IN - right_in
        axes = figure.add_axes((LEFT_IN / WIDTH_IN, bottom / total, width / WIDTH_IN, height / total))
        plain_axes(axes)
        axes.grid(color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        panels.append(axes)
        bottom -= BETWEEN_IN
    return figure, panels


def inch_axes(figure: SessionFigure) -> Axes:
    """Axes over the whole figure whose units are inches from its upper left corner."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    return axes


def plain_axes(axes: Axes) -> None:
    """Only the lower spine, and small grey ticks."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(colors=SOFT, labelsize=8, length=3)
    axes.set_facecolor("none")


def time_axis(axes: Axes, capture: Capture, start: float, end: float, *, label: bool = True) -> None:
    """Seconds since the first frame along the lower edge, from ``start`` to ``end`` with some room on both sides."""
    span = max(end - start, 1.0)
    axes.set_xlim(start - 0.02 * span, start + 1.04 * span)
    if label:
        unit = "protocol seconds" if capture.info.clock.kind != "real" else "seconds"
        axes.set_xlabel(f"{unit} since the first frame", fontsize=8.5, color=SOFT)


def panel_title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=9, fontweight="bold", color=INK, pad=8)


def legend(axes: Axes, handles: Sequence[Line2D] | None = None, *, columns: int = 8, right: float = 1.0) -> None:
    """A legend above the axes. It ends at ``right`` (1: the right edge of the axes). Without entries there is none."""
    if handles is None and not axes.get_legend_handles_labels()[0]:
        return
    axes.legend(
        **({} if handles is None else {"handles": list(handles)}), loc="lower right", bbox_to_anchor=(right, 1.0),
        ncols=columns, frameon=False, fontsize=8, labelcolor=INK, borderaxespad=0.2, handletextpad=0.4,
        columnspacing=1.3,
    )  # fmt: skip


def write_empty(axes: Axes, text: str) -> None:
    """Say in the middle of a panel why it is empty."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=SOFT, fontsize=9)


def marker_style(marker: str, color: str, size: float = 6.5) -> dict[str, Any]:
    """A kind's marker: filled, with an edge in the colour of the paper that separates neighbours."""
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


def inferred_style(marker: str, color: str, size: float = 6) -> dict[str, Any]:
    """The hollow marker of an event that no frame tells."""
    style = marker_style(marker, color, size)
    return style | {"markerfacecolor": PAPER, "markeredgecolor": color, "markeredgewidth": 1.0}


Weight = Literal["allowance", "over"]

_FILLS: Final[dict[Weight, tuple[str, float, str]]] = {"allowance": (NOTE, 0.10, "//"), "over": (BAD, 0.13, "xx")}
_HATCH_ALPHA: Final = 0.22


@dataclass(frozen=True, slots=True)
class Band:
    """A limit and the values beyond it, from ``low`` to ``high`` in seconds; infinite means to the edge of the axes.

    It is recognised by its hatch as well as by its colour, so that it can be read in greyscale.
    """

    low: float
    high: float
    weight: Weight
    text: str


def draw_band(axes: Axes, band: Band, *, along: Literal["x", "y"] = "y") -> None:
    """Shade ``band`` behind everything else and draw a line at its lower edge.

    The text is next to that line, outside of the axes at the right; with ``along`` "x" it is at its upper end.
    """
    color, alpha, hatch = _FILLS[band.weight]
    edges = axes.get_ylim() if along == "y" else axes.get_xlim()
    low, high = max(band.low, min(edges)), min(band.high, max(edges))
    if low >= high:
        return
    span = axes.axhspan if along == "y" else axes.axvspan
    span(low, high, facecolor=color, alpha=alpha, linewidth=0, zorder=0.5)
    # The hatch has a colour with alpha, not a patch with alpha: an SVG would apply that twice and show no hatch.
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


def closing_line(axes: Axes, at: float) -> None:
    """A dotted line at the time when the session closed."""
    axes.axvline(at, color=INK, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
