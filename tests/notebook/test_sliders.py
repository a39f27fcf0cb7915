from __future__ import annotations

import asyncio

import pytest

from icws_explore.notebook.sliders import PLOTS, SLIDERS, SimulationSliders


class TestSliders:
    def test_begin_with_the_given_values_and_describe_the_outcome(self) -> None:
        widget = SimulationSliders(duration="3m", client_ack_interval_s=61, seed=2)
        assert widget.sliders["client_ack_interval_s"].value == 61
        assert "closed with 4000 Ack message timeout" in widget.words
        assert "Ack message timeout" in widget.outcome.value
        assert set(widget.sliders) == set(SLIDERS)

    def test_moving_one_runs_the_simulation_anew(self) -> None:
        widget = SimulationSliders(duration="70s")
        before, points = widget.simulation, widget.picture.points
        widget.sliders["latency_ms"].value = 900
        assert widget.simulation is not before
        assert widget.picture.points != points
        assert widget.simulation.timing().opens["latency_s"][0] > 1.8

    def test_many_moves_end_with_the_newest(self) -> None:
        async def play() -> tuple[SimulationSliders, str]:
            widget = SimulationSliders(duration="70s")
            for value in (100, 400, 900):
                widget.sliders["latency_ms"].value = value
                await asyncio.sleep(0)
            answered = widget.outcome.value  # before any run has ended
            await widget.newest.wait()
            return widget, answered

        widget, answered = asyncio.run(play())
        assert "running" in answered
        assert widget.simulation.timing().opens["latency_s"][0] > 1.8
        assert "opened after" in widget.outcome.value
        assert widget.picture.description == PLOTS["age at ack"](widget.simulation).description

    def test_what_cannot_be_shown_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        widget = SimulationSliders(duration="70s")

        def fails(values: object) -> None:
            raise ValueError("no such <b>network</b>")

        monkeypatch.setattr(widget, "_run", fails)
        widget.sliders["latency_ms"].value = 900
        assert "ValueError: no such &lt;b&gt;network" in widget.outcome.value

    def test_an_update_latency_beyond_a_minute_never_opens(self) -> None:
        assert SimulationSliders(duration="2m", update_latency_ms=65_000).words.startswith("not opened")

    def test_a_run_can_be_repeated(self) -> None:
        first, second = (SimulationSliders(duration="70s", loss=0.1, seed=4).simulation for _ in range(2))
        assert [frame.data for frame in first.raw.frames] == [frame.data for frame in second.raw.frames]

    @pytest.mark.parametrize("plot", PLOTS)
    def test_every_plot_can_be_chosen(self, plot: str) -> None:
        widget = SimulationSliders(duration="70s")
        widget.chooser.value = plot
        expected = PLOTS[plot](widget.simulation).description
        assert widget.picture.description == SimulationSliders(plot, duration="70s").picture.description == expected
        assert "<svg" in widget.picture.svg

    def test_the_picture_is_laid_out_for_the_room_on_the_page(self) -> None:
        widget = SimulationSliders(duration="70s")
        wide = widget.picture.figure.get_size_inches()[0]
        widget.picture.width = 600
        assert widget.picture.figure.get_size_inches()[0] == pytest.approx(6)
        widget.chooser.value = "timeline"
        assert widget.picture.figure.get_size_inches()[0] == pytest.approx(6), "and so is the next one"
        widget.picture.width = 2000
        assert widget.picture.figure.get_size_inches()[0] == pytest.approx(wide)


class TestTwin:
    def test_is_the_picture_and_how_it_went_in_words(self) -> None:
        sliders = SimulationSliders(client_ack_interval_s=200)
        data, metadata = sliders._repr_mimebundle_()
        assert data["application/vnd.jupyter.widget-view+json"]
        assert data["image/png"]
        assert data["text/plain"].startswith(f"{sliders.words}. Age at ack, and the client's ack timer")
        assert metadata["image/png"]["width"] == 1000
