from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.analysis.decode import decode_frames
from icws_explore.views.rows import Part, excerpt, excerpt_frames, frame_rows
from support.session_captures import healthy, hostile


class TestFrameRow:
    def test_counts_seconds_from_the_first_frame(self) -> None:
        rows = list(frame_rows(decode_frames(healthy())))
        assert [row.elapsed for row in rows[:4]] == ["0.000", "0.100", "2.300", "4.000"]

    def test_counts_from_another_start_if_one_is_given(self) -> None:
        capture = healthy()
        rows = list(frame_rows(decode_frames(capture, start=3), start=capture[0].t))
        assert (rows[0].number, rows[0].elapsed) == (3, "4.000")

    def test_has_the_cells_of_each_column(self) -> None:
        row = list(frame_rows(decode_frames(healthy())))[13]
        assert (row.arrow, row.kind, row.sequence, row.flag) == ("←", "ack", "7", "")
        assert row.summary == "the canister has received up to 5"

    def test_flags_closes_and_malformed_frames(self) -> None:
        flags = {row.number: (row.flag, row.mark) for row in frame_rows(decode_frames(hostile())) if row.flag}
        assert flags == {
            6: ("malformed", "!"),
            7: ("malformed", "!"),
            9: ("closed", "■"),
            10: ("closed", "■"),
        }


def rows_of(parts: Sequence[Part[Any]]) -> list[Any]:
    return [item for part in parts for item in part.items]


def left_out(parts: Sequence[Part[Any]]) -> list[int]:
    return [part.left_out for part in parts]


class TestExcerpt:
    def test_of_a_short_list_is_the_whole_list(self) -> None:
        assert excerpt(10, [3], limit=10) == [Part(0, range(10))]

    def test_of_an_empty_list_is_empty(self) -> None:
        assert excerpt(0, [], limit=10) == []

    def test_without_evidence_shows_both_ends(self) -> None:
        assert excerpt(100, limit=10) == [Part(0, range(5)), Part(90, range(95, 100))]

    def test_counts_what_is_left_out_at_the_end(self) -> None:
        assert excerpt(5, limit=1) == [Part(0, range(1)), Part(4, ())]

    def test_shows_the_rows_around_the_evidence(self) -> None:
        parts = excerpt(1000, [500], limit=20, around=2)
        assert range(498, 503) in [part.items for part in parts]
        assert rows_of(parts)[0] == 0
        assert rows_of(parts)[-1] == 999

    def test_leaves_room_for_the_ends_if_there_is_much_evidence(self) -> None:
        rows = rows_of(excerpt(10_000, range(0, 10_000, 50), limit=100))
        assert {0, 1, 9_999} <= set(rows)

    @given(
        total=st.integers(0, 400),
        limit=st.integers(0, 60),
        around=st.integers(0, 4),
        data=st.data(),
    )
    def test_is_bounded_in_order_and_accounts_for_every_row(
        self, total: int, limit: int, around: int, data: st.DataObject
    ) -> None:
        evidence = data.draw(st.lists(st.integers(0, max(0, total - 1)), max_size=20)) if total else []
        parts = excerpt(total, evidence, limit=limit, around=around)
        rows = rows_of(parts)
        assert rows == sorted(set(rows))
        assert len(rows) <= max(limit, 2 * around + 1)
        assert len(rows) >= min(total, limit)
        assert len(rows) + sum(left_out(parts)) == total
        if evidence and total > limit:
            assert evidence[0] in rows


class TestExcerptFrames:
    def test_shows_all_of_a_short_recording(self) -> None:
        (part,) = excerpt_frames(healthy())
        assert (part.left_out, len(part.items)) == (0, 29)

    @pytest.mark.parametrize("limit", [0, 1, 2, 5, 28])
    def test_leaves_out_the_middle_of_a_long_one(self, limit: int) -> None:
        parts = excerpt_frames(healthy(), limit)
        shown = [decoded.number for decoded in rows_of(parts)]
        assert sum(left_out(parts)) == 29 - limit
        assert shown == [*range((limit + 1) // 2), *range(29 - limit // 2, 29)]

    def test_of_an_empty_recording_is_empty(self) -> None:
        capture = healthy()
        capture.frames.clear()
        assert excerpt_frames(capture) == []
