from __future__ import annotations

from typing import Any

import pytest

from icws_explore.analysis.decode import decode_frames
from icws_explore.capture import Capture
from icws_explore.views.figures.sequence import Break, acknowledgements, breaks, sequences
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
    def test_no_words_lie_on_each_other(self, make: Any) -> None:
        assert overlapping(sequences(make())) == []

    def test_no_words_leave_the_paper(self, make: Any) -> None:
        assert beyond_the_paper(sequences(make())) == []


class TestPanels:
    def test_one_a_direction(self) -> None:
        figure = sequences(healthy())
        assert [axes.get_title(loc="left") for axes in figure.axes] == ["client → canister", "canister → client"]

    def test_every_message_has_a_marker_at_its_number(self) -> None:
        up, down = sequences(healthy()).axes
        for axes, direction in ((up, "out"), (down, "in")):
            expected = sorted(
                d.sequence_num
                for d in decode_frames(healthy())
                if d.frame.direction == direction and d.sequence_num is not None
            )
            drawn = [y for line in axes.lines if line.get_linestyle() == "None" for y in line.get_ydata()]
            assert sorted(drawn) == expected

    def test_a_direction_without_messages_says_so(self) -> None:
        assert "no messages" in [text for text, _ in words(sequences(opening()))]

    def test_names_what_is_not_acked(self) -> None:
        written = [text for text, _ in words(sequences(healthy()))]
        assert {"not acked yet", "acked by the canister", "not reported yet", "reported by a keep-alive"} <= set(
            written
        )


class TestOutOfOrder:
    def test_is_listed_with_its_time(self) -> None:
        written = "\n".join(text for text, _ in words(sequences(hostile())))
        assert "8.0 s  gap: 4 expected, 9 came" in written

    def test_the_list_is_short_and_says_how_many_more(self) -> None:
        written = "\n".join(text for text, _ in words(sequences(shuffled())))
        assert "9.1 s  4 again or late, 10 expected\nand 1 more" in written


class TestAcknowledgements:
    def test_of_the_client_come_from_acks(self) -> None:
        said = acknowledgements(list(decode_frames(healthy())), "out")
        assert [(round(at - START_S, 1), n) for at, n in said] == [(212.4, 5), (512.9, 8), (813.1, 11)]

    def test_of_the_canister_from_keep_alives(self) -> None:
        said = acknowledgements(list(decode_frames(healthy())), "in")
        assert [n for _, n in said] == [7, 10, 13]


class TestBreaks:
    def found(self, *numbers: int, expected: int | None = 1) -> list[tuple[int, int]]:
        script = SessionScript()
        for at, number in enumerate(numbers):
            script.client_says(float(at), "x", sequence_num=number)
        return [(b.expected, b.found) for b in breaks(list(decode_frames(script.capture)), START_S, expected)]

    def test_none_in_order(self) -> None:
        assert self.found(1, 2, 3) == []

    def test_a_gap_once(self) -> None:
        assert self.found(1, 2, 5, 6) == [(3, 5)]

    def test_a_repetition(self) -> None:
        assert self.found(1, 2, 2, 3) == [(3, 2)]

    def test_a_swap_is_a_gap_and_a_latecomer(self) -> None:
        assert self.found(1, 3, 2, 4) == [(2, 3), (4, 2)]

    def test_a_session_begins_at_1(self) -> None:
        assert self.found(2, 3) == [(1, 2)]

    def test_a_capture_from_mid_session_anywhere(self) -> None:
        assert self.found(7, 8, expected=None) == []

    def test_say_what_they_are(self) -> None:
        assert Break(0, 3, 5).text == "gap: 3 expected, 5 came"
        assert Break(0, 3, 2).text == "2 again or late, 3 expected"
