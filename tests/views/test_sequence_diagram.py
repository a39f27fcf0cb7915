from __future__ import annotations

from typing import Any

import pytest

from icws_explore.capture import Capture
from icws_explore.views.sequence_diagram import MAX_ROWS, sequence_diagram
from support.overlaps import beyond_the_paper, overlapping, words
from support.session_captures import SessionScript, healthy
from support.timing_captures import ALL


def disorder() -> Capture:
    script = SessionScript().opened().app_says(6, "c", sequence_num=3).app_says(6.1, "b", sequence_num=2)
    return script.app_says(7, "b", sequence_num=2).capture


def texts(capture: Capture, **window: Any) -> list[str]:
    return [text for text, _ in words(sequence_diagram(capture, **window))]


@pytest.mark.parametrize("make", [*ALL, disorder])
class TestAnyCapture:
    def test_no_words_lie_on_each_other_or_leave_the_paper(self, make: Any) -> None:
        figure = sequence_diagram(make())
        assert overlapping(figure) == []
        assert beyond_the_paper(figure) == []


class TestRows:
    def test_say_when_who_and_what_with_the_sequence_number(self) -> None:
        written = texts(healthy())
        assert {"client", "gateway", "canister", "212.40", "1  open", "7  ack", "6  keep_alive"} <= set(written)
        assert any(text.startswith("3  message  {text: 'ping 2'") for text in written)

    def test_acks_are_brackets_over_what_they_cover(self) -> None:
        assert {"acks 1–5, oldest 208.4 s", "has 1–7"} <= set(texts(healthy()))

    def test_gaps_swaps_and_duplicates_are_marked(self) -> None:
        assert {"gap: 2 missing", "swapped: 2 after 3", "duplicate of 2"} <= set(texts(disorder()))


class TestPart:
    def test_says_which_steps_are_shown(self) -> None:
        assert "Sequence diagram, steps 11 to 15 of 29" in texts(healthy(), start=10, stop=15)

    def test_no_more_than_fit_on_a_page(self) -> None:
        capture = SessionScript().opened().capture
        for number in range(100):
            capture.frames += [capture.frames[2]] * (number < 100)
        assert f"Sequence diagram, steps 1 to {MAX_ROWS} of 103" in texts(capture)

    def test_svg_is_the_same_for_the_same_steps(self) -> None:
        assert sequence_diagram(healthy()).inline_svg("d") == sequence_diagram(healthy()).inline_svg("d")
