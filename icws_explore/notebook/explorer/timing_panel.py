"""The tab of timing: one of the live plots of a session, which grows with the recording."""

from __future__ import annotations

import asyncio
import contextlib
import time
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from icws_explore.notebook.interactive_plot import InteractivePlot
from icws_explore.notebook.live_timing import PLOTS
from icws_explore.views.figures.figure import empty_figure
from icws_explore.views.formatting import one_line
from icws_explore.views.html import note_view

from .frame_detail import DRAWING
from .release import release

if TYPE_CHECKING:
    from .explorer import Explorer

_PERIOD_S: Final = 1.0
_SHARE: Final = 4  # a plot that took d seconds to draw is not drawn again for 4 d


class _Plot(InteractivePlot):
    # As text: a path would keep each plot alive after `close`.
    _esm: Any = resources.files("icws_explore.notebook").joinpath("interactive_plot.js").read_text(encoding="utf-8")


class TimingPanel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A plot of one session of ``explorer``. It is drawn when the recording has grown, a fifth of the time at most."""

    def __init__(self, explorer: Explorer) -> None:
        assert explorer.recording is not None
        self._explorer = explorer
        self._next = 0.0  # by the machine's monotonic clock
        self._due: asyncio.TimerHandle | None = None
        self._drawn: tuple[object, int, str, str, float] | None = None
        self.plots = ipywidgets.Dropdown(options=list(PLOTS), value="timeline", description="plot")
        self.sessions = ipywidgets.Dropdown(options=[("the session", None)], value=None, description="session")
        self.fault = ipywidgets.HTML()
        self.picture = _Plot(empty_figure(explorer.recording.raw, "Session timing"), is_fitted=True)
        for chooser in (self.plots, self.sessions):
            chooser.observe(lambda _: self.draw(), names="value")
        self.picture.observe(lambda _: self.draw(), names="width")
        super().__init__([ipywidgets.HBox([self.plots, self.sessions]), self.fault, self.picture])
        self._stop = explorer.on_change(self.update)
        self.draw()

    def update(self) -> None:
        """Draw anew, now or as soon as it may be drawn again."""
        left = self._next - time.monotonic()
        if left <= 0:
            self.draw()
        elif self._due is None:
            with contextlib.suppress(RuntimeError):  # no loop runs: the next change draws
                self._due = asyncio.get_running_loop().call_later(left, self.draw)

    def draw(self) -> None:
        """Draw the chosen plot of the chosen session. What cannot be drawn is said in its place."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        index = self._explorer.index
        names = list(index.instants.sessions)
        self._offer(names)
        if not names:
            return
        name = self.sessions.value if self.sessions.value in names else names[0]
        paper = self.picture.paper
        wanted = (index, len(index.frames), str(name), str(self.plots.value), paper.width_in)
        if wanted == self._drawn:
            return
        began = time.monotonic()
        frames = index.of_session(name)
        try:
            with DRAWING, index.lock:
                figure = PLOTS[self.plots.value](index.recording.raw, index.instants.sessions[name], frames, paper)
                self.picture.show(figure)
            self.fault.value = ""
        except Exception as error:  # noqa: BLE001  # in a callback nobody would see it
            line = f"{self.plots.value} cannot be drawn: {type(error).__name__}: {error}"
            self.fault.value = note_view(one_line(line), "bad").html
        took = time.monotonic() - began
        self._drawn = wanted
        self._next = time.monotonic() + max(_PERIOD_S, _SHARE * took)

    def _offer(self, names: list[str | None]) -> None:
        options = [("the session" if name is None else one_line(name), name) for name in names]
        if options and list(self.sessions.options) != options:
            chosen = self.sessions.value
            self.sessions.options = options
            self.sessions.value = chosen if chosen in names else names[0]
        self.sessions.layout.display = "" if len(names) > 1 else "none"

    def close(self) -> None:
        """Close the panel, everything in it, and what waits to be drawn."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        self._stop()
        for child in self.children:
            release(child)
        self.layout.close()
        super().close()


def timing_panel(explorer: Explorer) -> TimingPanel:
    """The panel of the tab."""
    return TimingPanel(explorer)
