from __future__ import annotations

from typing import Any

from icws_explore.views.figures.ack_age import ack_age_figure
from support.overlaps import words
from support.plots import OfAnyCapture, texts_of
from support.session_captures import SessionScript, healthy
from support.timing_captures import only, two_hours, unacked


def draw(make: Any) -> Any:
    capture = make()
    return ack_age_figure(capture, only(capture))


class TestAnyCapture(OfAnyCapture):
    draw = staticmethod(draw)

    def test_each_limit_has_its_seconds(self, make: Any) -> None:
        texts = texts_of(draw(make))
        assert texts.count("300 s: the ack is due") == 2
        assert texts.count("330 s: the client closes") == 2


class TestAges:
    def test_are_labelled_at_each_ack_while_there_is_room(self) -> None:
        assert {"208 s", "300 s"} <= {text for text, _ in words(draw(healthy))}
        assert not any(text.startswith("270 ") for text, _ in words(draw(two_hours)))

    def test_do_not_overlap_the_labels_of_the_limits(self) -> None:
        """The last ack came at the very end, when the oldest message was as old as an ack is due."""
        script = SessionScript().opened().client_says(500, "a").acked(799.0, answered_after=None)
        figure = ack_age_figure(script.capture, only(script.capture))
        boxes = {text: box for text, box in words(figure) if text == "299 s" or "ack is due" in text}
        assert boxes["299 s"].x1 + 4 < boxes["300 s: the ack is due"].x0


class TestTimer:
    def test_starts_again_at_every_ack(self) -> None:
        marks = [line for line in draw(healthy).axes[1].lines if line.get_label() == "restarted by an ack"]
        assert [round(float(x), 1) for x in marks[0].get_xdata()] == [212.4, 512.9, 813.1]
        assert {float(y) for y in marks[0].get_ydata()} == {0.0}

    def test_says_that_it_expired(self) -> None:
        assert "the ack timer: expired at 335.0 s" in [text for text, _ in words(draw(unacked))]
