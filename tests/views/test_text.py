from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from icws_explore.analysis.decode import Kind, decode_frames
from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import Capture, load
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.views.facts import recording_facts
from icws_explore.views.formatting import one_line
from icws_explore.views.kinds import LOOKS
from icws_explore.views.rows import Flag, FrameRow, excerpt_frames, frame_rows
from icws_explore.views.text import (
    facts_lines,
    frame_fields_lines,
    frame_header,
    frame_line,
    frame_lines,
    frame_list_lines,
    frame_text,
    hanging_lines,
    plain,
    steps_lines,
    verdicts_lines,
    wrap_cells,
)
from support.machine import ROOT
from support.session_captures import SessionScript, healthy, hostile

CAPTURES = [healthy, hostile]


def every_text(capture: Capture, width: int) -> list[str]:
    frames = list(decode_frames(capture))
    verdicts = list(verify_capture(capture))
    return [
        plain(facts_lines(recording_facts(capture), width=width)),
        plain(frame_list_lines(excerpt_frames(capture), start=capture[0].t, width=width)),
        *(plain(frame_fields_lines(decoded, width=width)) for decoded in frames),
        *(plain(steps_lines(verdict, width=width)) for verdict in verdicts),
        plain(verdicts_lines(verdicts, width=width)),
    ]


@pytest.mark.parametrize("make", CAPTURES)
@pytest.mark.parametrize("width", [60, 80, 120])
class TestEveryText:
    def test_fits_its_width(self, make: object, width: int) -> None:
        for text in every_text(make(), width):  # type: ignore[operator]
            assert max(cell_len(line) for line in text.splitlines()) <= width

    def test_contains_nothing_that_moves_a_cursor(self, make: object, width: int) -> None:
        for text in every_text(make(), width):  # type: ignore[operator]
            assert all(line.isprintable() for line in text.split("\n"))


class TestFrameList:
    def test_has_a_line_for_each_frame(self) -> None:
        lines = [line.plain for line in frame_lines(decode_frames(healthy()))]
        assert len(lines) == 29
        assert lines[13] == "   13   212.400 ← ▲ ack             7    676  the canister has received up to 5"

    def test_aligns_columns_with_their_headings(self) -> None:
        head = frame_header().plain
        assert head.split() == ["#", "seconds", "kind", "seq", "bytes", "summary"]
        lines = [line.plain for line in frame_lines(decode_frames(healthy()))]
        assert lines[13].index("ack") == head.index("kind")
        assert lines[13].index("the canister") == head.index("summary")
        assert lines[13].index("7    676") == head.index("seq") + 2

    def test_marks_closes_and_malformed_frames_without_colour(self) -> None:
        lines = [line.plain for line in frame_lines(decode_frames(hostile()))]
        assert [line[0] for line in lines] == [" "] * 6 + ["!", "!", " ", "■", "■"]

    @given(
        summary=st.text(max_size=90),
        session=st.sampled_from(["", "tab 1", "会議", "\ufe0f"]),
        flag=st.sampled_from(["", "closed", "malformed"]),
        kind=st.sampled_from(sorted(LOOKS)),
        width=st.integers(20, 130),
    )
    def test_as_text_is_the_line_without_colour(
        self, summary: str, session: str, flag: Flag, kind: Kind, width: int
    ) -> None:
        row = FrameRow(12, "1.250", "→", kind, "7", "676", one_line(summary), flag, session)
        assert frame_text(row, width) == frame_line(row, width).plain

    def test_names_the_session(self) -> None:
        (row, *_) = frame_rows(decode_frames(SessionScript(session="tab 1").opened().capture))
        assert "[tab 1] gateway" in frame_line(row).plain

    def test_says_how_many_frames_it_leaves_out(self) -> None:
        capture = healthy()
        text = plain(frame_list_lines(excerpt_frames(capture, 10), start=capture[0].t))
        assert "… 19 frames not shown …" in text
        assert text.splitlines()[-1].split()[1] == "28"


class TestHangingLines:
    def test_continue_where_the_text_began(self) -> None:
        lines = [line.plain for line in hanging_lines(Text("name "), "one two three four", 20)]
        assert lines == ["name one two three", "     four"]

    def test_continue_at_an_indent(self) -> None:
        lines = [line.plain for line in hanging_lines(Text("name "), "one two three four five", 24, indent=2)]
        assert lines == ["name one two three four", "  five"]

    def test_give_a_long_head_a_line_of_its_own(self) -> None:
        lines = [line.plain for line in hanging_lines(Text("a long name "), "one two three", 20, indent=2)]
        assert lines == ["a long name", "  one two three"]


class TestSteps:
    def test_of_a_failed_message_show_both_values_whole(self) -> None:
        capture = healthy()
        frame = capture.frames[4]
        object.__setattr__(frame, "data", frame.data.replace(b"pong 0", b"pong !"))
        bad = next(v for v in verify_capture(capture) if not v.ok)
        text = "".join(line.strip() for line in plain(steps_lines(bad)).splitlines())
        assert bad.failure is not None
        assert bad.failure.step == "body"
        assert f"0x{bad.failure.expected.hex()}" in text  # type: ignore[union-attr]
        assert f"0x{bad.failure.actual.hex()}" in text  # type: ignore[union-attr]

    def test_shorten_a_certificate_and_give_its_size(self) -> None:
        capture = load(ROOT / "data/sessions/healthy.icws")  # its certificates have a delegation
        bad = next(iter(verify_capture(capture, root_key=MAINNET_ROOT_KEY)))
        assert bad.failure is not None
        assert isinstance(bad.failure.actual, bytes)
        lines = plain(steps_lines(bad)).splitlines()
        assert any(
            f"… ({len(bad.failure.actual)} bytes)" in line.replace(bad.failure.actual[-4:].hex(), "") for line in lines
        )
        assert len(lines) < 25

    def test_of_many_messages_show_the_steps_of_failed_ones_only(self) -> None:
        text = plain(verdicts_lines(verify_capture(hostile())))
        assert text.count("✓ frame") == 4
        assert text.count("  ✗ sequence") == 1


class TestWrapCells:
    @given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=300), st.integers(20, 80))
    def test_fits_and_loses_only_spaces(self, text: str, width: int) -> None:
        parts = wrap_cells(text, width)
        assert all(cell_len(part) <= width for part in parts)
        assert "".join("".join(parts).split()) == "".join(text.split())

    def test_breaks_after_words_then_after_hyphens(self) -> None:
        assert wrap_cells("one two three four", 10) == ["one two", "three four"]
        assert wrap_cells("aaaaa-bbbbb-ccccc", 12) == ["aaaaa-bbbbb-", "ccccc"]
        assert wrap_cells("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]

    def test_a_word_with_hyphens_that_fits_into_a_line_is_not_broken(self) -> None:
        assert wrap_cells("to aaaaa-bbbbb-ccccc", 18) == ["to", "aaaaa-bbbbb-ccccc"]
        principal = "kebrh-rpe3j-monwr-bnfgx-y7sde-agnca-tgsq2-guukw-nyalm-gcehr-mae"
        assert wrap_cells(f"ws://127.0.0.1:36313 ({principal})", 68) == ["ws://127.0.0.1:36313", f"({principal})"]
