from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import Capture, load
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.views.rows import frame_rows
from icws_explore.views.text import (
    capture_text,
    frame_detail_text,
    frame_header,
    frame_line,
    frame_table_text,
    steps_text,
    verdicts_text,
    wrap_cells,
)
from support.machine import ROOT
from support.session_captures import SessionScript, healthy, hostile

CAPTURES = [healthy, hostile]


def every_text(capture: Capture, width: int) -> list[str]:
    frames = list(decode_frames(capture))
    verdicts = list(verify_capture(capture))
    return [
        capture_text(capture, width=width),
        *(frame_detail_text(decoded, width=width) for decoded in frames),
        *(steps_text(verdict, width=width) for verdict in verdicts),
        verdicts_text(verdicts, width=width),
    ]


@pytest.mark.parametrize("make", CAPTURES)
@pytest.mark.parametrize("width", [60, 80, 120])
class TestEveryText:
    def test_keeps_to_its_columns(self, make: object, width: int) -> None:
        for text in every_text(make(), width):  # type: ignore[operator]
            assert max(cell_len(line) for line in text.splitlines()) <= width

    def test_holds_nothing_that_moves_a_cursor(self, make: object, width: int) -> None:
        for text in every_text(make(), width):  # type: ignore[operator]
            assert all(line.isprintable() for line in text.split("\n"))


class TestFrameTable:
    def test_a_line_a_frame_under_a_head(self) -> None:
        lines = frame_table_text(decode_frames(healthy())).splitlines()
        assert len(lines) == 30
        assert lines[0].split() == ["#", "time", "kind", "seq", "size", "summary"]
        assert lines[14] == "   13   212.400 ← ▲ ack             7    676  the canister has received up to 5"

    def test_columns_stand_under_their_heads(self) -> None:
        head = frame_header().plain
        lines = frame_table_text(decode_frames(healthy())).splitlines()
        assert lines[14].index("ack") == head.index("kind")
        assert lines[14].index("the canister") == head.index("summary")
        assert lines[14].index("7    676") == head.index("seq") + 2

    def test_the_ends_and_what_does_not_decode_stand_out_without_colour(self) -> None:
        lines = frame_table_text(decode_frames(hostile())).splitlines()[1:]
        assert [line[0] for line in lines] == [" "] * 6 + ["!", "!", " ", "■", "■"]

    def test_sessions_are_named_where_there_are_several(self) -> None:
        (row, *_) = frame_rows(decode_frames(SessionScript(session="tab 1").opened().capture))
        assert "[tab 1] gateway" in frame_line(row).plain


class TestCapture:
    def test_says_how_many_frames_it_leaves_out(self) -> None:
        text = capture_text(healthy(), limit=10)
        assert "… 19 frames not shown …" in text
        assert text.splitlines()[-1].split()[1] == "28"

    def test_says_under_which_clock(self) -> None:
        assert "scaled × 60" in capture_text(healthy())


class TestSteps:
    def test_of_a_failing_message_show_all_of_both_sides(self) -> None:
        capture = healthy()
        frame = capture.frames[4]
        object.__setattr__(frame, "data", frame.data.replace(b"pong 0", b"pong !"))
        bad = next(v for v in verify_capture(capture) if not v.ok)
        text = "".join(line.strip() for line in steps_text(bad).splitlines())
        assert bad.failure is not None
        assert bad.failure.step == "body"
        assert f"0x{bad.failure.expected.hex()}" in text  # type: ignore[union-attr]
        assert f"0x{bad.failure.actual.hex()}" in text  # type: ignore[union-attr]

    def test_a_whole_certificate_is_elided_and_its_length_said(self) -> None:
        capture = load(ROOT / "data/sessions/healthy.icws")  # its certificates have a delegation
        bad = next(iter(verify_capture(capture, root_key=MAINNET_ROOT_KEY)))
        assert bad.failure is not None
        assert isinstance(bad.failure.actual, bytes)
        lines = steps_text(bad).splitlines()
        assert any(
            f"… ({len(bad.failure.actual)} bytes)" in line.replace(bad.failure.actual[-4:].hex(), "") for line in lines
        )
        assert len(lines) < 25

    def test_of_many_messages_only_the_bad_are_walked(self) -> None:
        text = verdicts_text(verify_capture(hostile()))
        assert text.count("✓ frame") == 4
        assert text.count("  ✗ sequence") == 1


class TestWrapCells:
    @given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=300), st.integers(20, 80))
    def test_fits_and_loses_nothing_but_spaces(self, text: str, width: int) -> None:
        parts = wrap_cells(text, width)
        assert all(cell_len(part) <= width for part in parts)
        assert "".join("".join(parts).split()) == "".join(text.split())

    def test_breaks_after_words_then_after_hyphens(self) -> None:
        assert wrap_cells("one two three four", 10) == ["one two", "three four"]
        assert wrap_cells("aaaaa-bbbbb-ccccc", 12) == ["aaaaa-bbbbb-", "ccccc"]
        assert wrap_cells("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]
