"""Any of the package's figures, to zoom, drag and hover in a notebook; with the figure itself as its static twin.

What a zoomed figure must say of its axes: their range, or the words beside them, for each panel.

The axes themselves leave the sight of who zooms in; interactive_plot.js draws rulers from this in their place.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import anywidget
import traitlets
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from icws_explore.views.figures.figure import SessionFigure
from icws_explore.views.theme import color_variables


def rulers(figure: SessionFigure) -> list[dict[str, Any]]:
    """For each panel with axes: its ``box`` (left, top, right, bottom: fractions of the figure from its upper left
    corner), and for ``x`` and ``y`` either ``range`` (the values at the box's edges: left and right, top and bottom) or
    ``marks``, ([fraction of the figure, text], …). ``unit`` is that of x. The figure must have been drawn."""
    return [_panel(figure, axes) for axes in figure.axes if axes.axison]


def _panel(figure: SessionFigure, axes: Axes) -> dict[str, Any]:
    left, bottom, right, top = (float(edge) for edge in axes.get_position().extents)
    return {
        "box": [round(edge, 5) for edge in (left, 1 - top, right, 1 - bottom)],
        "unit": " s" if "seconds" in _time_label(figure, axes) else "",
        "x": _axis(figure, axes, "x"),
        "y": _axis(figure, axes, "y"),
    }


def _time_label(figure: SessionFigure, axes: Axes) -> str:
    """Panels below each other name their common axis once, under the lowest."""
    return axes.get_xlabel() or next((other.get_xlabel() for other in figure.axes if other.get_xlabel()), "")


def _axis(figure: SessionFigure, axes: Axes, which: Literal["x", "y"]) -> dict[str, Any]:
    axis = axes.xaxis if which == "x" else axes.yaxis
    ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    labelled = [(float(at), _one_line(text.get_text())) for at, text in ticks if text.get_text()]
    if labelled and axis.get_scale() == "linear" and all(_is_number(text, at) for at, text in labelled):
        low, high = axes.get_xlim() if which == "x" else reversed(axes.get_ylim())
        return {"range": [float(low), float(high)]}
    marks = [[_fraction(figure, axes, at, which), text] for at, text in labelled]
    return {"marks": [*marks, *(_beside(figure, axes) if which == "y" else [])]}


def _beside(figure: SessionFigure, axes: Axes) -> list[list[Any]]:
    """What is written to the left of the axes as their rows' names."""
    edge = axes.get_window_extent().x0
    found = []
    for text in axes.texts:
        box = text.get_window_extent()
        if text.get_text() and box.x1 <= edge:
            middle = figure.transFigure.inverted().transform((0, (box.y0 + box.y1) / 2))[1]
            found.append([round(1 - float(middle), 5), _one_line(text.get_text())])
    return found


def _fraction(figure: SessionFigure, axes: Axes, at: float, which: Literal["x", "y"]) -> float:
    point = axes.transData.transform((at, axes.get_ylim()[0]) if which == "x" else (axes.get_xlim()[0], at))
    across, up = figure.transFigure.inverted().transform(point)
    return round(float(across) if which == "x" else 1 - float(up), 5)


def _is_number(text: str, value: float) -> bool:
    """Whether a tick's words are its value, as of an axis of numbers."""
    try:
        return abs(float(text.replace("\N{MINUS SIGN}", "-")) - value) <= 1e-6 * max(1.0, abs(value))
    except ValueError:
        return False


def _one_line(text: str) -> str:
    return " ".join(text.split())


MAX_POINTS: Final = 5000  # that say something when hovered
_SILENT: Final = ("None", "", " ", None)


class InteractivePlot(anywidget.AnyWidget):
    """``figure`` under a wheel (zoom), a hand (drag) and a pointer (what stands there); also by keyboard.

    Zoomed in, rulers at the edges say what of the axes is in sight. Another figure of the same kind
    and size keeps the zoom. Where widgets cannot be shown (a page made of the notebook, GitHub) the
    figure's picture is.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = color_variables()
    svg = traitlets.Unicode().tag(sync=True)
    points: Any = traitlets.List().tag(sync=True)  # [x, y, text]: fractions of the figure from its upper left corner
    panels: Any = traitlets.List().tag(sync=True)  # see `rulers`
    description = traitlets.Unicode().tag(sync=True)

    def __init__(self, figure: SessionFigure) -> None:
        super().__init__()
        self.figure = figure
        self.show(figure)

    def show(self, figure: SessionFigure) -> None:
        """Put another figure in its place."""
        self.figure = figure
        with self.hold_sync():
            self.description = figure.description
            self.points = list(marked(figure))[:MAX_POINTS]
            self.panels = rulers(figure)
            self.svg = figure.inline_svg(secrets.token_hex(8))

    def _repr_mimebundle_(self, **more: Any) -> Any:
        return with_twin(super()._repr_mimebundle_(**more), self.figure, self.description)


def with_twin(bundle: Any, figure: SessionFigure, words: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a widget gives a notebook, and with it a picture and its words for where no widget can be shown."""
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    png, size = figure._repr_png_()
    twin = {"image/png": base64.b64encode(png).decode()}
    return {**twin, **(data or {}), "text/plain": words}, {**metadata, "image/png": size}


def marked(figure: SessionFigure) -> Iterator[list[Any]]:
    """Every marker of a drawn figure: where it is, and what stands there, in words."""
    figure.draw_without_rendering()  # puts everything in its place; the picture itself is the SVG
    for axes in figure.axes:
        for line in axes.lines:
            if line.get_marker() not in _SILENT and line.get_visible():
                yield from _of_line(figure, axes, line)


def _of_line(figure: SessionFigure, axes: Axes, line: Line2D) -> Iterator[list[Any]]:
    if line.get_transform() != axes.transData:
        return  # a sign of the legend or of a row's head
    label = str(line.get_label())
    name = "" if label.startswith("_") else f"{label}: "
    low, high = sorted(axes.get_xlim())
    is_time = "first frame" in axes.get_xlabel() or not axes.get_xlabel()
    places: Any = line.get_xydata()
    for x, y in places:
        if not low <= x <= high:
            continue
        at = axes.transData.transform((x, y))
        across, up = figure.transFigure.inverted().transform(at)
        yield [
            round(float(across), 5),
            round(1 - float(up), 5),
            name + _words(axes, float(x), float(y), is_time=is_time),
        ]


def _words(axes: Axes, x: float, y: float, *, is_time: bool) -> str:
    moment = f"at {x:.2f} s" if is_time else f"{x:.3g} s"
    match axes.get_ylabel():
        case "seconds":
            return f"{moment}, {y:.3g} s"
        case "sequence_num":
            return f"{moment}, number {y:.0f}"
        case _:
            return moment


def interactive(figure: SessionFigure) -> InteractivePlot:
    """``figure`` as a widget, for the last line of a cell: ``interactive(icws.plots.ack_age(session.recording))``."""
    return InteractivePlot(figure)
