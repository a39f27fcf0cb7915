"""What a zoomed figure must say of its axes: their range, or the words beside them, for each panel.

The axes themselves leave the sight of who zooms in; interactive_plot.js draws rulers from this in their place.
"""

from __future__ import annotations

from typing import Any, Literal

from matplotlib.axes import Axes

from icws_explore.views.figures.figure import SessionFigure


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
