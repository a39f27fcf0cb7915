from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from PIL import Image

from icws_explore.capture import Capture, ClockInfo, SessionInfo
from icws_explore.views.figures.figure import DPI, WIDTH_IN, SessionFigure, session_line
from icws_explore.views.figures.timeline import timeline
from support.markup import Markup
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

    def test_leaves_pyplot_alone(self) -> None:
        figure()._repr_png_()
        assert "matplotlib.pyplot" not in sys.modules


class TestSave:
    def test_writes_what_the_suffix_says(self, tmp_path: Path) -> None:
        figure().save(tmp_path / "a.png", tmp_path / "a.svg", tmp_path / "a.pdf")
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / "a.svg").read_text().startswith("<?xml")
        assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")

    def test_the_same_figure_gives_the_same_svg(self, tmp_path: Path) -> None:
        timeline(healthy()).save(tmp_path / "a.svg")
        timeline(healthy()).save(tmp_path / "b.svg")
        assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


class TestInlineSvg:
    def test_is_one_element_whose_colours_follow_the_page(self) -> None:
        svg = timeline(healthy()).inline_svg("one")
        assert Markup(svg).elements[0][0] == "svg"
        assert "var(--icws-ink, " in svg
        assert "var(--icws-k-ack, " in svg
        colours = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", svg))
        assert colours <= {"#000000"}, "a colour that stays the same in the dark theme"

    def test_names_nothing_outside_itself(self) -> None:
        page = Markup(figure().inline_svg("one"))
        assert all(address.startswith("#") for address in page.attributes("xlink:href"))
        assert "b" not in page.tags


class TestSessionLine:
    def test_says_canister_length_and_clock(self) -> None:
        assert session_line(healthy()) == (
            "canister bnz7o-iuaaa-aaaaa-qaaaa-cai, 866.0 s of protocol time, clock scaled × 60, so 14.4 s on the wall"
        )
        assert session_line(Capture()) == "0.0 s"
        assert session_line(Capture(SessionInfo(clock=ClockInfo("virtual")))) == "0.0 s, virtual clock"

    def test_shows_no_canister_longer_than_one_can_be(self) -> None:
        assert len(session_line(Capture(SessionInfo(canister_id="x" * 10_000)))) < 100
