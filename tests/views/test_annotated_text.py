"""The annotated tree as text fits its width, gives every value, and survives hostile frames."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from icws_explore.analysis.annotate import annotate_frame
from icws_explore.analysis.decode import application_type, decode_frame, decode_frames
from icws_explore.capture import Capture, Frame
from icws_explore.views.annotated_text import MAX_LINES, annotated_frame_lines, annotated_text
from support.annotated import AT_S, canister_frame, message, open_call, vector_frames
from support.session_captures import healthy, hostile


def full_text(capture: Capture, number: int, **options: object) -> str:
    app_type = application_type(capture)
    decoded = decode_frame(capture[number], number=number, app_type=app_type)
    root = annotate_frame(decoded.frame, app_type=app_type)
    return "\n".join(line.plain for line in annotated_frame_lines(decoded, root, **options))  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize("make", [healthy, hostile])
@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("every_byte", [False, True])
class TestEveryFrame:
    def test_fits_its_width_and_moves_no_cursor(self, make: object, width: int, every_byte: bool) -> None:
        capture = make()  # type: ignore[operator]  # a function
        for number in range(len(capture)):
            for line in full_text(capture, number, width=width, every_byte=every_byte).splitlines():
                assert cell_len(line) <= width, line
                assert line.isprintable(), line


class TestContent:
    def test_has_the_fields_of_an_envelope_with_their_bytes(self) -> None:
        frame = open_call()
        text = annotated_text(annotate_frame(frame), frame.data, width=200)
        line = next(line for line in text.splitlines() if " client_nonce " in line)
        offset, size, shown = line.split()[:3]
        assert size == "8"
        assert frame.data[int(offset) :].startswith(bytes.fromhex(shown.rstrip("…")))
        assert "chosen at random" in line

    def test_has_every_value_of_a_recording(self) -> None:
        capture = healthy()
        for decoded in decode_frames(capture):
            if decoded.has_value:
                assert repr(decoded.value["text"]) in full_text(capture, decoded.number, width=200)
            if decoded.envelope is not None:
                assert decoded.envelope.request_id.hex() in full_text(capture, decoded.number, width=200)

    def test_has_the_labels_of_trees_as_paths(self) -> None:
        frame = vector_frames()[-5]
        text = annotated_text(annotate_frame(frame), frame.data)
        assert "canister/bnz7o…-cai/certified_data" in text
        assert " time " in text
        assert "key 'cert'" not in text

    @given(st.sampled_from(vector_frames()))
    def test_covers_every_byte_on_demand(self, frame: Frame) -> None:
        text = annotated_text(annotate_frame(frame), frame.data, width=300, every_byte=True)
        rows = [(int(m[1]), int(m[2])) for m in re.finditer(r"^ *(\d+) +(\d+)  ", text, re.MULTILINE)]
        covered = 0
        for start, size in rows:
            assert start <= covered
            covered = max(covered, start + size) if (start, size) in _leaves(frame) else covered
        assert covered == len(frame.data)

    def test_ends_with_the_first_fault(self) -> None:
        frame = canister_frame(message(b"DIDL\x00\x01\x71\x05ab").encode())
        text = annotated_text(annotate_frame(frame), frame.data)
        fault = text.splitlines()[-1]
        assert "needs 5 bytes" in text
        assert fault

    def test_is_bounded(self) -> None:
        data = b"\x9a\x00\x00\x26\x00" + bytes(0x2600)
        text = annotated_text(annotate_frame(Frame(AT_S, "in", "binary", data)), data)
        assert len(text.splitlines()) < MAX_LINES + 10
        assert "and more" in text


def _leaves(frame: Frame) -> set[tuple[int, int]]:
    return {(leaf.start, leaf.end - leaf.start) for leaf in annotate_frame(frame).leaves()}


class TestOtherFrames:
    @pytest.mark.parametrize(
        "frame",
        [
            Frame(AT_S, "in", "close", code=1000, reason="bye\x1b[31m"),
            Frame(AT_S, "in", "text", b"hello\x1b[2J"),
            Frame(AT_S, "in", "binary", b""),
            Frame(AT_S, "out", "ping", b"x"),
            Frame(AT_S, "out", "binary", b"\xff"),
        ],
    )
    def test_are_described(self, frame: Frame) -> None:
        text = full_text(Capture(frames=[frame]), 0)
        assert "\x1b" not in text
        assert text.startswith("frame 0 ")
