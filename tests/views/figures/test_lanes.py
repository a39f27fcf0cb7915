from __future__ import annotations

from math import isnan
from typing import Any

import pytest

from icws_explore.views.figures.lanes import lanes_figure, number_labels
from support.overlaps import overlapping, words
from support.plots import OfAnyCapture, texts_of
from support.session_captures import healthy
from support.timing_captures import only, still_open, two_hours


def draw(make: Any, **window: float) -> Any:
    capture = make()
    return lanes_figure(capture, only(capture), **window)


def texts(make: Any, **window: float) -> list[str]:
    return texts_of(draw(make, **window))


class TestAnyCapture(OfAnyCapture):
    draw = staticmethod(draw)


def ways(line: Any) -> list[list[tuple[float, float]]]:
    """The pieces of a line with breaks in it."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True):
        if isnan(x):
            pieces.append([])
        else:
            pieces[-1].append((float(x), float(y)))
    return [piece for piece in pieces if piece]


DOWN = 0.1  # within a lane, messages from the canister are below those to it


class TestLanes:
    def test_are_those_of_the_three_parties(self) -> None:
        assert {"client", "gateway", "canister"} <= set(texts(healthy))

    def test_mark_what_is_inferred(self) -> None:
        figure = draw(healthy)
        assert "inferred" in [text for text, _ in words(figure)]
        assert any("Dashed lines and hollow markers are inferred" in text for text, _ in words(figure))
        dashed = [way for line in figure.axes[0].lines if line.get_linestyle() == "--" for way in ways(line)]
        assert len(dashed) == len(only(healthy()).sent) + 1  # and the closing line

    def test_number_close_messages_with_one_label(self) -> None:
        assert "1–5" in texts(healthy)
        assert "1–5" not in texts(healthy, end_s=20)
        assert list(number_labels([(0.0, 1), (1.0, 2), (5.0, 3)], 2)) == [(0.5, "1–2"), (5.0, "3")]

    def test_show_how_long_each_message_took(self) -> None:
        """Over a session the ways are too steep to be compared."""
        _, delays = draw(healthy).axes
        took = sorted(
            round(float(y), 3)
            for line in delays.lines
            if line.get_marker() not in (None, "None", "")
            for y in line.get_ydata()
        )
        received = only(healthy()).received
        assert took == sorted(round(m.at - m.made, 3) for m in received)
        assert delays.get_yscale() == "log"
        assert delays.get_ylabel() == "seconds"

    def test_lead_from_a_timestamp_to_the_receipt(self) -> None:
        drawn = [way for line in draw(healthy, start_s=200, end_s=220).axes[0].lines for way in ways(line)]
        solid = [[round(x, 3) for x, _ in way] for way in drawn if [y for _, y in way] == [2.0 + DOWN, DOWN]]
        assert solid == [[211.6, 212.4]]

    def test_draw_many_messages_as_one_line(self) -> None:
        """A line for each of ten thousand messages would take a minute."""
        few, many = draw(still_open).axes[0].lines, draw(two_hours).axes[0].lines
        assert sum(len(ways(line)) for line in many) > 100
        assert len(many) < len(few) + 20

    def test_show_a_request_and_its_answer_side_by_side(self) -> None:
        lines = [line for line in draw(healthy).axes[0].lines if line.get_marker() not in (None, "None", "")]
        client = [line for line in lines if abs(float(line.get_ydata()[0])) <= DOWN]
        assert {round(float(line.get_ydata()[0]), 2) for line in client} == {-DOWN, DOWN}


class TestWindow:
    def test_shows_only_its_messages(self) -> None:
        figure = draw(healthy, start_s=0, end_s=20)
        assert overlapping(figure) == []
        low, high = figure.axes[0].get_xlim()
        assert (low, high) == (pytest.approx(-0.4), pytest.approx(20.8))

    def test_says_that_it_is_empty(self) -> None:
        assert "no message in this time" in texts(healthy, start_s=100, end_s=110)
