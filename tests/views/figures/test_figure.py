from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from icws_explore.capture import Capture, ClockInfo, SessionInfo
from icws_explore.views.figures.figure import (
    DPI,
    WIDTH_IN,
    Band,
    SessionFigure,
    count_crowds,
    draw_band,
    drawn_frames,
    legend,
    session_line,
    sheet,
    time_axis,
    write_empty,
)
from icws_explore.views.figures.timeline import timeline_figure
from support.contrast import contrast
from support.markup import Markup
from support.overlaps import beyond_the_paper, words
from support.session_captures import healthy


def figure() -> SessionFigure:
    drawn = SessionFigure(2.0)
    drawn.text(0.5, 0.5, "words & <b>marks</b>")
    return drawn


class TestInANotebook:
    def test_is_a_png_at_twice_the_size_it_is_shown_at(self) -> None:
        data, size = figure()._repr_png_()
        assert size == {"width": WIDTH_IN * DPI, "height": 2 * DPI}
        assert Image.open(io.BytesIO(data)).size == (2 * size["width"], 2 * size["height"])

    def test_does_not_import_pyplot(self) -> None:
        figure()._repr_png_()
        assert "matplotlib.pyplot" not in sys.modules


class TestSave:
    def test_writes_the_format_of_the_suffix(self, tmp_path: Path) -> None:
        figure().save(tmp_path / "a.png", tmp_path / "a.svg", tmp_path / "a.pdf")
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / "a.svg").read_text().startswith("<?xml")
        assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")

    def test_the_same_figure_gives_the_same_svg(self, tmp_path: Path) -> None:
        timeline_figure(healthy()).save(tmp_path / "a.svg")
        timeline_figure(healthy()).save(tmp_path / "b.svg")
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


class TestInlineSvg:
    def test_is_one_element_with_the_colours_of_the_page(self) -> None:
        svg = timeline_figure(healthy()).inline_svg("one")
        assert Markup(svg).elements[0][0] == "svg"
        assert "var(--icws-ink, " in svg
        assert "var(--icws-k-ack, " in svg
        colours = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", svg))
        assert colours <= {"#000000"}, "a colour that does not change in the dark theme"

    def test_refers_to_nothing_outside_itself(self) -> None:
        page = Markup(figure().inline_svg("one"))
        assert all(address.startswith("#") for address in page.attributes("xlink:href"))
        assert "b" not in page.tags


class TestSessionLine:
    def test_gives_canister_length_and_clock(self) -> None:
        assert session_line(healthy()) == (
            "canister bnz7o-iuaaa-aaaaa-qaaaa-cai, 866.0 s of protocol time, clock scaled × 60, 14.4 s real"
        )
        assert session_line(Capture()) == "0.0 s"
        assert session_line(Capture(SessionInfo(clock=ClockInfo("virtual")))) == "0.0 s, virtual clock"

    def test_cuts_a_canister_that_is_too_long(self) -> None:
        assert len(session_line(Capture(SessionInfo(canister_id="x" * 10_000)))) < 100


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
    def test_is_hatched_as_clearly_in_svg(self, weight: Any) -> None:
        svg = axes_with(Band(60, 80, weight, "60 s")).inline_svg("band")
        (filled,) = re.findall(r"<path[^>]*url\(#h[^>]*>", svg)
        assert "opacity" not in filled
        assert "stroke-opacity: 0.22" in svg

    def test_reaches_to_the_edge_and_not_beyond(self) -> None:
        figure = axes_with(Band(60, float("inf"), "allowance", "x"))
        assert {round(patch.get_y() + patch.get_height()) for patch in shades(figure)} == {100}

    def test_outside_of_the_axes_is_left_out(self) -> None:
        figure = axes_with(Band(200, float("inf"), "over", "200 s"))
        assert shades(figure) == []
        assert "200 s" not in [text for text, _ in words(figure)]

    @pytest.mark.parametrize("weight", ["allowance", "over"])
    def test_has_a_label_with_contrast(self, weight: Any) -> None:
        figure = axes_with(Band(60, 80, weight, "60 s"))
        (note,) = [text for text in figure.axes[0].texts if text.get_text() == "60 s"]
        assert contrast(str(note.get_color()), "#ffffff") >= 4.5

    def test_along_x_has_its_label_inside_the_axes(self) -> None:
        figure = axes_with(Band(60, 80, "over", "60 s"), along="x")
        (box,) = [box for text, box in words(figure) if text == "60 s"]
        assert box.x0 > figure.axes[0].transData.transform((60, 0))[0]


class TestSheet:
    def test_has_panels_below_each_other_with_room_between(self) -> None:
        figure, panels = sheet(healthy(), "A page", (2.0, 1.0))
        upper, lower = (axes.get_position() for axes in panels)
        assert upper.y0 > lower.y1
        assert figure.get_size_inches()[1] == sheet(healthy(), "A page", (3.0,))[0].get_size_inches()[1] + 0.62

    def test_names_the_clock_of_its_time_axis(self) -> None:
        _, (axes,) = sheet(healthy(), "A page", (2.0,))
        time_axis(axes, healthy(), 0, 10)
        assert axes.get_xlabel() == "protocol seconds since the first frame"
        low, high = axes.get_xlim()
        assert low < 0
        assert high > 10

    def test_has_no_empty_legend(self) -> None:
        figure, (axes,) = sheet(healthy(), "A page", (2.0,))
        legend(axes)
        write_empty(axes, "nothing came")
        assert axes.get_legend() is None
        assert "nothing came" in [text for text, _ in words(figure)]


class TestDrawnFrames:
    def test_are_all_frames_in_the_order_of_their_times(self) -> None:
        capture = healthy()
        assert len(drawn_frames(capture)) == 29
        capture.frames[4] = replace(capture.frames[4], t=capture.frames[4].t + 3000)
        assert [decoded.number for decoded in drawn_frames(capture)] == [n for n in range(29) if n != 4]


class TestCrowds:
    def texts(self, points: list[tuple[float, float]]) -> list[str]:
        _, (axes,) = sheet(healthy(), "Crowds", (2.0,))
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 10)
        count_crowds(axes, points)
        return [text.get_text() for text in axes.texts]

    def test_say_how_many_markers_hide_each_other(self) -> None:
        assert self.texts([(50, 5), (50.1, 5), (50.2, 5.01), (60, 5)]) == ["×3"]

    def test_are_not_what_stands_apart(self) -> None:
        assert self.texts([(50, 5), (50, 7), (55, 5)]) == []
        assert self.texts([]) == []
