from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.decode import decode_frames
from icws_explore.capture import Capture
from icws_explore.errors import IcwsError
from icws_explore.notebook.explorer.frame_index import MAX_HAYSTACK, Choice, FrameIndex, content_text, filter_error
from support.explorer_scene import growing, indexed
from support.session_captures import healthy, hostile


def numbers(index: FrameIndex) -> list[int]:
    return [row[0] for row in index.rows(0, index.total)]


class TestTaking:
    def test_decodes_each_frame_once(self) -> None:
        capture, until = growing(healthy(), begin=3)
        index = indexed(capture)
        first = index.frames[0]
        until(5)
        assert index.take() == 2
        assert index.take() == 0
        assert numbers(index) == [0, 1, 2, 3, 4]
        assert index.frames[0] is first

    def test_lists_only_what_the_filter_lets_through(self) -> None:
        whole = healthy()
        capture, until = growing(whole, begin=1)
        index = indexed(capture)
        index.choose(Choice(where='kind == "ack"'))
        assert index.total == 0
        until(len(whole))
        index.take()
        acks = [decoded.number for decoded in decode_frames(whole) if decoded.kind == "ack"]
        assert acks
        assert numbers(index) == acks


class TestChoosing:
    def test_by_expression_text_and_session_together(self) -> None:
        whole = healthy()
        frames = [replace(frame, session=name) for name in ("one", "two") for frame in whole.frames]
        index = indexed(Capture(whole.info, frames))
        assert index.sessions == ["one", "two"]
        index.choose(Choice(session="two"))
        assert numbers(index) == list(range(len(whole), 2 * len(whole)))
        index.choose(Choice(where='direction == "out"', session="two"))
        sent = numbers(index)
        assert {frames[number].direction for number in sent} == {"out"}
        text = index.frames[sent[1]].summary[:12]
        index.choose(Choice(where='direction == "out"', text=text.upper(), session="two"))
        assert sent[1] in numbers(index)

    def test_counts_generations(self) -> None:
        index = indexed(healthy())
        before = index.generation
        index.choose(Choice(text="x"))
        assert index.generation == before + 1

    def test_outside_of_the_language_changes_nothing(self) -> None:
        index = indexed(healthy())
        index.choose(Choice(where='kind == "ack"'))
        before = numbers(index), index.generation
        with pytest.raises(IcwsError, match="knd"):
            index.choose(Choice(where='knd == "ack"'))
        assert (numbers(index), index.generation) == before

    def test_errors_are_one_line(self) -> None:
        assert filter_error("") == filter_error('kind == "ack"') == ""
        assert "__import__" in filter_error("__import__('os')")
        assert "\n" not in filter_error("kind ==\n")


class TestSearch:
    def test_finds_text_inside_of_application_values(self) -> None:
        index = indexed(healthy())
        with_value = [decoded for decoded in index.frames if decoded.has_value]
        wanted = with_value[0].value["text"]
        index.choose(Choice(text=wanted))
        assert with_value[0].number in numbers(index)
        index.choose(Choice(text="no such text anywhere"))
        assert numbers(index) == []

    def test_is_bounded_for_large_values(self) -> None:
        decoded = next(decoded for decoded in indexed(healthy()).frames if decoded.has_value)
        large = replace(decoded, value={"many": [["x" * 1000] * 1000] * 1000})
        assert len(content_text(large)) <= MAX_HAYSTACK


class TestRows:
    def test_say_the_time_since_the_row_above(self) -> None:
        index = indexed(healthy())
        index.choose(Choice(where='direction == "out"'))
        rows = index.rows(0, index.total)
        assert rows[0][2] is None
        assert rows[2][2] == pytest.approx(rows[2][1] - rows[1][1], abs=2e-6)
        assert index.rows(2, 3) == rows[2:3]

    def test_of_a_range_outside_of_the_list_are_none(self) -> None:
        index = indexed(healthy())
        assert index.rows(10_000, 10_100) == index.rows(5, 2) == []

    def test_escape_what_moves_a_cursor_or_breaks_a_line(self) -> None:
        index = indexed(hostile())
        texts = [str(cell) for row in index.rows(0, index.total) for cell in row]
        assert all(text.isprintable() for text in texts)

    def test_mark_a_frame_whose_time_goes_back(self) -> None:
        whole = healthy()
        frames = list(whole.frames)
        frames[4] = replace(frames[4], t=frames[2].t - 1)
        assert indexed(Capture(whole.info, frames)).rows(4, 5)[0][9] == "misplaced"

    def test_are_found_by_the_number_of_their_frame(self) -> None:
        index = indexed(healthy())
        index.choose(Choice(where="frame in (2, 5)"))
        assert [index.row_of(number) for number in (2, 5, 3, 10_000)] == [0, 1, -1, -1]


class TestMarks:
    def test_hold_the_proof_and_the_worst_finding(self) -> None:
        index = indexed(healthy())
        assert index.mark({2: "passed", 3: "failed"}) == {2: ["passed", ""], 3: ["failed", ""]}
        assert index.mark_findings({3: "error"}) == {3: ["failed", "error"]}
        assert index.mark_findings({4: "info"}) == {3: ["failed", ""], 4: ["", "info"]}
        assert index.rows(4, 5)[0][10:] == ["", "info"]
