from __future__ import annotations

import re

import pytest
from matplotlib.patches import Rectangle

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.capture import Frame
from icws_explore.views.figures.anatomy import anatomy_figure, layers_of
from support.overlaps import beyond_the_paper, overlapping
from support.proofs import frame_of, simulated

KINDS = ("handshake", "open_request", "open", "message", "app")


def root_of(kind: str) -> object:
    if kind == "garbage":
        return annotate_frame(Frame(0.0, "in", "binary", b"\xa1\x63$x\n\x1b\x00<script>"))
    if kind == "empty":
        return annotate_frame(Frame(0.0, "in", "binary", b""))
    return annotate_frame(simulated()[frame_of(simulated(), kind)].frame)


@pytest.mark.parametrize("kind", [*KINDS, "garbage", "empty"])
class TestAnyFrame:
    def test_no_words_lie_on_each_other_or_leave_the_paper(self, kind: str) -> None:
        figure = anatomy_figure(root_of(kind), kind)  # type: ignore[arg-type]
        assert overlapping(figure) == []
        assert beyond_the_paper(figure) == []

    def test_says_every_part_with_its_bytes_in_words(self, kind: str) -> None:
        root = root_of(kind)
        said = anatomy_figure(root, kind).description  # type: ignore[arg-type]
        for layer in layers_of(root):  # type: ignore[arg-type]
            for segment in layer.segments:
                assert f"{segment.start:>6} to {segment.end:<6} " in said
                assert segment.name in said


class TestScale:
    def test_each_part_is_as_wide_as_its_bytes(self) -> None:
        root = annotate_frame(simulated()[frame_of(simulated(), "app")].frame)
        (axes,) = anatomy_figure(root, "app").axes
        bars = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_hatch() is None]
        segments = [(layer, segment) for layer in layers_of(root) for segment in layer.segments]
        assert len(bars) == len(segments)
        for bar, (layer, segment) in zip(bars, segments, strict=True):
            share = (segment.end - segment.start) / layer.size
            assert bar.get_width() == pytest.approx(share * 9.3, abs=1e-6)


class TestLeaders:
    def test_go_straight_down_so_that_none_reads_as_a_minus_sign(self) -> None:
        """The byte of ws_message's second argument lies at the right edge: its label stands left of its line."""
        (axes,) = anatomy_figure(root_of("message"), "message").axes  # type: ignore[arg-type]
        leaders = [line for line in axes.lines if line.get_zorder() == 2]
        assert leaders
        assert all(len(set(line.get_xdata())) == 1 for line in leaders)
        (label,) = [text for text in axes.texts if text.get_text() == "[1] 1"]
        at = float(label.get_position()[0])
        assert label.get_ha() == "right"
        assert any(0 < float(line.get_xdata()[0]) - at < 0.1 for line in leaders)


class TestTheme:
    def test_no_colour_stays_light_on_a_dark_page(self) -> None:
        svg = anatomy_figure(root_of("app"), "app").inline_svg("one")  # type: ignore[arg-type]
        fixed = set(re.findall(r"(?:fill|stroke)(?:: |=\")(#[0-9a-f]{6})", svg))
        assert fixed <= {"#000000"}  # the default of what has no paint of its own
