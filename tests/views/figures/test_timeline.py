from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from icws_explore.analysis.decode import decode_frames
from icws_explore.capture import Capture, ClockInfo
from icws_explore.protocol.service_messages import CloseReason
from icws_explore.views.figures.timeline import row_labels, timeline
from icws_explore.views.kinds import LOOKS
from support.overlaps import beyond_the_paper, overlapping, words
from support.session_captures import SessionScript, healthy, hostile
from support.timing_captures import only


def chatty() -> Capture:
    """Far more of everything than fits: 300 messages, acks every 70 s for 20 minutes."""
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
    """A client that does not answer an ack, and is put out."""
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
    return [text for text, _ in words(timeline(capture))]


@pytest.mark.parametrize("make", CAPTURES)
class TestAnyCapture:
    def test_no_words_lie_on_each_other(self, make: Any) -> None:
        assert overlapping(timeline(make())) == []

    def test_no_words_leave_the_paper(self, make: Any) -> None:
        assert beyond_the_paper(timeline(make())) == []


class TestLanes:
    def test_every_kind_has_a_row_with_its_name_and_its_marker(self) -> None:
        capture = healthy()
        kinds = {d.kind for d in decode_frames(capture)}
        figure = timeline(capture)
        assert kinds <= {text for text, _ in words(figure)}
        assert {LOOKS[kind].marker for kind in kinds} <= {line.get_marker() for line in figure.axes[0].lines}

    def test_kinds_that_did_not_happen_have_none(self) -> None:
        assert "close" not in texts(healthy())
        assert "close" in texts(hostile())

    def test_the_axis_is_in_seconds_and_says_of_which_clock(self) -> None:
        assert timeline(healthy()).axes[0].get_xlabel() == "protocol seconds since the first frame"
        assert timeline(hostile()).axes[0].get_xlabel() == "seconds since the first frame"
        assert any("scaled × 60, so 14.4 s on the wall" in text for text in texts(healthy()))
        assert any("virtual clock" in text for text in texts(silent()))

    def test_markers_stand_at_the_times_of_the_frames(self) -> None:
        acks = [
            line for line in timeline(healthy()).axes[0].lines if line.get_marker() == "^" and len(line.get_xdata()) > 1
        ]
        assert [round(float(x), 3) for line in acks for x in line.get_xdata()] == [212.4, 512.9, 813.1]


class TestTimeOuts:
    def test_each_limit_is_written_in_seconds(self) -> None:
        assert {"open  60 s", "ack  330 s", "keep_alive  60 s"} <= set(texts(healthy()))

    def test_so_is_what_was_used_of_it(self) -> None:
        written = texts(healthy())
        assert "open after 2.2 s of 60 s" in written
        assert "ack after 300.5 s of 330 s" in written
        assert "sent after 0.9 s of 60 s" in written

    def test_the_limit_is_the_captures(self) -> None:
        assert "ack  100 s" in texts(chatty())

    def test_a_missed_one_says_so(self) -> None:
        assert any(text.startswith("missed") for text in texts(silent()))

    def test_of_a_session_that_is_known_already_go_to_its_last_moment(self) -> None:
        capture = healthy()
        session = only(capture)
        later = replace(session, last=session.last + 1000)
        assert timeline(capture, timing=later).axes[0].get_xlim()[1] > 1800
        assert timeline(capture, timing=session).axes[0].get_xlim() == timeline(capture).axes[0].get_xlim()


class TestSessions:
    def test_draws_the_first_or_the_named_one(self) -> None:
        capture = SessionScript(session="a").opened().client_says(9, "x").capture
        capture.frames += SessionScript(session="b").opened().capture.frames
        assert "message" in texts(capture)
        assert "message" not in [text for text, _ in words(timeline(capture, session="b"))]


class TestRowLabels:
    def label(self, times: list[float], *, only: slice = slice(None)) -> list[tuple[float, str]]:
        script = SessionScript()
        for at in times:
            script.client_says(at, "x")
        frames = list(decode_frames(script.capture))[only]
        return list(row_labels(frames, times[only], 10.0))

    def test_far_apart_each_has_its_number(self) -> None:
        assert self.label([0, 20, 40]) == [(0, "1"), (20, "2"), (40, "3")]

    def test_a_run_shares_a_label_over_its_middle(self) -> None:
        assert self.label([0, 5, 10, 50]) == [(5, "1–3"), (50, "4")]

    def test_a_run_with_others_in_between_is_not_a_range(self) -> None:
        assert self.label([0, 4, 8], only=slice(0, 3, 2)) == [(4, "1…3")]

    def test_a_close_has_its_code(self) -> None:
        frames = list(decode_frames(SessionScript().closed(5, "in", 4000, "why").capture))
        assert list(row_labels(frames, [5.0], 10.0)) == [(5.0, "4000")]
