from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from matplotlib.axes import Axes

from icws_explore.analysis.decode import decode_frames
from icws_explore.capture import Capture, ClockInfo
from icws_explore.protocol.service_messages import CloseReason
from icws_explore.views.figures.figure import SessionFigure
from icws_explore.views.figures.timeline import draw_bars, row_labels, timeline_figure
from icws_explore.views.kinds import LOOKS
from icws_explore.views.time_outs import Outcome, TimeOut
from support.overlaps import beyond_the_paper, overlapping, words
from support.session_captures import SessionScript, healthy, hostile
from support.timing_captures import only


def chatty() -> Capture:
    """More than fits: 300 messages and acks every 70 s for 20 minutes."""
    script = SessionScript().opened()
    script.capture.info = type(script.capture.info)(**{**_fields(script.capture.info), "ack_interval_ms": 70_000})
    for tick in range(1, 300):
        script.client_says(4.0 * tick, f"{tick}")
        if tick % 17 == 0:
            script.acked(4.0 * tick + 1)
    return script.capture


def _fields(info: Any) -> dict[str, Any]:
    return {name: getattr(info, name) for name in info.__slots__}


def silent() -> Capture:
    """A client that does not answer an ack and is closed by the canister."""
    script = SessionScript(clock=ClockInfo("virtual")).opened().client_says(5, "a").acked(290, answered_after=None)
    script.canister_closes(350, CloseReason.KEEP_ALIVE_TIMEOUT)
    return script.closed(350.2, "out", 4000, "Received close message from canister").capture


def one_frame() -> Capture:
    script = SessionScript().opened()
    del script.capture.frames[1:]
    return script.capture


def empty() -> Capture:
    script = SessionScript()
    return script.capture


CAPTURES = [healthy, hostile, chatty, silent, one_frame, empty]


def texts(capture: Capture) -> list[str]:
    return [text for text, _ in words(timeline_figure(capture))]


@pytest.mark.parametrize("make", CAPTURES)
class TestAnyCapture:
    def test_labels_do_not_overlap(self, make: Any) -> None:
        assert overlapping(timeline_figure(make())) == []

    def test_labels_stay_on_the_paper(self, make: Any) -> None:
        assert beyond_the_paper(timeline_figure(make())) == []


class TestLanes:
    def test_have_a_row_for_each_kind_with_its_name_and_marker(self) -> None:
        capture = healthy()
        kinds = {d.kind for d in decode_frames(capture)}
        figure = timeline_figure(capture)
        assert kinds <= {text for text, _ in words(figure)}
        assert {LOOKS[kind].marker for kind in kinds} <= {line.get_marker() for line in figure.axes[0].lines}

    def test_have_no_row_for_absent_kinds(self) -> None:
        assert "close" not in texts(healthy())
        assert "close" in texts(hostile())

    def test_have_an_axis_in_seconds_of_the_recordings_clock(self) -> None:
        assert timeline_figure(healthy()).axes[0].get_xlabel() == "protocol seconds since the first frame"
        assert timeline_figure(hostile()).axes[0].get_xlabel() == "seconds since the first frame"
        assert any("scaled × 60, 14.4 s real" in text for text in texts(healthy()))
        assert any("virtual clock" in text for text in texts(silent()))

    def test_have_markers_at_the_times_of_the_frames(self) -> None:
        acks = [
            line
            for line in timeline_figure(healthy()).axes[0].lines
            if line.get_marker() == "^" and len(line.get_xdata()) > 1
        ]
        assert [round(float(x), 3) for line in acks for x in line.get_xdata()] == [212.4, 512.9, 813.1]


class TestTimeOuts:
    def test_show_each_limit_in_seconds(self) -> None:
        assert {"open  60 s", "ack  330 s", "keep_alive  60 s"} <= set(texts(healthy()))

    def test_show_how_much_was_used(self) -> None:
        written = texts(healthy())
        assert "open after 2.2 s of 60 s" in written
        assert "ack after 300.5 s of 330 s" in written
        assert "sent after 0.9 s of 60 s" in written

    def test_use_the_limits_of_the_recording(self) -> None:
        assert "ack  100 s" in texts(chatty())

    def test_say_that_one_was_missed(self) -> None:
        assert any(text.startswith("missed") for text in texts(silent()))

    def test_of_given_instants_reach_to_the_last_one(self) -> None:
        capture = healthy()
        session = only(capture)
        later = replace(session, last=session.last + 1000)
        assert timeline_figure(capture, timing=later).axes[0].get_xlim()[1] > 1800
        assert (
            timeline_figure(capture, timing=session).axes[0].get_xlim() == timeline_figure(capture).axes[0].get_xlim()
        )


class TestSessions:
    def test_draw_the_first_or_the_named_one(self) -> None:
        capture = SessionScript(session="a").opened().client_says(9, "x").capture
        capture.frames += SessionScript(session="b").opened().capture.frames
        assert "message" in texts(capture)
        assert "message" not in [text for text, _ in words(timeline_figure(capture, session="b"))]


class TestTimeOrder:
    def test_frames_with_times_out_of_order_are_named_and_not_drawn(self) -> None:
        capture = healthy()
        capture.frames[4] = replace(capture.frames[4], t=capture.frames[4].t + 3000)
        figure = timeline_figure(capture)
        assert figure.axes[0].get_xlim()[1] < 1000
        note = "1 frame (4) has a time out of order; time axes leave it out"
        assert note in [text for text, _ in words(figure)]
        assert note in figure.description


class TestRowLabels:
    def label(self, times: list[float], *, only: slice = slice(None)) -> list[tuple[float, str]]:
        script = SessionScript()
        for at in times:
            script.client_says(at, "x")
        frames = list(decode_frames(script.capture))[only]
        return list(row_labels(frames, times[only], 10.0))

    def test_of_distant_frames_are_their_numbers(self) -> None:
        assert self.label([0, 20, 40]) == [(0, "1"), (20, "2"), (40, "3")]

    def test_of_a_run_are_one_range_at_its_middle(self) -> None:
        assert self.label([0, 5, 10, 50]) == [(5, "1–3"), (50, "4")]

    def test_of_a_run_with_gaps_are_not_a_range(self) -> None:
        assert self.label([0, 4, 8], only=slice(0, 3, 2)) == [(4, "1…3")]

    def test_of_a_close_are_its_code(self) -> None:
        frames = list(decode_frames(SessionScript().closed(5, "in", 4000, "why").capture))
        assert list(row_labels(frames, [5.0], 10.0)) == [(5.0, "4000")]


def texts_in(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def drawn(*timers: TimeOut, seconds: float = 1000) -> Axes:
    """The bars on an axis of ``seconds`` that is 800 px wide."""
    figure = SessionFigure(2.0)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set_xlim(0, seconds)
    axes.set_ylim(1, 0)
    draw_bars(axes, timers, start=0, top=0.0, bottom=1.0)
    return axes


def ack(start: float, end: float | None, outcome: Outcome = "met") -> TimeOut:
    return TimeOut("ack", start, 330, end, outcome)


def keep_alive(start: float, end: float | None, outcome: Outcome = "met") -> TimeOut:
    return TimeOut("keep_alive", start, 60, end, outcome)


class TestBarTexts:
    @pytest.mark.parametrize(
        ("timer", "words"),
        [
            (ack(0, 288.25), "ack after 288.2 s of 330 s"),
            (ack(0, 20, "ended"), "session closed after 20.0 s of 330 s"),
            (ack(100, None, "running"), "due at 430.0 s"),
            (keep_alive(0, None, "missed"), "missed: nothing within 60 s"),
            (keep_alive(0, 0.14), "sent after 0.1 s of 60 s"),
            (keep_alive(0, None, "met"), "in time for 60 s"),
        ],
    )
    def test_give_the_outcome_in_seconds(self, timer: TimeOut, words: str) -> None:
        assert texts_in(drawn(timer)) == [words]

    def test_are_next_to_a_short_bar(self) -> None:
        (text,) = drawn(keep_alive(100, 101)).texts
        assert text.get_position()[0] > 160

    def test_are_before_a_bar_at_the_edge_of_the_axis(self) -> None:
        (text,) = drawn(keep_alive(930, 931)).texts
        assert text.get_position()[0] < 930

    def test_of_crowded_bars_are_shorter_or_left_out(self) -> None:
        crowded = drawn(*(keep_alive(70.0 * n, 70.0 * n + 2) for n in range(14)))
        assert 0 < max(map(len, texts_in(crowded))) <= len("2.0 of 60 s")
        assert texts_in(drawn(*(keep_alive(70.0 * n, 70.0 * n + 2) for n in range(140)), seconds=10_000)) == []


class TestBars:
    def test_are_not_shaded_if_the_time_of_the_answer_is_unknown(self) -> None:
        axes = drawn(keep_alive(100, None))
        areas = [area.get_datalim(axes.transData) for area in axes.collections]
        assert [(round(area.x0), round(area.x1)) for area in areas] == [(100, 160), (100, 160), (100, 100)]

    def test_of_a_clock_that_is_far_off_are_left_out(self) -> None:
        for far in (keep_alive(4000, None, "running"), keep_alive(-4000, None, "running")):
            axes = drawn(far)
            assert (texts_in(axes), list(axes.collections)) == ([], [])

    def test_that_overlap_alternate_between_two_rows(self) -> None:
        one = {round(text.get_position()[1], 2) for text in drawn(ack(0, 300), ack(400, 690)).texts}
        two = {round(text.get_position()[1], 2) for text in drawn(ack(0, 300), ack(300, 600)).texts}
        assert (len(one), len(two)) == (1, 2)

    def test_show_the_used_part_and_the_whole_limit(self) -> None:
        axes = drawn(ack(100, 300))
        spans = [
            (area.get_datalim(axes.transData).x0, area.get_datalim(axes.transData).x1) for area in axes.collections
        ]
        assert [(round(x0), round(x1)) for x0, x1 in spans] == [(100, 430), (100, 430), (100, 300)]
