"""A widget with sliders that simulates a session again at each change, and shows a timing plot of it.

The simulation and the plot are made in the background, so the sliders stay responsive. A change during a run stops that
run and starts a new one (`Newest`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import ipywidgets

from icws_explore.lab.simulator import NetworkConditions, Population, Simulation, simulate
from icws_explore.views import plots
from icws_explore.views.figures.figure import SessionFigure
from icws_explore.views.formatting import one_line
from icws_explore.views.html import note_view

from .interactive_plot import Drawing, InteractivePlot, with_twin
from .newest import Newest, Superseded

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
    "client_ack_interval_s": ("client expects acks every", 61, 600, 1, "s"),
    "latency_ms": ("one-way latency", 0, 5000, 10, "ms"),
    "update_latency_ms": ("update latency", 0, 70_000, 50, "ms"),
    "loss": ("loss", 0, 0.3, 0.01, ""),
    "skew_s": ("client's clock ahead", -400, 400, 1, "s"),
}


class SimulationSliders(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A simulated session whose parameters are set by sliders. ``simulation`` is the run that the plot shows.

    The simulation uses stand-in signatures, so that a run is quick. The recording says so.
    """

    def __init__(self, plot: str = "age at ack", *, duration: str = "12m", seed: int = 1, **start: float) -> None:
        """``start`` are the sliders' first values, by their names in `SLIDERS`."""
        values = {
            "ack_interval_s": 300, "client_ack_interval_s": 300, "latency_ms": 20, "update_latency_ms": 1000,
            "loss": 0.0, "skew_s": 0,
        } | start  # fmt: skip
        self._duration, self._seed = duration, seed
        self._runs = False  # whether a run is under way
        self.sliders = {name: _slider(name, values[name]) for name in SLIDERS}
        self.chooser = ipywidgets.Dropdown(options=list(PLOTS), value=plot, description="plot")
        self.outcome = ipywidgets.HTML()
        self.newest = Newest()
        self.simulation = self._run(self.values)
        self.picture = InteractivePlot(PLOTS[plot](self.simulation), is_fitted=True)
        for slider in self.sliders.values():
            slider.observe(lambda _: self._ask(anew=True), names="value")
        self.chooser.observe(lambda _: self._ask(anew=False), names="value")
        self.picture.observe(lambda _: self._ask(anew=False), names="width")
        columns = ipywidgets.Box(list(self.sliders.values()), layout=_COLUMNS)
        super().__init__([columns, self.chooser, self.outcome, self.picture])
        self._say()

    @property
    def values(self) -> dict[str, float]:
        """The values of the sliders, by their names."""
        return {name: slider.value for name, slider in self.sliders.items()}

    def _ask(self, *, anew: bool) -> None:
        """Show the chosen plot, of a new run if ``anew``."""
        values, plot = self.values, self.chooser.value
        anew = anew or self._runs

        def make() -> tuple[Simulation, SessionFigure, Drawing]:
            simulation = self._run(values) if anew else self.simulation
            figure = self._fitted(PLOTS[plot](simulation))
            return simulation, figure, self.picture.drawing(figure)

        def put(made: tuple[Simulation, SessionFigure, Drawing]) -> None:
            self._runs = False
            self.simulation, figure, drawing = made
            self._say()
            self.picture.take(figure, drawing)

        def failed(error: Exception) -> None:
            self._runs = False
            line = one_line(f"this session cannot be shown: {type(error).__name__}: {error}")
            self.outcome.value = note_view(line, "bad").html

        self._runs = anew
        if anew:
            self.outcome.value = note_view("running …", "note").html
        self.newest.ask(make, put, failed)

    def _run(self, values: Mapping[str, float]) -> Simulation:
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
            progress=self._go_on,
        )

    def _fitted(self, figure: SessionFigure) -> SessionFigure:
        """Return the figure, laid out for the room on the page."""
        paper, draw = self.picture.paper, figure.draw_on
        if draw is None or paper == figure.paper:
            return figure
        fitted = draw(paper)
        fitted.draw_on = draw
        return fitted

    def _go_on(self, _part: float) -> None:
        if self.newest.is_old:
            raise Superseded

    def _say(self) -> None:
        self.outcome.value = note_view(self.words, "note").html

    def _repr_mimebundle_(self, **more: Any) -> Any:
        figure = self.picture.figure
        return with_twin(super()._repr_mimebundle_(**more), figure, f"{self.words}. {figure.description}")

    @property
    def words(self) -> str:
        """How the session went, as one line."""
        (session,) = self.simulation.truth.sessions
        duration = self.simulation.raw.duration_s
        if session.opened_ns is None:
            began = "not opened"
        else:
            began = f"opened after {(session.opened_ns - session.connected_ns) / 1e9:.1f} s"
        reason = f" {session.close_reason}" if session.close_reason else ""
        why = f"; {session.failures[0]}" if session.failures else ""
        return f"{began}, closed with {session.close_code}{reason} after {duration:.1f} s{why}"


# As many columns as fit, one at the least, so that no slider loses its number.
_COLUMNS: Final = ipywidgets.Layout(
    display="grid", grid_template_columns="repeat(auto-fit, minmax(min(100%, 29em), 1fr))", max_width="1000px"
)


def _slider(name: str, value: float) -> Any:
    description, low, high, step, unit = SLIDERS[name]
    return ipywidgets.FloatSlider(
        value=value,
        min=low,
        max=high,
        step=step,
        description=f"{description}{f' ({unit})' if unit else ''}",
        style={"description_width": "15em"},
        layout={"width": "auto", "min_width": "0"},
        readout_format=".2f" if step < 1 else ".0f",
    )
