"""Any of the package's figures, to zoom, drag and hover in a notebook; with the figure itself as its static twin."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import anywidget
import traitlets
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from icws_explore.views.figures.figure import SessionFigure
from icws_explore.views.theme import color_variables

from .rulers import rulers

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
    """``figure`` as a widget, for the last line of a cell: ``interactive(icws.plots.ack_age(session.capture))``."""
    return InteractivePlot(figure)
