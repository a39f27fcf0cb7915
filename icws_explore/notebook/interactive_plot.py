"""A widget in which the axes of a figure can be zoomed and moved, and its markers read with the pointer.

The browser asks for a part of the axes, and the kernel draws the figure again with those axes. Ticks, titles and units
are therefore matplotlib's own, and lines and text keep their size. Until the new picture arrives, the browser magnifies
the panels of the old one. Where a notebook cannot show widgets, it shows the figure as a picture.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anywidget
import traitlets
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from icws_explore.views.figures.figure import DPI, DRAWING, PAPERS, SCREEN, WIDTH_IN, Paper, SessionFigure
from icws_explore.views.formatting import one_line
from icws_explore.views.theme import color_variables

from .newest import Newest
from .zoom import View, Zoom, is_marker

MAX_POINTS: Final = 5000  # markers that have a text under the pointer
# Widths for which the figures are laid out, as `PAPERS` has them: narrow ones, and wide ones from a page on. In less
# room than the least a figure is drawn smaller, between narrow and wide it is drawn larger.
LEAST_WIDTH_IN: Final = PAPERS["column"].width_in
MOST_NARROW_IN: Final = 6.9
LEAST_WIDE_IN: Final = PAPERS["page"].width_in


class InteractivePlot(anywidget.AnyWidget):
    """A figure whose axes can be zoomed and moved, and that says what is under the pointer.

    - Zoom: the buttons, + and -, or the wheel after a click (with Shift along the y axis). Reset: a double click, or 0.
    - Move: the buttons, drag, or Shift and the left and right arrow keys.
    - Read a marker: move the pointer over it, or use the left and right arrow keys.

    If `show` replaces the figure by one of the same kind, the same part of the axes stays visible. A figure without
    axes is enlarged as a picture. Where a notebook cannot show widgets (an HTML page, GitHub), it shows the figure as a
    picture.
    """

    # As text: anywidget watches a path, and that keeps every closed plot in memory.
    _esm = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    _css = color_variables() + Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
    svg = traitlets.Unicode().tag(sync=True)
    points: Any = traitlets.List().tag(sync=True)  # [x, y, text]: fractions of the figure from its upper left corner
    panels: Any = traitlets.List().tag(sync=True)  # see `Zoom.boxes`
    view: Any = traitlets.Dict().tag(sync=True)  # the part of the axes that the browser asks for, see `View`
    drawn: Any = traitlets.Dict().tag(sync=True)  # the part that ``svg`` shows
    description = traitlets.Unicode().tag(sync=True)
    fault = traitlets.Unicode().tag(sync=True)  # why the requested part cannot be drawn
    is_fitted = traitlets.Bool(False).tag(sync=True)  # whether the page says how wide the picture is, for `paper`
    width = traitlets.Int(0).tag(sync=True)  # of the picture on the page, in CSS pixels; 0: not known

    def __init__(self, figure: SessionFigure, *, is_fitted: bool = False) -> None:
        """``is_fitted``: whoever shows figures here lays them out for `paper`, which follows the room on the page."""
        super().__init__()
        self.is_fitted = is_fitted
        self.figure = figure
        self.newest = Newest()
        self._zoom = Zoom(figure)
        self._shown = View()
        self._put(_drawn(self._zoom, View()))
        self.observe(self._asked, names="view")

    def show(self, figure: SessionFigure) -> None:
        """Replace the figure. If the new one has the same heading, the visible part of the axes stays the same."""
        self.take(figure, self.drawing(figure))

    @property
    def paper(self) -> Paper:
        """What a figure has room for on the page without smaller letters."""
        if not self.width:
            return SCREEN
        room_in = max(LEAST_WIDTH_IN, min(self.width / DPI, WIDTH_IN))
        return Paper(round(room_in if room_in >= LEAST_WIDE_IN else min(room_in, MOST_NARROW_IN), 1))

    def drawing(self, figure: SessionFigure) -> Drawing:
        """Draw a figure that will replace the present one. It may be called in a thread."""
        zoom = Zoom(figure)
        view = zoom.same_place(self._zoom) if _heading(figure) == _heading(self.figure) else View()
        return _drawn(zoom, view)

    def take(self, figure: SessionFigure, drawing: Drawing) -> None:
        """Replace the figure by one that `drawing` has drawn."""
        self.figure, self._zoom = figure, drawing.zoom
        self._put(drawing)

    def _put(self, drawing: Drawing) -> None:
        self._shown = drawing.view
        with self.hold_sync():
            self.description = self.figure.description
            self.points = drawing.points
            self.panels = drawing.zoom.boxes()
            self.drawn = self.view = drawing.view.to_json(len(drawing.zoom.panels))
            self.fault = ""
            self.svg = drawing.svg

    def _asked(self, change: Any) -> None:
        """The browser asks for another part of the axes."""
        panels = len(self._zoom.panels)
        view = View.read(change["new"], panels)
        if view.to_json(panels) != self._shown.to_json(panels):
            self._draw(view)

    def _draw(self, view: View) -> None:
        zoom = self._zoom
        self._shown = view

        def put(drawing: Drawing) -> None:
            if zoom is not self._zoom:  # another figure has come in the meantime
                self._draw(view)
                return
            with self.hold_sync():
                self.points, self.drawn, self.fault = drawing.points, view.to_json(len(zoom.panels)), ""
                self.svg = drawing.svg

        def failed(error: Exception) -> None:
            self.fault = one_line(f"this part cannot be drawn: {type(error).__name__}: {error}")

        self.newest.ask(lambda: _drawn(zoom, view), put, failed)

    def _repr_mimebundle_(self, **more: Any) -> Any:
        return with_twin(super()._repr_mimebundle_(**more), self.figure, self.description)


def with_twin(bundle: Any, figure: SessionFigure, words: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Add a picture and its text to the MIME bundle of a widget, for viewers that cannot show widgets.

    The picture is what ``figure`` shows by itself: SVG in the colours of the page, and a PNG for viewers without HTML.
    """
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    png, size = figure._repr_png_()
    own_forms: dict[str, str] = getattr(figure, "_repr_mimebundle_", dict)()  # which the maker of slides has given it
    twin = {**own_forms, "text/html": figure._repr_html_(), "image/png": base64.b64encode(png).decode()}
    return {**twin, **(data or {}), "text/plain": words}, {**metadata, "image/png": size}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure in one view: its SVG, and the places and texts of its markers."""

    zoom: Zoom
    view: View
    svg: str
    points: list[Any]


def _drawn(zoom: Zoom, view: View) -> Drawing:
    with DRAWING:
        zoom.show(view)
        points = list(marked(zoom.figure))[:MAX_POINTS]
        svg = zoom.figure.inline_svg(secrets.token_hex(8))
    return Drawing(zoom, view, svg, points)


def _heading(figure: SessionFigure) -> str:
    return figure.description.split(":")[0]


def marked(figure: SessionFigure) -> Iterator[list[Any]]:
    """The place and the text of every visible marker of a figure."""
    for axes in figure.axes:
        for line in axes.lines:
            if is_marker(line):
                yield from _of_line(figure, axes, line)


def _of_line(figure: SessionFigure, axes: Axes, line: Line2D) -> Iterator[list[Any]]:
    if line.get_transform() != axes.transData:
        return  # a marker in the legend or in a row's label
    label = str(line.get_label())
    name = "" if label.startswith("_") else f"{label}: "
    (left, right), (low, high) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    is_time = "first frame" in axes.get_xlabel() or not axes.get_xlabel()
    places: Any = line.get_xydata()
    for x, y in places:
        if not (left <= x <= right and low <= y <= high):
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
    """Return ``figure`` as a widget.

    Make it the last expression of a cell: ``interactive(icws.plots.ack_age(session.recording))``.
    """
    return InteractivePlot(figure)
