"""Zooms the axes of a figure.

A `View` selects a part of each panel, in fractions of the whole panel. ``x`` applies to all panels, because panels
below each other share their time axis; ``y`` has one part for each panel. Axes that name rows (lanes, sessions) are not
zoomed along y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from icws_explore.views.figures.figure import SessionFigure

Part: TypeAlias = tuple[float, float]  # from 0 (left, bottom) to 1 (right, top)
WHOLE: Final[Part] = (0.0, 1.0)
MIN_PART: Final = 1e-4  # of an axis: as far as one can zoom in


@dataclass(frozen=True, slots=True)
class View:
    """The visible part of each panel."""

    x: Part = WHOLE
    y: tuple[Part, ...] = ()

    @classmethod
    def read(cls, value: Any, panels: int) -> View:
        """The view that a browser asks for. Anything invalid gives the whole figure."""
        try:
            x, ys = _part(value["x"]), [_part(part) for part in value["y"]]
        except (KeyError, TypeError, ValueError):
            return cls()
        return cls(x, tuple(ys[:panels]))

    def to_json(self, panels: int) -> dict[str, Any]:
        ys = [*self.y, *[WHOLE] * panels][:panels]
        return {"x": list(self.x), "y": [list(part) for part in ys]}


def _part(value: Any) -> Part:
    low, high = (min(1.0, max(0.0, float(edge))) for edge in value)
    if not high - low >= MIN_PART:
        raise ValueError("no part of an axis")
    return low, high


class Zoom:
    """The panels of a figure and their limits."""

    def __init__(self, figure: SessionFigure) -> None:
        self.figure = figure
        self.panels = [axes for axes in figure.axes if axes.axison]
        self._home = [_limits(axes) for axes in self.panels]
        self._kept: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()  # by artist, what it is in the whole panel

    def boxes(self) -> list[dict[str, Any]]:
        """Of each panel its ``box`` (left, top, right, bottom: fractions of the figure from its upper left corner).

        ``tall`` says whether its y axis can be zoomed.
        """
        found = []
        for axes in self.panels:
            left, bottom, right, top = (float(edge) for edge in axes.get_position().extents)
            box = [round(edge, 5) for edge in (left, 1 - top, right, 1 - bottom)]
            found.append({"box": box, "tall": _has_numbers(axes)})
        return found

    def show(self, view: View) -> None:
        """Set the limits of all panels and hide the texts outside of them."""
        for number, axes in enumerate(self.panels):
            y = view.y[number] if number < len(view.y) and _has_numbers(axes) else WHOLE
            home_x, home_y = self._home[number]
            axes.set_xlim(_within(axes, home_x, view.x, "x"))
            axes.set_ylim(_within(axes, home_y, y, "y"))
            self._clip(axes, whole=view.x == WHOLE and y == WHOLE)

    def same_place(self, other: Zoom) -> View:
        """The view in which this figure shows the same values as ``other``; all of it if their panels differ."""
        if len(self.panels) != len(other.panels) or not self.panels:
            return View()
        shown = [_limits(axes) for axes in other.panels]
        if shown == other._home:  # of its own class
            return View()
        ys = [
            WHOLE if now[1] == home[1] else _fractions(axes, self._home[number][1], now[1], "y")
            for number, (axes, now, home) in enumerate(zip(self.panels, shown, other._home, strict=True))
        ]
        x = (
            WHOLE
            if shown[0][0] == other._home[0][0]
            else _fractions(self.panels[0], self._home[0][0], shown[0][0], "x")
        )
        return View(x, tuple(ys))

    def _clip(self, axes: Axes, *, whole: bool) -> None:
        """Markers may cross the edge of a whole panel. In a zoomed one they are clipped, and texts are hidden."""
        for line in axes.lines:
            if line.get_transform() == axes.transData:
                line.set_clip_on(self._kept.setdefault(line, line.get_clip_on()) if whole else True)
                if not whole:
                    line.set_clip_path(axes.patch)
        for text in axes.texts:
            text.set_visible(self._kept.setdefault(text, text.get_visible()) and _is_within(axes, text))


def _limits(axes: Axes) -> tuple[Part, Part]:
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    return (float(left), float(right)), (float(bottom), float(top))


def _within(axes: Axes, home: Part, part: Part, which: str) -> Part:
    """The values at the edges of ``part``. Fractions are those of the drawn axis, also of a logarithmic one."""
    if part == WHOLE:
        return home
    scale = (axes.xaxis if which == "x" else axes.yaxis).get_transform()
    first, last = (float(scale.transform(edge)) for edge in home)
    low, high = (float(scale.inverted().transform(first + (last - first) * edge)) for edge in part)
    return low, high


def _fractions(axes: Axes, home: Part, shown: Part, which: str) -> Part:
    """The part of ``home`` between the values ``shown``; all of it if they are outside."""
    scale = (axes.xaxis if which == "x" else axes.yaxis).get_transform()
    first, last = (float(scale.transform(edge)) for edge in home)
    low, high = (min(1.0, max(0.0, (float(scale.transform(edge)) - first) / (last - first))) for edge in shown)
    return (low, high) if high - low >= MIN_PART else WHOLE


def _has_numbers(axes: Axes) -> bool:
    """Whether the y axis has values, not rows. Only axes of values have a label."""
    return bool(axes.get_ylabel())


def _is_within(axes: Axes, text: Any) -> bool:
    """Whether the point that a text belongs to is visible. A text placed in fractions of the panel always is."""
    x, y = getattr(text, "xy", text.get_position())
    coordinates = getattr(text, "xycoords", None)
    transform = text.get_transform() if coordinates is None or isinstance(coordinates, str) else coordinates
    if coordinates in (None, "data"):
        transform = axes.transData if coordinates == "data" else transform
    elif isinstance(coordinates, str):
        return True
    separate = transform.contains_branch_seperately(axes.transData)
    (left, right), (low, high) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    return (not separate[0] or left <= x <= right) and (not separate[1] or low <= y <= high)


def is_marker(line: Line2D) -> bool:
    """Whether a line has visible markers."""
    return line.get_marker() not in ("None", "", " ", None) and line.get_visible()
