"""Every figure for a column, a page and a slide: its size, its fonts, and that no label overlaps or is cut."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from matplotlib.text import Text
from PIL import Image

import icws_explore as icws
from icws_explore import plots
from icws_explore.analysis.recording import Recording
from icws_explore.protocol.errors import ArgumentValueError
from icws_explore.views.figures.figure import DPI, SessionFigure
from icws_explore.views.plots import Size
from support.machine import ROOT
from support.overlaps import beyond_the_paper, overlapping, words
from support.session_captures import SessionScript, healthy, hostile

SIZES: tuple[Size, ...] = get_args(Size)
WIDTHS_IN = {"column": 3.5, "page": 7.0, "slide": 40 / 3}
HEIGHTS_IN = {"column": 9.5, "page": 9.5, "slide": 7.5}
# Points of the smallest print. What is laid out as a whole (a tree, a byte map, a chain) may need more room.
SMALLEST_PT = {"column": 4.85, "page": 5.8, "slide": 8.9}
SMALLEST_WHOLE_PT = {"column": 3.5, "page": 5.0, "slide": 5.4}
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("hostile", "long")]
Draw = Callable[[Recording, Size], SessionFigure]


def of_frame(draw: Callable[..., SessionFigure]) -> Draw:
    """A figure of one frame: the last message of the application's."""
    return lambda recording, size: draw(recording, [f.number for f in recording if f.kind == "app"][-1], size=size)


OF_SESSIONS: dict[str, Draw] = {
    draw.__name__: lambda recording, size, draw=draw: draw(recording, size=size)  # type: ignore[misc]
    for draw in (
        plots.timeline, plots.sequence_numbers, plots.ack_age, plots.keep_alives, plots.sequence_diagram, plots.lanes,
        plots.parties, plots.certificate_age, plots.latencies, plots.sessions,
    )
}  # fmt: skip
OF_FRAMES: dict[str, Draw] = {draw.__name__: of_frame(draw) for draw in (plots.hash_tree, plots.anatomy, plots.chain)}


def long() -> Recording:
    """An hour with 200 messages and 12 acks."""
    script = SessionScript().opened()
    for tick in range(1, 200):
        script.client_says(18.0 * tick, f"a message of some length, number {tick}")
        if tick % 16 == 0:
            script.acked(18.0 * tick + 1)
    return Recording(script.capture)


def stored(name: str) -> Recording:
    return icws.load(ROOT / "data" / "sessions" / f"{name}.icws")


@cache
def recording(name: str) -> Recording:
    made = {"healthy": lambda: Recording(healthy()), "hostile": lambda: Recording(hostile()), "long": long}
    return made[name]() if name in made else stored(name)


def smallest_pt(figure: SessionFigure) -> float:
    texts = (text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip())
    return min(float(text.get_fontsize()) for text in texts) * figure.paper.scale


def check(figure: SessionFigure, size: Size, least_pt: float) -> None:
    width, height = figure.printed_in
    assert width == pytest.approx(WIDTHS_IN[size])
    assert height <= HEIGHTS_IN[size] + 0.01
    assert size != "slide" or height == pytest.approx(7.5)
    assert overlapping(figure) == []
    assert beyond_the_paper(figure) == []
    assert smallest_pt(figure) >= least_pt


@pytest.mark.parametrize("size", SIZES)
class TestEverySize:
    @pytest.mark.parametrize("name", OF_SESSIONS)
    @pytest.mark.parametrize("source", ["healthy", *SLOW])
    def test_of_a_session(self, source: str, name: str, size: Size) -> None:
        check(OF_SESSIONS[name](recording(source), size), size, SMALLEST_PT[size])

    @pytest.mark.parametrize("name", OF_FRAMES)
    @pytest.mark.parametrize("source", ["healthy", pytest.param("tampered_body", marks=pytest.mark.slow)])
    def test_of_a_frame(self, source: str, name: str, size: Size) -> None:
        check(OF_FRAMES[name](stored(source), size), size, SMALLEST_WHOLE_PT[size])

    @pytest.mark.slow
    def test_of_an_empty_recording(self, size: Size) -> None:
        empty = Recording(SessionScript().capture)
        for draw in OF_SESSIONS.values():
            check(draw(empty, size), size, SMALLEST_PT[size])

    def test_is_that_of_what_is_saved(self, size: Size, tmp_path: Path) -> None:
        figure = plots.sessions(recording("healthy"), size=size)
        figure.save(*(tmp_path / f"figure.{kind}" for kind in ("png", "svg", "pdf")))
        width, height = figure.printed_in
        with Image.open(tmp_path / "figure.png") as image:
            pixels = image.size
        assert pixels == pytest.approx((2 * DPI * width, 2 * DPI * height), abs=1)
        svg = (tmp_path / "figure.svg").read_text()
        head = re.search(r'<svg[^>]* width="([\d.]+)pt" height="([\d.]+)pt"', svg)
        assert head is not None
        assert [float(number) for number in head.groups()] == pytest.approx([72 * width, 72 * height], abs=0.01)
        box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", (tmp_path / "figure.pdf").read_bytes())
        assert box is not None
        assert [float(number) for number in box.groups()] == pytest.approx([72 * width, 72 * height], abs=0.01)


class TestRows:
    def test_are_as_many_as_the_paper_has_room_for(self) -> None:
        def heading(size: Size | None) -> str:
            texts = [text for text, _ in words(plots.sequence_diagram(recording("long"), size=size))]
            return next(text for text in texts if text.startswith("Sequence diagram"))

        every = len(recording("long"))
        assert heading(None) == f"Sequence diagram, frames 1 to 60 of {every}"
        shown = [re.fullmatch(rf"Sequence diagram, frames 1 to (\d+) of {every}", heading(size)) for size in SIZES]
        column, page, slide = (int(match[1]) for match in shown if match)
        assert slide < page < column < 60
        assert slide > 10


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(ArgumentValueError, match="size is one of 'column', 'page', 'slide' or None, not 'poster'"):
        plots.timeline(recording("healthy"), size="poster")  # type: ignore[arg-type]


def test_a_figure_is_drawn_anew_at_another_size() -> None:
    recording = stored("healthy")
    drawn = plots.timeline(recording)
    for size in SIZES:
        again, asked = drawn.at(size), plots.timeline(recording, size=size)
        assert again.printed_in == asked.printed_in
        assert [(text, box.bounds) for text, box in words(again)] == [(text, box.bounds) for text, box in words(asked)]
    assert drawn.at("slide").at(None).printed_in == drawn.printed_in
    with pytest.raises(ArgumentValueError, match="size is one of"):
        drawn.at("poster")  # type: ignore[arg-type]
    with pytest.raises(ArgumentValueError, match="icws.plots"):
        SessionFigure(1.0).at("slide")
