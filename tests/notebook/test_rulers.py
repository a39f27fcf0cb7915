from __future__ import annotations

from typing import Any

import pytest

from icws_explore.notebook.interactive_plot import rulers
from icws_explore.views import plots
from icws_explore.views.figures.figure import SessionFigure
from support.session_captures import healthy, hostile


def drawn(figure: SessionFigure) -> list[dict[str, Any]]:
    canvas: Any = figure.canvas
    canvas.draw()
    return rulers(figure)


class TestNumbers:
    def test_an_axis_of_numbers_is_its_range_at_the_edges_of_the_box(self) -> None:
        figure = plots.ack_age(healthy())
        for panel, axes in zip(drawn(figure), figure.axes, strict=True):
            left, top, right, bottom = panel["box"]
            assert 0 < left < right < 1
            assert 0 < top < bottom < 1
            assert panel["x"]["range"] == pytest.approx(axes.get_xlim())
            assert panel["y"]["range"] == pytest.approx(axes.get_ylim()[::-1])  # the upper edge first

    def test_panels_that_share_a_time_axis_share_its_unit(self) -> None:
        assert [panel["unit"] for panel in drawn(plots.ack_age(healthy()))] == [" s", " s"]

    def test_a_logarithmic_one_is_its_marks(self) -> None:
        panel = drawn(plots.latencies(healthy()))[0]
        places = [at for at, _ in panel["x"]["marks"]]
        assert [text for _, text in panel["x"]["marks"]][:4] == ["0.001", "0.003", "0.01", "0.03"]
        assert places == sorted(places)
        assert all(0 <= at <= 1 for at in places)


class TestRows:
    def test_are_named_by_what_stands_beside_them(self) -> None:
        (panel,) = drawn(plots.timeline(healthy()))
        marks = {text: at for at, text in panel["y"]["marks"]}
        assert {"client sends", "message", "ack 330 s", "keep_alive 60 s"} <= set(marks)
        assert marks["client sends"] < marks["message"] < marks["keep_alive 60 s"]
        assert "acked at this age" not in marks

    def test_or_by_their_ticks(self) -> None:
        (panel,) = drawn(plots.lanes(hostile()))
        assert [text for _, text in panel["y"]["marks"]] == ["client", "gateway", "canister"]


def test_a_diagram_without_axes_has_none() -> None:
    assert drawn(plots.sequence_diagram(healthy())) == []
