from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.decode import decode_frames
from icws_explore.views.rows import elide, frame_rows, one_line
from support.session_captures import healthy, hostile


class TestFrameRow:
    def test_counts_seconds_from_the_first_frame(self) -> None:
        rows = list(frame_rows(decode_frames(healthy())))
        assert [row.elapsed for row in rows[:4]] == ["0.000", "0.100", "2.300", "4.000"]

    def test_counts_from_another_start_where_one_is_given(self) -> None:
        capture = healthy()
        rows = list(frame_rows(decode_frames(capture, start=3), start=capture[0].t))
        assert (rows[0].number, rows[0].elapsed) == (3, "4.000")

    def test_has_what_each_column_says(self) -> None:
        row = list(frame_rows(decode_frames(healthy())))[13]
        assert (row.arrow, row.kind, row.sequence, row.flag) == ("←", "ack", "7", "")
        assert row.summary == "the canister has received up to 5"

    def test_flags_what_a_reader_must_not_miss(self) -> None:
        flags = {row.number: (row.flag, row.mark) for row in frame_rows(decode_frames(hostile())) if row.flag}
        assert flags == {
            6: ("malformed", "!"),
            7: ("malformed", "!"),
            9: ("closed", "■"),
            10: ("closed", "■"),
        }


class TestOneLine:
    def test_makes_escapes_of_what_moves_a_cursor(self) -> None:
        assert one_line("a\x1b[31m\r\nb\u202ec\u200b") == "a\\x1b[31m\\r\\nb\\u202ec\\u200b"

    @given(st.text(st.characters()))
    def test_gives_printable_text_for_any(self, text: str) -> None:
        assert one_line(text).isprintable()

    @given(st.text(st.characters(exclude_categories=["C", "Z"])))
    def test_leaves_readable_text_alone(self, text: str) -> None:
        assert one_line(text) == text


class TestElide:
    def test_shows_short_bytes_whole(self) -> None:
        assert elide(b"") == "empty"
        assert elide(bytes(range(12))) == "0x000102030405060708090a0b"

    @given(st.binary(min_size=13, max_size=300))
    def test_keeps_both_ends_and_says_how_many(self, data: bytes) -> None:
        assert elide(data) == f"0x{data[:8].hex()}…{data[-4:].hex()} ({len(data)} bytes)"
