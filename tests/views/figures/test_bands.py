from __future__ import annotations

import re
from typing import Any

import pytest

from icws_explore.views.figures.figure import Band, draw_band, legend, page_height, sheet, time_axis, write_empty
from support.contrast import contrast
from support.overlaps import beyond_the_paper, words
from support.session_captures import healthy


def axes_with(band: Band, **where: Any) -> Any:
    figure, (axes,) = sheet(healthy(), "A page", (2.0,))
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    draw_band(axes, band, **where)
    return figure


def shades(figure: Any) -> list[Any]:
    return list(figure.axes[0].patches)


class TestBand:
    def test_is_shaded_hatched_and_labelled(self) -> None:
        figure = axes_with(Band(60, 80, "over", "60 s: too long"))
        assert [text for text, _ in words(figure)].count("60 s: too long") == 1
        assert any(patch.get_hatch() for patch in shades(figure))  # it reads in greyscale
        assert beyond_the_paper(figure) == []

    @pytest.mark.parametrize("weight", ["allowance", "over"])
    def test_is_hatched_as_clearly_in_a_notebook_s_svg(self, weight: Any) -> None:
        svg = axes_with(Band(60, 80, weight, "60 s")).inline_svg("band")
        (filled,) = re.findall(r"<path[^>]*url\(#h[^>]*>", svg)
        assert "opacity" not in filled
        assert "stroke-opacity: 0.22" in svg

    def test_reaches_to_the_edge_and_not_beyond(self) -> None:
        figure = axes_with(Band(60, float("inf"), "allowance", "x"))
        assert {round(patch.get_y() + patch.get_height()) for patch in shades(figure)} == {100}

    def test_of_which_nothing_is_in_sight_is_left_out(self) -> None:
        figure = axes_with(Band(200, float("inf"), "over", "200 s"))
        assert shades(figure) == []
        assert "200 s" not in [text for text, _ in words(figure)]

    @pytest.mark.parametrize("weight", ["allowance", "over"])
    def test_its_words_stand_out_from_the_paper(self, weight: Any) -> None:
        figure = axes_with(Band(60, 80, weight, "60 s"))
        (note,) = [text for text in figure.axes[0].texts if text.get_text() == "60 s"]
        assert contrast(str(note.get_color()), "#ffffff") >= 4.5

    def test_along_x_its_words_stand_inside_at_the_top(self) -> None:
        figure = axes_with(Band(60, 80, "over", "60 s"), along="x")
        (box,) = [box for text, box in words(figure) if text == "60 s"]
        assert box.x0 > figure.axes[0].transData.transform((60, 0))[0]


class TestSheet:
    def test_has_its_panels_below_each_other_with_room_between(self) -> None:
        figure, panels = sheet(healthy(), "A page", (2.0, 1.0))
        upper, lower = (axes.get_position() for axes in panels)
        assert upper.y0 > lower.y1
        assert figure.get_size_inches()[1] == page_height((2.0, 1.0))

    def test_time_axis_says_of_which_clock_it_is(self) -> None:
        _, (axes,) = sheet(healthy(), "A page", (2.0,))
        time_axis(axes, healthy(), 0, 10)
        assert axes.get_xlabel() == "protocol seconds since the first frame"
        low, high = axes.get_xlim()
        assert low < 0
        assert high > 10

    def test_no_legend_of_nothing(self) -> None:
        figure, (axes,) = sheet(healthy(), "A page", (2.0,))
        legend(axes)
        write_empty(axes, "nothing came")
        assert axes.get_legend() is None
        assert "nothing came" in [text for text, _ in words(figure)]
