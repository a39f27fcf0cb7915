"""What every figure shares: its paper and heading, panels with a time axis, bands, markers and legends.

Figures do without pyplot: each has an Agg canvas of its own, so nothing is global and nothing needs closing. They
are drawn in the colours of the light theme; as inline SVG they take those of the page. A hollow marker always
means "inferred": no frame tells it. A time axis never runs backwards: frames whose times contradict their order are
left out, and the line under the heading says so.
"""

from __future__ import annotations

import io
import math
import os
import re
import secrets
import textwrap
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from icws_explore.analysis.decode import DecodedFrame, shared_frames
from icws_explore.analysis.order import misplaced, out_of_order
from icws_explore.capture import Capture
from icws_explore.protocol.errors import ArgumentValueError

from ..facts import order_text
from ..formatting import one_line
from ..theme import SHADES, themed

WIDTH_IN: Final = 10.0
DPI: Final = 100
Size = Literal["column", "page", "slide"]
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
LEGEND_ROW_IN: Final = 0.15
_LEAST_STRETCH: Final = 0.5  # of panels, on paper that is too low
ROWS_STRETCH: Final = 1.3  # of panels with a row for each of a few things

# Held while a figure is drawn: matplotlib's settings are global, and widgets draw in threads.
DRAWING: Final = threading.RLock()

_APART_IN: Final = 0.12  # between the text of a band and the edge of its axes
_EMPTY_IN: Final = 1.6  # height of a figure without frames
_SVG_SIZE: Final = re.compile(r'((?:width|height)=")([0-9.]+)pt"')
_LINE_IN: Final = 0.16  # of the lines under the heading
_FOOT_LINE_IN: Final = 0.12
_EM: Final = 0.56 / 72  # inches of an average character, times its size in points
_SAVE_RC: Final[Any] = {"svg.hashsalt": "icws_explore", "svg.fonttype": "path", "savefig.facecolor": PAPER}


@dataclass(frozen=True, slots=True)
class Paper:
    """What a figure is laid out on, in inches, and how much larger than that it is printed (``scale``).

    Fonts are laid out at 6.5 to 11 points, and printed at that times ``scale``. A figure is at most ``height_in`` high;
    if it ``fills`` its paper, exactly.
    """

    width_in: float = WIDTH_IN
    height_in: float = math.inf
    scale: float = 1.0
    fills: bool = False

    @property
    def is_narrow(self) -> bool:
        """Whether labels that stand beside each other on a wide paper do not have the room."""
        return self.width_in < 7

    @property
    def stacks_legends(self) -> bool:
        """Whether a panel's title and its legend do not have the room beside each other."""
        return self.width_in < 9

    @property
    def more_top_in(self) -> float:
        """Inches above the panels for a second line under the heading."""
        return 0.16 if self.is_narrow else 0.0

    def widened(self, width_in: float) -> Paper:
        """The same paper with room for ``width_in`` inches of layout, which is printed smaller for that."""
        if width_in <= self.width_in:
            return self
        shrink = self.width_in / width_in
        return Paper(width_in, self.height_in / shrink, self.scale * shrink, self.fills)


SCREEN: Final = Paper()
PAPERS: Final[dict[Size, Paper]] = {
    "column": Paper(3.5 / 0.7, 9.5 / 0.7, 0.7),  # of a paper: 3.5 in
    "page": Paper(7 / 0.83, 9.5 / 0.83, 0.83),  # the width of its text: 7 in
    "slide": Paper(40 / 3 / 1.4, 7.5 / 1.4, 1.4, fills=True),  # 16:9, as presentation programs have it
}
_WIDER: Final = (1.0, 1.1, 1.2, 1.3, 1.45, 1.6, 1.8)  # a slide whose figure is too high


def on_paper(size: Size | None, draw: Callable[[Paper], SessionFigure]) -> SessionFigure:
    """Let ``draw`` make a figure of ``size`` (None: as in a notebook). Raises ArgumentValueError for no such size.

    A figure that is too high for a slide is laid out on a wider one, and so printed smaller.
    """
    figure = _drawn(size, draw)
    figure.draw_on = draw
    return figure


def _drawn(size: Size | None, draw: Callable[[Paper], SessionFigure]) -> SessionFigure:
    if size is None:
        return draw(SCREEN)
    if size not in PAPERS:
        raise ArgumentValueError(f"size is one of {', '.join(map(repr, PAPERS))} or None, not {size!r}")
    for wider in _WIDER:
        paper = PAPERS[size].widened(PAPERS[size].width_in * wider)
        figure = draw(paper)
        if not paper.fills or figure.get_size_inches()[1] <= paper.height_in + 0.01:
            break
    _fill(figure)
    return figure


def _fill(figure: SessionFigure) -> None:
    """Give a figure the height of its paper, if the paper is to be filled. What is drawn stays at the top."""
    width, height = figure.get_size_inches()
    full = figure.paper.height_in
    if not figure.paper.fills or height >= full:
        return
    for axes in figure.axes:
        left, bottom, across, high = axes.get_position().bounds
        axes.set_position((left, 1 - (1 - bottom) * height / full, across, high * height / full))
    for text in figure.texts:
        x, y = text.get_position()
        text.set_position((x, 1 - (1 - y) * height / full))
    figure.set_size_inches(width, full)


class SessionFigure(Figure):
    """A matplotlib figure that shows itself in a notebook. ``description`` says in words what it shows.

    ``get_size_inches`` is its layout; `save` and ``savefig`` write it at the size of ``printed_in``.
    """

    def __init__(self, height_in: float, paper: Paper = SCREEN) -> None:
        self.description = "a figure"
        self.paper = paper
        self.draw_on: Callable[[Paper], SessionFigure] | None = None
        super().__init__(figsize=(paper.width_in, height_in), dpi=DPI, facecolor=PAPER)
        FigureCanvasAgg(self)

    @property
    def printed_in(self) -> tuple[float, float]:
        """Width and height in inches of what is saved."""
        width, height = self.get_size_inches() * self.paper.scale
        return float(width), float(height)

    def at(self, size: Size | None) -> SessionFigure:
        """Draw the same figure anew at another size. Raises ArgumentValueError for no such size."""
        if self.draw_on is None:
            raise ArgumentValueError("only a figure that a function of icws.plots made can be drawn at another size")
        return on_paper(size, self.draw_on)

    def save(self, *paths: str | os.PathLike[str]) -> None:
        """Write the figure to each path, as PNG, SVG or PDF by its suffix. The same figure gives the same SVG."""
        for path in map(Path, paths):
            metadata = {"Date": None} if path.suffix == ".svg" else None
            with DRAWING, mpl.rc_context(_SAVE_RC):
                self.savefig(path, dpi=2 * DPI, metadata=metadata)

    def savefig(self, fname: Any, **kwargs: Any) -> None:
        """As matplotlib's, at the size of ``printed_in``."""
        scale = self.paper.scale
        if scale == 1:
            super().savefig(fname, **kwargs)
            return
        suffix = Path(fname).suffix if isinstance(fname, (str, os.PathLike)) else ""
        kind = str(kwargs.pop("format", None) or suffix.removeprefix(".") or "png").lower()
        match kind:
            case "svg":
                out = io.StringIO()
                super().savefig(out, format=kind, **kwargs)
                text = _SVG_SIZE.sub(lambda m: f'{m[1]}{float(m[2]) * scale:g}pt"', out.getvalue(), count=2)
                _write(fname, text)
            case "pdf":
                from .scaled_pdf import ScaledPages

                with ScaledPages(fname, scale, metadata=kwargs.pop("metadata", None)) as pages:
                    super().savefig(pages, format=kind, **kwargs)
            case _:
                dpi = kwargs.pop("dpi", None)
                kwargs["dpi"] = scale * (self.dpi if dpi in (None, "figure") else dpi)
                super().savefig(fname, format=kind, **kwargs)

    def inline_svg(self, name: str) -> str:
        """The figure as an <svg> element whose colours follow the page's theme.

        ``name`` must be unique within the page: the ids inside the element are made from it.
        """
        out = io.StringIO()
        with DRAWING, mpl.rc_context({**_SAVE_RC, "svg.hashsalt": name}):
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
        with DRAWING, mpl.rc_context(_SAVE_RC):
            self.savefig(out, format="png", dpi=2 * DPI)
        width, height = self.printed_in
        return out.getvalue(), {"width": round(width * DPI), "height": round(height * DPI)}


def _write(where: Any, text: str) -> None:
    if isinstance(where, (str, os.PathLike)):
        Path(where).write_text(text, encoding="utf-8")
    else:
        where.write(text if isinstance(where, io.TextIOBase) else text.encode())


def drawn_frames(capture: Capture, frames: Sequence[DecodedFrame] | None = None) -> list[DecodedFrame]:
    """The frames of a recording that a figure draws: those whose times do not contradict their order.

    ``frames`` are the recording's frames, or some of them, if they are decoded already.
    """
    known = list(shared_frames(capture)) if frames is None else list(frames)
    left_out = set(misplaced((decoded.number, decoded.frame) for decoded in known))
    return [decoded for decoded in known if decoded.number not in left_out] if left_out else known


def one_session(frames: Sequence[DecodedFrame], session: str | None) -> list[DecodedFrame]:
    """The WebSocket frames of ``session``, or of the first session if it is None."""
    passed = [decoded for decoded in frames if not decoded.frame.is_http]
    chosen = session if session is not None or not passed else passed[0].frame.session
    return [decoded for decoded in passed if decoded.frame.session == chosen]


def empty_figure(capture: Capture, heading: str, paper: Paper = SCREEN) -> SessionFigure:
    """A figure that says that there is nothing to draw yet."""
    figure = SessionFigure(_EMPTY_IN, paper)
    title(figure, heading, capture)
    figure.description += ". No frames yet"
    figure.text(0.5, 0.25, "no frames yet", ha="center", va="center", fontsize=10, color=SOFT)
    return figure


def title(figure: SessionFigure, heading: str, capture: Capture) -> None:
    """Write the heading and, under it, the canister, the length and the clock; both begin the description."""
    under = session_line(capture)
    figure.description = f"{heading}: {under}"
    _, height = figure.get_size_inches()
    style: dict[str, Any] = {"ha": "left", "va": "top"}
    figure.text(HEADING_LEFT, 1 - 0.16 / height, heading, fontsize=11, fontweight="bold", color=INK, **style)
    top = 0.38
    for line in wrapped(under, figure.paper, 8)[: 2 if figure.paper.is_narrow else 1]:
        figure.text(HEADING_LEFT, 1 - top / height, line, fontsize=8, color=SOFT, parse_math=False, **style)
        top += _LINE_IN
    left_out = out_of_order(capture)
    if left_out:
        figure.description += f". {order_text(left_out)}"
        at = 1 - (0.55 + figure.paper.more_top_in) / height
        figure.text(HEADING_LEFT, at, order_text(left_out), fontsize=8, color=BAD, **style)


def wrapped(text: str, paper: Paper, size_pt: float, *, width_in: float | None = None) -> list[str]:
    """``text`` in lines as wide as ``paper``, or as ``width_in``; on a wide paper in one line."""
    if not paper.is_narrow and width_in is None:
        return [text]
    room = (1 - 2 * HEADING_LEFT) * paper.width_in if width_in is None else width_in
    return textwrap.wrap(text, max(20, int(room / (_EM * size_pt)))) or [""]


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
    """Lines at the foot of the figure, which are also added to the description. `foot_in` is their height."""
    _, height = figure.get_size_inches()
    lines = "\n".join(wrapped(text, figure.paper, 7))
    figure.text(
        HEADING_LEFT, 0.08 / height, lines, ha="left", va="bottom", fontsize=7, color=SOFT, linespacing=1.15
    )  # fmt: skip
    figure.description += f". {text}"


def foot_in(text: str, paper: Paper) -> float:
    """The height in inches of the `footnote` ``text``, beyond that of one line."""
    return _FOOT_LINE_IN * (len(wrapped(text, paper, 7)) - 1)


def sheet(
    capture: Capture,
    heading: str,
    heights_in: Sequence[float],
    *,
    right_in: float = RIGHT_IN,
    foot_in: float = 0.0,
    paper: Paper = SCREEN,
    legend_rows: int = 0,
    most_stretch: float = math.inf,
) -> tuple[SessionFigure, list[Axes]]:
    """A figure with its heading and panels below each other, each ``heights_in`` high.

    ``right_in`` inches next to the panels are left for labels, ``foot_in`` below them for a `footnote`. On paper
    of less width each panel has ``legend_rows`` rows for a `legend` under its title. Panels become higher (at most by
    ``most_stretch``) or lower to fill the paper, or to fit on it.
    """
    rows = legend_rows if paper.is_narrow else min(1, legend_rows)
    above = LEGEND_ROW_IN * rows if paper.stacks_legends else 0.0
    top_in, between_in = TOP_IN + paper.more_top_in + above, BETWEEN_IN + above
    around = top_in + between_in * (len(heights_in) - 1) + BOTTOM_IN + foot_in
    panels_in = sum(heights_in)
    if paper.fills or around + panels_in > paper.height_in:
        stretch = min(most_stretch, max(_LEAST_STRETCH, (paper.height_in - around) / panels_in))
        heights_in = [stretch * height for height in heights_in]
    total = top_in + sum(heights_in) + between_in * (len(heights_in) - 1) + BOTTOM_IN + foot_in
    figure = SessionFigure(total, paper)
    title(figure, heading, capture)
    bottom = total - top_in
    panels = []
    for height in heights_in:
        bottom -= height
        width = paper.width_in - LEFT_IN - right_in
        axes = figure.add_axes((LEFT_IN / paper.width_in, bottom / total, width / paper.width_in, height / total))
        plain_axes(axes)
        axes.grid(color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        panels.append(axes)
        bottom -= between_in
    return figure, panels


def width_of(axes: Axes) -> float:
    """The width of axes in inches of the layout."""
    figure: Any = axes.figure
    return float(axes.get_position().width * figure.get_size_inches()[0])


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


def panel_title(axes: Axes, text: str, *, above_pt: float = 8) -> None:
    """Write a title ``above_pt`` points above the axes, at their left edge."""
    figure: Any = axes.figure
    size = 8 if figure.paper.is_narrow else 9
    axes.set_title(text, loc="left", fontsize=size, fontweight="bold", color=INK, pad=above_pt)


def legend(axes: Axes, handles: Sequence[Line2D] | None = None, *, columns: int = 8, right: float = 1.0) -> None:
    """A legend above the axes. It ends at ``right`` (1: the right edge of the axes). Without entries there is none.

    On paper of less width it stands on the left, in as many rows as it needs, and the panel's title above it.
    """
    if handles is None and not axes.get_legend_handles_labels()[0]:
        return
    figure: Any = axes.figure
    style: dict[str, Any] = {} if handles is None else {"handles": list(handles)}
    style |= {"frameon": False, "fontsize": 8, "labelcolor": INK, "borderaxespad": 0.2, "handletextpad": 0.4}
    if not figure.paper.stacks_legends:
        axes.legend(
            **style, loc="lower right", bbox_to_anchor=(right, 1.0), ncols=columns, columnspacing=1.3
        )  # fmt: skip
        return
    left = axes.get_position().x0 * figure.get_size_inches()[0]
    room = (figure.paper.width_in - left - 0.05) * figure.dpi
    for ncols in range(columns, 0, -1):
        made = axes.legend(
            **style, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=ncols, columnspacing=1.0, labelspacing=0.2,
            borderpad=0.1,
        )  # fmt: skip
        box = made.get_window_extent(figure.canvas.get_renderer())
        if box.width <= room:
            break
    panel_title(axes, axes.get_title(loc="left"), above_pt=4 + box.height / figure.dpi * 72)


def write_empty(axes: Axes, text: str) -> None:
    """Say in the middle of a panel why it is empty."""
    lines = textwrap.fill(text, max(20, int(width_of(axes) / (_EM * 9))))
    axes.text(0.5, 0.5, lines, transform=axes.transAxes, ha="center", va="center", color=SOFT, fontsize=9)


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


def in_each_view(axes: Axes, draw: Callable[[], Sequence[Artist]]) -> None:
    """Call ``draw`` now, and again whenever the limits of the axes change; what it drew before is removed.

    For labels whose place or wording depends on how far apart things are.
    """
    drawn: list[Artist] = []

    def again(_axes: object = None) -> None:
        for artist in drawn:
            artist.remove()
        drawn[:] = draw()

    axes.callbacks.connect("xlim_changed", again)
    axes.callbacks.connect("ylim_changed", again)
    again()


def count_crowds(axes: Axes, points: Sequence[tuple[float, float]], size: float = 6.5) -> None:
    """Write ``×3`` beside markers of ``size`` points that hide each other, so that it shows how many there are.

    ``points`` are where the markers of one kind or of several are. Call it after the limits of the axes are set.
    """
    in_each_view(axes, lambda: [_count(axes, crowd, size) for crowd in _crowds(axes, points, size) if len(crowd) > 1])


def _crowds(axes: Axes, points: Sequence[tuple[float, float]], size: float) -> list[list[tuple[float, float]]]:
    """The points (in pixels) in groups of which each member hides the one before it."""
    near = 0.4 * size * DPI / 72
    crowds: list[list[tuple[float, float]]] = []
    for x, y in sorted(map(tuple, axes.transData.transform(points))) if points else ():
        if crowds and abs(x - crowds[-1][-1][0]) < near and abs(y - crowds[-1][-1][1]) < near:
            crowds[-1].append((x, y))
        else:
            crowds.append([(x, y)])
    return crowds


def _count(axes: Axes, crowd: Sequence[tuple[float, float]], size: float) -> Artist:
    x, y = axes.transData.inverted().transform(crowd[-1])
    return axes.annotate(
        f"×{len(crowd)}", (float(x), float(y)), (size * 0.7, 0),
        textcoords="offset points", ha="left", va="center", fontsize=7, color=INK, zorder=5,
    )  # fmt: skip


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
        canvas: Any = axes.figure.canvas
        room = axes.bbox.x1 - _APART_IN * axes.figure.dpi  # what stands next to the axes keeps its distance
        if note.get_window_extent(canvas.get_renderer()).x1 > room:  # there is more room before the line
            note.set_horizontalalignment("right")
            note.xyann = (-3, -3)


def closing_line(axes: Axes, at: float) -> None:
    """A dotted line at the time when the session closed."""
    axes.axvline(at, color=INK, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
