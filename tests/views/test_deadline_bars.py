from __future__ import annotations

import pytest
from matplotlib.axes import Axes

from icws_explore.analysis.deadlines import Deadline
from icws_explore.views.deadline_bars import draw_bars
from icws_explore.views.figure import SessionFigure


def drawn(*timers: Deadline, seconds: float = 1000) -> Axes:
    """The bars on an axis of ``seconds`` that is 800 px wide."""
    figure = SessionFigure(2.0)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set_xlim(0, seconds)
    axes.set_ylim(1, 0)
    draw_bars(axes, timers, start=0, top=0.0, bottom=1.0)
    return axes


def ack(start: float, end: float | None, outcome: str = "met") -> Deadline:
    return Deadline("ack", start, 330, 1, end, None if end is None else 2, outcome)  # type: ignore[arg-type]


def keep_alive(start: float, end: float | None, outcome: str = "met") -> Deadline:
    return Deadline("keep_alive", start, 60, 1, end, None if end is None else 2, outcome)  # type: ignore[arg-type]


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


class TestWords:
    @pytest.mark.parametrize(
        ("timer", "words"),
        [
            (ack(0, 288.25), "ack after 288.2 s of 330 s"),
            (ack(0, 20, "ended"), "session ended after 20.0 s of 330 s"),
            (ack(100, None, "running"), "due at 430.0 s"),
            (keep_alive(0, 61, "missed"), "missed: nothing within 60 s"),
            (keep_alive(0, 0.14), "sent after 0.1 s of 60 s"),
        ],
    )
    def test_say_the_outcome_in_seconds(self, timer: Deadline, words: str) -> None:
        assert texts(drawn(timer)) == [words]

    def test_a_bar_too_short_has_them_beside_it(self) -> None:
        (text,) = drawn(keep_alive(100, 101)).texts
        assert text.get_position()[0] > 160

    def test_and_before_it_at_the_edge_of_the_axis(self) -> None:
        (text,) = drawn(keep_alive(930, 931)).texts
        assert text.get_position()[0] < 930

    def test_crowded_bars_have_shorter_words_or_none(self) -> None:
        crowded = drawn(*(keep_alive(70.0 * n, 70.0 * n + 2) for n in range(14)))
        assert 0 < max(map(len, texts(crowded))) <= len("2.0 of 60 s")
        assert texts(drawn(*(keep_alive(70.0 * n, 70.0 * n + 2) for n in range(140)), seconds=10_000)) == []


class TestBars:
    def test_runs_that_overlap_take_turns_on_two_sub_rows(self) -> None:
        one = {round(text.get_position()[1], 2) for text in drawn(ack(0, 300), ack(400, 690)).texts}
        two = {round(text.get_position()[1], 2) for text in drawn(ack(0, 300), ack(300, 600)).texts}
        assert (len(one), len(two)) == (1, 2)

    def test_what_was_used_is_shaded_over_the_whole_limit(self) -> None:
        axes = drawn(ack(100, 300))
        spans = [
            (area.get_datalim(axes.transData).x0, area.get_datalim(axes.transData).x1) for area in axes.collections
        ]
        assert [(round(x0), round(x1)) for x0, x1 in spans] == [(100, 430), (100, 430), (100, 300)]
