from __future__ import annotations

from typing import Any

from icws_explore.analysis.timing.timing import Timing
from icws_explore.capture import Capture
from icws_explore.views.figures.sessions import MAX_ROWS, sessions_figure
from support.overlaps import overlapping, words
from support.plots import OfAnyCapture, texts_of
from support.session_captures import SessionScript, healthy


def draw(make: Any) -> Any:
    capture = make()
    return sessions_figure(capture, Timing(capture).sessions)


def texts(make: Any) -> list[str]:
    return texts_of(draw(make))


class TestAnyCapture(OfAnyCapture):
    draw = staticmethod(draw)


def many(count: int) -> Capture:
    """One in nine gets no ack after the second one and closes."""
    whole = SessionScript(session="s0").opened().closed(1000).capture
    for number in range(1, count):
        script = SessionScript(session=f"s{number}").opened(at=number * 2.0)
        for tick in (300, 600, 900):
            if number % 9 == 4 and tick > 600:
                script.closed(932, "out", 4000, "Ack message timeout")
                break
            script.client_says(tick - 150, "x").acked(tick)
        else:
            script.closed(1200 + number)
        whole.frames += script.capture.frames
    return whole


class TestRows:
    def test_have_the_numbers_of_each_session(self) -> None:
        written = texts(lambda: many(12))
        assert {"s0", "s11", "12 sessions, 1 ended badly", "1000", "4000 Ack message timeout", "2.2 s"} <= set(written)

    def test_of_many_sessions_keep_those_that_ended_badly(self) -> None:
        figure = draw(lambda: many(60))
        written = [text for text, _ in words(figure)]
        assert f"{MAX_ROWS} of 60 sessions, 7 ended badly" in written
        assert written.count("4000 Ack message timeout") == 7
        assert overlapping(figure) == []

    def test_of_a_single_session_use_the_singular(self) -> None:
        assert "1 sessions" not in texts(healthy)
        assert "1 session" in texts(healthy)
