"""Whether the labels of a figure overlap or leave the paper."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def words(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every visible text of a drawn figure with its box in pixels."""
    canvas: Any = figure.canvas
    canvas.draw()
    renderer = canvas.get_renderer()
    unseen = {id(label) for axes in figure.axes for label in _labels_beyond(axes)}
    texts = [
        item
        for item in figure.findobj(Text)
        if item.get_visible() and item.get_text().strip() and id(item) not in unseen
    ]
    return [(item.get_text(), item.get_window_extent(renderer)) for item in texts]


def _labels_beyond(axes: Axes) -> Iterator[Text]:
    """Labels of ticks outside the axes, which matplotlib keeps but does not draw."""
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, sorted(axes.get_ylim()))):
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts that overlap by more than a hairline."""
    found = []
    for (a, first), (b, second) in combinations(words(figure), 2):
        width = min(first.x1, second.x1) - max(first.x0, second.x0)
        height = min(first.y1, second.y1) - max(first.y0, second.y0)
        if width > 1 and height > 1.5:
            found.append((a, b))
    return found


def beyond_the_paper(figure: Figure) -> list[str]:
    paper = figure.bbox
    return [
        text
        for text, box in words(figure)
        if box.x0 < paper.x0 or box.x1 > paper.x1 or box.y0 < paper.y0 or box.y1 > paper.y1
    ]
