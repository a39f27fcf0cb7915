from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from icws_explore.analysis.decode import decode_frames
from icws_explore.capture import Capture
from icws_explore.views.figures.sequence_numbers import Break, acknowledgements, breaks, sequence_numbers_figure
from support.overlaps import beyond_the_paper, overlapping, words
from support.session_captures import START_S, SessionScript, healthy, hostile


def shuffled() -> Capture:
    """Gaps, repetitions and swaps in both directions, close together."""
    script = SessionScript().opened()
    for at, number in ((5, 1), (6, 3), (7, 2), (8, 2), (9, 9), (9.1, 4), (30, 30)):
        script.client_says(at, "x", sequence_num=number)
        script.app_says(at + 0.4, "y", sequence_num=number + 1)
    return script.capture


def absurd() -> Capture:
    """The largest numbers that the wire can carry."""
    script = SessionScript().opened().client_says(3, "x", sequence_num=2**64 - 1)
    return script.app_says(4, "y", sequence_num=2**64 - 1).capture


def empty() -> Capture:
    return SessionScript().capture


def opening() -> Capture:
    return SessionScript().opened().capture


@pytest.mark.parametrize("make", [healthy, hostile, shuffled, absurd, opening, empty])
class TestAnyCapture:
    def test_labels_do_not_overlap(self, make: Any) -> None:
        assert overlapping(sequence_numbers_figure(make())) == []

    def test_labels_stay_on_the_paper(self, make: Any) -> None:
        assert beyond_the_paper(sequence_numbers_figure(make())) == []


class TestPanels:
    def test_show_one_direction_each(self) -> None:
        figure = sequence_numbers_figure(healthy())
        assert [axes.get_title(loc="left") for axes in figure.axes] == ["client → canister", "canister → client"]

    def test_have_a_marker_for_every_message(self) -> None:
        up, down = sequence_numbers_figure(healthy()).axes
        for axes, direction in ((up, "out"), (down, "in")):
            expected = sorted(
                d.sequence_num
                for d in decode_frames(healthy())
                if d.frame.direction == direction and d.sequence_num is not None
            )
            drawn = [y for line in axes.lines if line.get_linestyle() == "None" for y in line.get_ydata()]
            assert sorted(drawn) == expected

    def test_without_messages_say_so(self) -> None:
        assert "no messages" in [text for text, _ in words(sequence_numbers_figure(opening()))]

    def test_name_what_is_not_acknowledged(self) -> None:
        written = [text for text, _ in words(sequence_numbers_figure(healthy()))]
        assert {"not acknowledged yet", "acknowledged by an ack", "not confirmed yet", "confirmed by a keep-alive"} <= {
            *written
        }


class TestOutOfOrder:
    def test_messages_are_listed_with_their_times(self) -> None:
        written = "\n".join(text for text, _ in words(sequence_numbers_figure(hostile())))
        assert "8.0 s  gap: expected 4, got 9" in written

    def test_the_list_is_short_and_counts_the_others(self) -> None:
        written = "\n".join(text for text, _ in words(sequence_numbers_figure(shuffled())))
        assert "9.1 s  repeated or late: expected 10, got 4\nand 1 more" in written

    def test_a_frame_with_a_time_out_of_order_is_no_gap(self) -> None:
        capture = healthy()
        capture.frames[4] = replace(capture.frames[4], t=capture.frames[4].t + 3000)
        written = "\n".join(text for text, _ in words(sequence_numbers_figure(capture)))
        assert "gap" not in written
        assert "1 frame (4) has a time out of order" in written


class TestAcknowledgements:
    def test_of_the_client_come_from_acks(self) -> None:
        found = acknowledgements(list(decode_frames(healthy())), "out")
        assert [(round(at - START_S, 1), n) for at, n in found] == [(212.4, 5), (512.9, 8), (813.1, 11)]

    def test_of_the_canister_from_keep_alives(self) -> None:
        found = acknowledgements(list(decode_frames(healthy())), "in")
        assert [n for _, n in found] == [7, 10, 13]


class TestBreaks:
    def found(self, *numbers: int, opened: bool = True) -> list[tuple[int, int]]:
        script = SessionScript().opened() if opened else SessionScript()
        for at, number in enumerate(numbers):
            script.client_says(3.0 + at, "x", sequence_num=number)
        return [(b.expected, b.found) for b in breaks(list(decode_frames(script.capture)), "out")]

    def test_of_consecutive_numbers_do_not_exist(self) -> None:
        assert self.found(1, 2, 3) == []

    def test_count_a_gap_once(self) -> None:
        assert self.found(1, 2, 5, 6) == [(3, 5)]

    def test_count_a_repetition(self) -> None:
        assert self.found(1, 2, 2, 3) == [(3, 2)]

    def test_count_a_swap_as_a_gap_and_a_late_number(self) -> None:
        assert self.found(1, 3, 2, 4) == [(2, 3), (4, 2)]

    def test_begin_at_1_after_an_opening(self) -> None:
        assert self.found(2, 3) == [(1, 2)]

    def test_begin_anywhere_in_mid_session(self) -> None:
        assert self.found(7, 8, opened=False) == []

    def test_describe_themselves(self) -> None:
        assert Break(0, 3, 5).text == "gap: expected 3, got 5"
        assert Break(0, 3, 2).text == "repeated or late: expected 3, got 2"
