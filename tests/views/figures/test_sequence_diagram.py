from __future__ import annotations

from typing import Any

import pytest

from icws_explore.capture import Capture
from icws_explore.views.figures.sequence_diagram import MAX_STEPS, sequence_diagram_figure
from support.network_side import given, received
from support.overlaps import beyond_the_paper, overlapping, words
from support.session_captures import SessionScript, healthy
from support.timing_captures import ALL


def disorder() -> Capture:
    script = SessionScript().opened().app_says(6, "c", sequence_num=3).app_says(6.1, "b", sequence_num=2)
    return script.app_says(7, "b", sequence_num=2).capture


def texts(capture: Capture, **window: Any) -> list[str]:
    return [text for text, _ in words(sequence_diagram_figure(capture, **window))]


@pytest.mark.parametrize("make", [*ALL, disorder])
class TestAnyCapture:
    def test_labels_do_not_overlap_or_leave_the_paper(self, make: Any) -> None:
        figure = sequence_diagram_figure(make())
        assert overlapping(figure) == []
        assert beyond_the_paper(figure) == []


class TestRows:
    def test_have_time_parties_and_sequence_number(self) -> None:
        written = texts(healthy())
        assert {"client", "gateway", "canister", "212.40", "1  open", "7  ack", "6  keep_alive"} <= set(written)
        assert any(text.startswith("3  message  {text: 'ping 2'") for text in written)

    def test_acks_are_brackets_over_what_they_cover(self) -> None:
        assert {"acks 1–5, oldest 208 s", "has 1–7"} <= set(texts(healthy()))

    def test_gaps_swaps_and_duplicates_are_marked(self) -> None:
        assert {"gap: 2 missing", "swapped: 2 after 3", "duplicate of 2"} <= set(texts(disorder()))


class TestLabels:
    def say(self, length: int) -> str:
        capture = SessionScript().opened().client_says(4, "x" * length).capture
        (label,) = [text for text in texts(capture) if text.startswith("1  message")]
        return label

    def test_are_whole_if_there_is_room(self) -> None:
        assert "…" not in self.say(10)

    def test_run_on_to_the_canister_before_they_are_cut(self) -> None:
        assert "…" not in self.say(40)

    def test_are_cut_with_an_ellipsis_if_there_is_no_room(self) -> None:
        assert self.say(90).endswith("…")


class TestLost:
    def test_messages_that_never_came_have_a_row_of_their_own(self) -> None:
        script = SessionScript().opened().app_says(6, "c", sequence_num=5).client_says(7, "a", sequence_num=4)
        assert {"2–4 lost between canister and client", "1–3 not sent by the client"} <= set(texts(script.capture))

    def crosses(self, capture: Capture) -> list[float]:
        """How far to the right the crosses are, in inches."""
        axes = sequence_diagram_figure(capture).axes[0]
        return [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "X"]

    def test_end_in_a_cross_at_the_gateway_if_its_side_is_unknown(self) -> None:
        assert self.crosses(SessionScript().opened().app_says(6, "c", sequence_num=3).capture) == [6.3]

    def test_end_in_a_cross_on_the_side_where_they_were_lost(self) -> None:
        whole = healthy()
        capture = given(whole, whole.frames[4].t - 0.5, received(whole, 4), received(whole, 6))
        gone = [whole.frames[6], whole.frames[8]]
        capture.frames = [frame for frame in capture.frames if not any(frame is each for each in gone)]
        before, behind = self.crosses(capture)
        assert before > 6.3 > behind

    def test_are_named_beside_their_cross_if_the_brackets_would_cross_the_words(self) -> None:
        figure = sequence_diagram_figure(SessionScript().opened().app_says(6, "c", sequence_num=3).capture)
        boxes = dict(words(figure))
        said = boxes["2 lost between canister and client"]
        middle = {party: (boxes[party].x0 + boxes[party].x1) / 2 for party in ("client", "gateway")}
        assert middle["client"] < said.x0
        assert said.x1 < middle["gateway"]

    def test_a_late_message_is_not_lost(self) -> None:
        assert not any("lost" in text for text in texts(disorder()))


class TestPart:
    def test_names_the_frames_that_are_shown(self) -> None:
        assert "Sequence diagram, frames 11 to 15 of 29" in texts(healthy(), start=10, stop=15)

    def test_is_no_longer_than_a_page(self) -> None:
        capture = SessionScript().opened().capture
        for number in range(100):
            capture.frames += [capture.frames[2]] * (number < 100)
        assert f"Sequence diagram, frames 1 to {MAX_STEPS} of 103" in texts(capture)

    def test_gives_the_same_svg_for_the_same_frames(self) -> None:
        assert sequence_diagram_figure(healthy()).inline_svg("d") == sequence_diagram_figure(healthy()).inline_svg("d")
