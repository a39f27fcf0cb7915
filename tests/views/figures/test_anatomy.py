from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.capture import Frame
from icws_explore.views.figures.anatomy import MAX_LAYERS, layers_of
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

    def test_every_layer_lies_in_the_one_around_it(self) -> None:
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
    def test_tile_whatever_the_bytes_are(self, tail: bytes, cut: int, flip: int) -> None:
        golden = bytearray(simulated()[frame_of(simulated(), "app")].frame.data)
        golden[cut % len(golden)] ^= flip
        for data in (tail, bytes(golden[:cut]) + tail, bytes(golden)):
            layers = layers_of(annotate_frame(Frame(0.0, "in", "binary", data)))
            assert 1 <= len(layers) <= MAX_LAYERS
            for layer in layers:
                assert tiled(layer.start, layer.end, [(s.start, s.end) for s in layer.segments])

    def test_a_fault_is_a_part_of_its_own(self) -> None:
        (frame, *_) = layers_of(annotate_frame(Frame(0.0, "in", "binary", b"\xa1\x63key\x1b\x00")))
        assert any(segment.part == "fault" for segment in frame.segments)


def tiled(start: int, end: int, ranges: list[tuple[int, int]]) -> bool:
    at = start
    for low, high in ranges:
        if low != at:
            return False
        at = high
    return at == end
