from __future__ import annotations

from typing import Any

import pytest

from icws_explore.notebook.zoom import WHOLE, View, Zoom
from icws_explore.views import plots
from support.overlaps import words
from support.session_captures import healthy
from support.timing_captures import two_hours


def texts(zoom: Zoom) -> list[str]:
    return [text for text, _ in words(zoom.figure)]


class TestView:
    def test_of_anything_else_is_the_whole(self) -> None:
        for wrong in ({}, {"x": 1, "y": []}, {"x": [0.5, 0.5], "y": []}, {"x": ["a", 1], "y": []}, None):
            assert View.read(wrong, 1) == View()

    def test_is_kept_within_the_panel(self) -> None:
        assert View.read({"x": [-3, 0.5], "y": [[0.2, 9]]}, 1) == View((0.0, 0.5), ((0.2, 1.0),))

    def test_has_a_part_for_each_panel(self) -> None:
        assert View((0.0, 0.5)).to_json(2) == {"x": [0.0, 0.5], "y": [[0.0, 1.0], [0.0, 1.0]]}


class TestZoom:
    def test_sets_the_limits_of_all_panels(self) -> None:
        figure = plots.ack_age(healthy())
        low, high = figure.axes[0].get_xlim()
        Zoom(figure).show(View((0.25, 0.5)))
        for axes in figure.axes:
            assert axes.get_xlim() == pytest.approx((low + (high - low) / 4, low + (high - low) / 2))

    def test_is_even_along_a_logarithmic_axis(self) -> None:
        figure = plots.latencies(healthy())
        low, high = figure.axes[0].get_xlim()
        Zoom(figure).show(View((0.0, 0.5)))
        assert figure.axes[0].get_xlim() == pytest.approx((low, (low * high) ** 0.5))

    def test_changes_only_the_y_axes_of_values(self) -> None:
        ages, rows = plots.ack_age(healthy()), plots.lanes(healthy())
        below = (ages.axes[1].get_ylim(), rows.axes[0].get_ylim())
        Zoom(ages).show(View(y=((0.0, 0.5), WHOLE)))
        assert ages.axes[0].get_ylim()[1] == pytest.approx(330 * 1.17 / 2)
        Zoom(rows).show(View(y=((0.0, 0.5),)))
        assert below == (ages.axes[1].get_ylim(), rows.axes[0].get_ylim())

    def test_keeps_titles_and_units_and_draws_ticks_anew(self) -> None:
        figure = plots.ack_age(healthy())
        zoom = Zoom(figure)
        whole = texts(zoom)
        zoom.show(View((0.5, 0.6)))
        part = texts(zoom)
        for text in ("Age at ack, and the client's ack timer", "protocol seconds since the first frame", "seconds"):
            assert text in whole
            assert text in part
        assert "460" not in whole
        assert {"460", "480"} <= set(part)

    def test_hides_what_is_beside_it_and_shows_it_again(self) -> None:
        zoom = Zoom(plots.timeline(healthy()))
        whole = texts(zoom)
        zoom.show(View((0.9, 1.0)))
        assert "1–5" in whole
        assert "1–5" not in texts(zoom)
        assert "client sends" in texts(zoom)
        zoom.show(View())
        assert sorted(texts(zoom)) == sorted(whole)

    def test_labels_what_has_come_apart(self) -> None:
        for draw in (plots.timeline, plots.lanes):
            zoom = Zoom(draw(healthy()))
            assert "2" not in texts(zoom)
            zoom.show(View((0.0, 0.04)))
            assert {"1", "2", "3"} <= set(texts(zoom))
            assert "1–5" not in texts(zoom)

    def test_words_the_bars_that_are_in_sight(self) -> None:
        zoom = Zoom(plots.timeline(healthy()))
        zoom.show(View((0.1, 0.2)))
        assert any(text.startswith("ack after") for text in texts(zoom))
        assert not any(text.startswith("open after") for text in texts(zoom))

    def test_ends_markers_at_the_panel(self) -> None:
        figure = plots.timeline(healthy())
        Zoom(figure).show(View((0.5, 0.6)))
        (axes,) = figure.axes
        inside = [line for line in axes.lines if line.get_transform() == axes.transData]
        assert inside
        assert all(line.get_clip_on() for line in inside)

    def test_names_panels_of_diagrams_none(self) -> None:
        assert Zoom(plots.sequence_diagram(healthy())).boxes() == []

    def test_boxes_say_which_panels_can_be_zoomed_upwards(self) -> None:
        assert [box["tall"] for box in Zoom(plots.ack_age(healthy())).boxes()] == [True, True]
        assert [box["tall"] for box in Zoom(plots.timeline(healthy())).boxes()] == [False]


class TestAnotherFigure:
    def shown(self, figure: Any) -> tuple[float, float]:
        return tuple(figure.axes[0].get_xlim())  # type: ignore[return-value]

    def test_shows_the_same_values(self) -> None:
        first, second = plots.ack_age(healthy()), plots.ack_age(two_hours())
        old, new = Zoom(first), Zoom(second)
        old.show(View((0.25, 0.5)))
        new.show(new.same_place(old))
        assert self.shown(second) == pytest.approx(self.shown(first))

    def test_is_whole_if_the_first_was(self) -> None:
        assert Zoom(plots.ack_age(two_hours())).same_place(Zoom(plots.ack_age(healthy()))) == View()

    def test_is_whole_if_it_has_other_panels(self) -> None:
        old = Zoom(plots.ack_age(healthy()))
        old.show(View((0.25, 0.5)))
        assert Zoom(plots.timeline(healthy())).same_place(old) == View()
