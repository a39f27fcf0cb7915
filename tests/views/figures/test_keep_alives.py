from __future__ import annotations

from typing import Any

from icws_explore.views.figures.keep_alives import MAX_ROWS, keep_alives_figure
from icws_explore.views.plots import keep_alives
from support.plots import OfAnyCapture, texts_of
from support.session_captures import healthy
from support.timing_captures import only, slow_answer, two_hours


def draw(make: Any, limit_s: float = 60) -> Any:
    capture = make()
    return keep_alives_figure(capture, only(capture), limit_s=limit_s)


def texts(make: Any, limit_s: float = 60) -> list[str]:
    return texts_of(draw(make, limit_s))


class TestAnyCapture(OfAnyCapture):
    draw = staticmethod(draw)

    def test_the_limit_has_its_seconds(self, make: Any) -> None:
        assert "60 s: the canister closes" in texts(make)


class TestLimit:
    def test_keeps_its_distance_from_the_columns(self) -> None:
        """At any width: near the edge of the axes it stands before its line."""
        for size in (None, "slide", "page", "column"):
            figure = keep_alives(healthy(), size=size)
            (axes,) = figure.axes
            (label,) = [text for text in axes.texts if text.get_text() == "60 s: the canister closes"]
            right = label.get_window_extent(figure.canvas.get_renderer()).x1
            assert right < axes.bbox.x1 - 0.1 * figure.dpi, size


class TestRows:
    def test_give_sending_arrival_and_outcome(self) -> None:
        written = texts(healthy)
        assert {"100 ms", "≈ 2.30 s", "in time", "sent; no later message", "ack of 5"} <= set(written)

    def test_a_late_answer_ends_beyond_the_limit(self) -> None:
        assert "closed by the canister" in texts(slow_answer)
        assert draw(slow_answer).axes[0].get_xlim()[1] > 66

    def test_of_many_acks_are_the_last(self) -> None:
        assert f"the last {MAX_ROWS} of 25 acks" in texts(two_hours)

    def test_use_the_canisters_limit(self) -> None:
        assert "20 s: the canister closes" in texts(healthy, 20)
