from __future__ import annotations

from typing import Any

from icws_explore.analysis.timing.timing import Timing
from icws_explore.capture import Capture, Frame
from icws_explore.views.figures.certificate_age import certificate_age_figure
from support.overlaps import beyond_the_paper, overlapping
from support.plots import OfAnyCapture, texts_of
from support.session_captures import healthy


def draw(make: Any) -> Any:
    capture = make()
    return certificate_age_figure(capture, Timing(capture).sessions)


def texts(make: Any) -> list[str]:
    return texts_of(draw(make))


class TestAnyCapture(OfAnyCapture):
    draw = staticmethod(draw)


def behind() -> Capture:
    """The client's clock is 400 s behind the network's."""
    capture = healthy()
    capture.frames[:] = [Frame(f.t - 400, f.direction, f.op, f.data, f.code) for f in capture.frames]
    return capture


class TestLimits:
    def test_have_their_seconds_on_both_sides_if_both_matter(self) -> None:
        assert "300 s: too old, refused" in texts(healthy)
        assert not any("future" in text for text in texts(healthy))
        assert {"300 s: too old, refused", "−300 s: future, refused"} <= set(texts(behind))

    def test_a_slow_clock_makes_ages_negative(self) -> None:
        figure = draw(behind)
        assert overlapping(figure) == []
        assert beyond_the_paper(figure) == []
        acks = [line for line in figure.axes[0].lines if line.get_label() == "ack"]
        assert all(float(y) < -399 for y in acks[0].get_ydata())


class TestHeading:
    def test_gives_the_median_and_the_oldest(self) -> None:
        assert "median 800 ms, oldest 800 ms" in texts(healthy)

    def test_gives_the_newest_too_if_the_clock_is_behind(self) -> None:
        assert "median -399 s, oldest -399 s, newest -399 s" in texts(behind)
