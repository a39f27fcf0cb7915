from __future__ import annotations

import pytest
from matplotlib.axes import Axes

from icws_explore.capture import Capture
from icws_explore.protocol.service_messages import AckMessage
from icws_explore.views.figures.figure import SessionFigure
from icws_explore.views.figures.timeline import Bar, Outcome, bars_of, draw_bars
from support.session_captures import SessionScript, healthy
from support.timing_captures import never_opened, only, silent, slow_answer, still_open, unacked


def drawn(*timers: Bar, seconds: float = 1000) -> Axes:
    """The bars on an axis of ``seconds`` that is 800 px wide."""
    figure = SessionFigure(2.0)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set_xlim(0, seconds)
    axes.set_ylim(1, 0)
    draw_bars(axes, timers, start=0, top=0.0, bottom=1.0)
    return axes


def ack(start: float, end: float | None, outcome: Outcome = "met") -> Bar:
    return Bar("ack", start, 330, end, outcome)


def keep_alive(start: float, end: float | None, outcome: Outcome = "met") -> Bar:
    return Bar("keep_alive", start, 60, end, outcome)


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def runs(capture: Capture, name: str) -> list[tuple[float, float | None, str]]:
    """Start, end and outcome of each bar of that name."""
    return [
        (round(bar.start, 3), None if bar.end is None else round(bar.end, 3), bar.outcome)
        for bar in bars_of(only(capture))
        if bar.name == name
    ]


class TestBarsOf:
    """The timing says what ran when; its own tests say that it is right."""

    def test_open_runs_from_ws_open_to_the_open_message(self) -> None:
        assert runs(healthy(), "open") == [(0.1, 2.3, "met")]
        assert runs(never_opened(), "open") == [(0.1, None, "missed")]
        script = SessionScript().opened()
        del script.capture.frames[2]
        assert runs(script.capture, "open") == [(0.1, None, "running")]
        assert runs(script.closed(9).capture, "open") == [(0.1, 9.0, "ended")]

    def test_ack_is_each_run_of_the_clients_one_timer(self) -> None:
        assert runs(healthy(), "ack") == [
            (4.0, 212.4, "met"),
            (212.4, 512.9, "met"),
            (512.9, 813.1, "met"),
            (813.1, 866.0, "ended"),
        ]
        assert runs(unacked(), "ack") == [(5.0, None, "missed")]
        assert runs(still_open(), "ack") == [(10.0, None, "running")]

    def test_keep_alive_is_the_canisters_window_from_its_own_time_of_the_ack(self) -> None:
        assert runs(healthy(), "keep_alive")[0] == (211.6, 212.5, "met")
        assert runs(silent(), "keep_alive") == [(289.2, None, "missed")]
        assert runs(slow_answer(), "keep_alive") == [(289.2, None, "missed")]

    def test_and_stands_on_the_captures_clock_where_the_canisters_is_elsewhere(self) -> None:
        script = SessionScript().opened()
        script.canister_says(10, AckMessage(0), timestamp_ns=script.ns(4000))
        (bar,) = [bar for bar in bars_of(only(script.capture)) if bar.name == "keep_alive"]
        assert bar.outcome == "running"

    def test_the_limits_are_the_protocols_and_the_captures(self) -> None:
        assert {bar.name: bar.limit_s for bar in bars_of(only(healthy()))} == {
            "open": 60.0,
            "ack": pytest.approx(330.0),
            "keep_alive": 60.0,
        }


class TestWords:
    @pytest.mark.parametrize(
        ("timer", "words"),
        [
            (ack(0, 288.25), "ack after 288.2 s of 330 s"),
            (ack(0, 20, "ended"), "session ended after 20.0 s of 330 s"),
            (ack(100, None, "running"), "due at 430.0 s"),
            (keep_alive(0, None, "missed"), "missed: nothing within 60 s"),
            (keep_alive(0, 0.14), "sent after 0.1 s of 60 s"),
            (keep_alive(0, None, "met"), "in time for 60 s"),
        ],
    )
    def test_say_the_outcome_in_seconds(self, timer: Bar, words: str) -> None:
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
    def test_what_was_met_nobody_saw_when_is_shaded_nowhere(self) -> None:
        """The canister went on for more than a minute after its ack, and the recording has no keep-alive."""
        script = SessionScript().opened().acked(100, answered_after=None).app_says(170, "x")
        assert runs(script.capture, "keep_alive") == [(99.2, None, "met")]
        axes = drawn(keep_alive(100, None))
        areas = [area.get_datalim(axes.transData) for area in axes.collections]
        assert [(round(area.x0), round(area.x1)) for area in areas] == [(100, 160), (100, 160), (100, 100)]

    def test_one_of_a_clock_that_is_far_off_is_left_out(self) -> None:
        for far in (keep_alive(4000, None, "running"), keep_alive(-4000, None, "running")):
            axes = drawn(far)
            assert (texts(axes), list(axes.collections)) == ([], [])

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
