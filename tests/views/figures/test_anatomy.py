from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import Rectangle

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.capture import Frame
from icws_explore.views.figures.anatomy import MAX_LAYERS, anatomy_figure, layers_of
from support.overlaps import beyond_the_paper, overlapping
from support.proofs import frame_of, simulated


def titles(kind: str) -> list[str]:
    recording = simulated()
    return [layer.title for layer in layers_of(annotate_frame(recording[frame_of(recording, kind)].frame))]


class TestLayers:
    def test_of_a_request(self) -> None:
        assert titles("message")[:4] == ["frame", "envelope", "envelope.content", "envelope.content.arg"]

    def test_of_a_canister_message(self) -> None:
        assert titles("app")[:2] == ["frame", "content"]
        assert {"cert", "cert.delegation"} <= set(titles("app"))

    def test_are_inside_their_parents(self) -> None:
        for decoded in simulated():
            layers = layers_of(annotate_frame(decoded.frame))
            for layer in layers[1:]:
                assert layer.parent is not None
                around = layers[layer.parent]
                assert around.start <= layer.start < layer.end <= around.end


class TestSegments:
    def test_tile_their_layer(self) -> None:
        for decoded in simulated():
            for layer in layers_of(annotate_frame(decoded.frame)):
                assert tiled(layer.start, layer.end, [(s.start, s.end) for s in layer.segments])

    @given(st.binary(max_size=200), st.integers(0, 400), st.integers(1, 255))
    def test_tile_any_bytes(self, tail: bytes, cut: int, flip: int) -> None:
        golden = bytearray(simulated()[frame_of(simulated(), "app")].frame.data)
        golden[cut % len(golden)] ^= flip
        for data in (tail, bytes(golden[:cut]) + tail, bytes(golden)):
            layers = layers_of(annotate_frame(Frame(0.0, "in", "binary", data)))
            assert 1 <= len(layers) <= MAX_LAYERS
            for layer in layers:
                assert tiled(layer.start, layer.end, [(s.start, s.end) for s in layer.segments])

    def test_mark_undecodable_bytes(self) -> None:
        (frame, *_) = layers_of(annotate_frame(Frame(0.0, "in", "binary", b"\xa1\x63key\x1b\x00")))
        assert any(segment.part == "fault" for segment in frame.segments)


def tiled(start: int, end: int, ranges: list[tuple[int, int]]) -> bool:
    at = start
    for low, high in ranges:
        if low != at:
            return False
        at = high
    return at == end


KINDS = ("handshake", "open_request", "open", "message", "app")


def root_of(kind: str) -> object:
    if kind == "garbage":
        return annotate_frame(Frame(0.0, "in", "binary", b"\xa1\x63$x\n\x1b\x00<script>"))
    if kind == "empty":
        return annotate_frame(Frame(0.0, "in", "binary", b""))
    return annotate_frame(simulated()[frame_of(simulated(), kind)].frame)


@pytest.mark.parametrize("kind", [*KINDS, "garbage", "empty"])
class TestAnyFrame:
    def test_labels_do_not_overlap_or_leave_the_paper(self, kind: str) -> None:
        figure = anatomy_figure(root_of(kind), kind)  # type: ignore[arg-type]
        assert overlapping(figure) == []
        assert beyond_the_paper(figure) == []

    def test_describes_every_segment_with_its_bytes(self, kind: str) -> None:
        root = root_of(kind)
        description = anatomy_figure(root, kind).description  # type: ignore[arg-type]
        for layer in layers_of(root):  # type: ignore[arg-type]
            for segment in layer.segments:
                assert f"{segment.start:>6} to {segment.end:<6} " in description
                assert segment.name in description


class TestScale:
    def test_segments_are_as_wide_as_their_bytes(self) -> None:
        root = annotate_frame(simulated()[frame_of(simulated(), "app")].frame)
        (axes,) = anatomy_figure(root, "app").axes
        bars = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_hatch() is None]
        segments = [(layer, segment) for layer in layers_of(root) for segment in layer.segments]
        assert len(bars) == len(segments)
        for bar, (layer, segment) in zip(bars, segments, strict=True):
            share = (segment.end - segment.start) / layer.size
            assert bar.get_width() == pytest.approx(share * 9.3, abs=1e-6)


class TestLeaders:
    def test_are_vertical_so_that_none_looks_like_a_minus_sign(self) -> None:
        """The byte of ws_message's second argument is at the right edge, so its label is to the left of its line."""
        (axes,) = anatomy_figure(root_of("message"), "message").axes  # type: ignore[arg-type]
        leaders = [line for line in axes.lines if line.get_zorder() == 2]
        assert leaders
        assert all(len(set(line.get_xdata())) == 1 for line in leaders)
        (label,) = [text for text in axes.texts if text.get_text() == "[1] 1"]
        at = float(label.get_position()[0])
        assert label.get_ha() == "right"
        assert any(0 < float(line.get_xdata()[0]) - at < 0.1 for line in leaders)


class TestTheme:
    def test_every_colour_follows_the_theme(self) -> None:
        svg = anatomy_figure(root_of("app"), "app").inline_svg("one")  # type: ignore[arg-type]
        fixed = set(re.findall(r"(?:fill|stroke)(?:: |=\")(#[0-9a-f]{6})", svg))
        assert fixed <= {"#000000"}  # the default of elements without a colour
