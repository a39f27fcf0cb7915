"""Sliders that re-run a simulation, and one of the timing plots of what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import ipywidgets

from icws_explore.lab.simulator import NetworkConditions, Population, Simulation, simulate
from icws_explore.views import plots
from icws_explore.views.figures.figure import SessionFigure
from icws_explore.views.html import note_view

from .interactive_plot import InteractivePlot, with_twin

Plot: TypeAlias = Callable[[Simulation], SessionFigure]

PLOTS: Final[Mapping[str, Plot]] = {
    "age at ack": plots.ack_age,
    "keep-alive windows": plots.keep_alives,
    "timeline": plots.timeline,
    "lanes": plots.lanes,
    "sequence numbers": plots.sequence_numbers,
    "certificate age": plots.certificate_age,
    "latencies": plots.latencies,
}

# name: (description, lowest, highest, step, unit)
SLIDERS: Final[Mapping[str, tuple[str, float, float, float, str]]] = {
    "ack_interval_s": ("canister acks every", 61, 600, 1, "s"),
    "client_ack_interval_s": ("client believes", 61, 600, 1, "s"),
    "latency_ms": ("one-way latency", 0, 5000, 10, "ms"),
    "update_latency_ms": ("update latency", 0, 70_000, 50, "ms"),
    "loss": ("loss", 0, 0.3, 0.01, ""),
    "skew_s": ("client's clock ahead", -400, 400, 1, "s"),
}


class SimulationSliders(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """One simulated session, its parameters under sliders. ``simulation`` is the run that is shown.

    Signatures are stand-ins, so that a run takes a moment; its capture says so.
    """

    def __init__(self, plot: str = "age at ack", *, duration: str = "12m", seed: int = 1, **start: float) -> None:
        """``start`` are where sliders begin, by their names in `SLIDERS`."""
        values = {
            "ack_interval_s": 300, "client_ack_interval_s": 300, "latency_ms": 20, "update_latency_ms": 1000,
            "loss": 0.0, "skew_s": 0,
        } | start  # fmt: skip
        self._duration, self._seed = duration, seed
        self.sliders = {name: _slider(name, values[name]) for name in SLIDERS}
        self.chooser = ipywidgets.Dropdown(options=list(PLOTS), value=plot, description="plot")
        self.outcome = ipywidgets.HTML()
        self.simulation = self._run()
        self.picture = InteractivePlot(PLOTS[plot](self.simulation))
        for slider in self.sliders.values():
            slider.observe(self._changed, names="value")
        self.chooser.observe(lambda _: self._show(), names="value")
        rows = list(self.sliders.values())
        columns = ipywidgets.HBox([ipywidgets.VBox(rows[:3]), ipywidgets.VBox(rows[3:])])
        super().__init__([columns, self.chooser, self.outcome, self.picture])
        self._say()

    def _changed(self, _change: Any) -> None:
        self.simulation = self._run()
        self._show()

    def _run(self) -> Simulation:
        values = {name: slider.value for name, slider in self.sliders.items()}
        conditions = NetworkConditions(
            client_latency_ms=values["latency_ms"], update_latency_ms=values["update_latency_ms"], loss=values["loss"]
        )
        return simulate(
            duration=self._duration,
            conditions=conditions,
            seed=self._seed,
            ack_interval_ms=round(values["ack_interval_s"] * 1000),
            population=Population(
                ack_interval_ms=round(values["client_ack_interval_s"] * 1000), skew_ms=values["skew_s"] * 1000
            ),
            crypto="stand-in",
        )

    def _show(self) -> None:
        self._say()
        self.picture.show(PLOTS[self.chooser.value](self.simulation))

    def _say(self) -> None:
        self.outcome.value = note_view(self.words, "note").html

    def _repr_mimebundle_(self, **more: Any) -> Any:
        figure = self.picture.figure
        return with_twin(super()._repr_mimebundle_(**more), figure, f"{self.words}. {figure.description}")

    @property
    def words(self) -> str:
        """How the session went, in a line."""
        (session,) = self.simulation.truth.sessions
        duration = self.simulation.raw.duration_s
        if session.opened_ns is None:
            began = "never opened"
        else:
            began = f"open after {(session.opened_ns - session.connected_ns) / 1e9:.1f} s"
        reason = f" {session.close_reason}" if session.close_reason else ""
        why = f"; {session.failures[0]}" if session.failures else ""
        return f"{began}, closed with {session.close_code}{reason} after {duration:.1f} s{why}"


def _slider(name: str, value: float) -> Any:
    description, low, high, step, unit = SLIDERS[name]
    return ipywidgets.FloatSlider(
        value=value,
        min=low,
        max=high,
        step=step,
        description=f"{description}{f' ({unit})' if unit else ''}",
        continuous_update=False,
        style={"description_width": "14em"},
        layout={"width": "32em"},
        readout_format=".2f" if step < 1 else ".0f",
    )
