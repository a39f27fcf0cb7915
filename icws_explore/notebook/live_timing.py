"""A widget that shows the timing of a running session: countdowns to its time-outs, and a timing plot.

The session runs in its own thread. The widget draws in the kernel's thread, at most five times a second and for at
most a fifth of the time, so that it does not slow the session down.

If a cell runs again, its new widget stops the one that the cell showed before. For this, `CellRun` identifies the cell
and the run in which code is executed.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeAlias

import ipywidgets

from icws_explore.analysis.decode import DecodedFrame, decode_frames
from icws_explore.analysis.recording import Recording
from icws_explore.analysis.timing.countdown import Countdown, Watch
from icws_explore.analysis.timing.instants import SessionInstants
from icws_explore.analysis.timing.keep_alives import KEEP_ALIVE_LIMIT_S
from icws_explore.capture import Capture
from icws_explore.views.figures.ack_age import ack_age_figure
from icws_explore.views.figures.certificate_age import certificate_age_figure
from icws_explore.views.figures.figure import Paper, SessionFigure, empty_figure
from icws_explore.views.figures.keep_alives import keep_alives_figure
from icws_explore.views.figures.lanes import lanes_figure
from icws_explore.views.figures.latencies import latencies_figure
from icws_explore.views.figures.sequence_numbers import sequence_numbers_figure
from icws_explore.views.figures.timeline import timeline_figure
from icws_explore.views.formatting import one_line
from icws_explore.views.html import note_view
from icws_explore.views.theme import SHADES

from .interactive_plot import InteractivePlot, with_twin


@dataclass(frozen=True, slots=True)
class CellRun:
    """One run of one cell. An id is None if the front end does not give it; outside a notebook, both are None."""

    cell: str | None = None
    run: str | None = None

    def replaces(self, earlier: CellRun) -> bool:
        """Whether this is another run of the same cell."""
        return self.cell is not None and self.cell == earlier.cell and self.run != earlier.run


def current_cell() -> CellRun:
    """The cell run in which this function is called."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    request = shell.get_parent() if shell is not None and hasattr(shell, "get_parent") else None
    if not isinstance(request, dict):
        return CellRun()
    return CellRun(request.get("metadata", {}).get("cellId"), request.get("header", {}).get("msg_id"))


MAX_REDRAWS_PER_S: Final = 5
_SHARE: Final = 4  # after a plot took d seconds to draw, the next one waits for 4 d
_IDLE_S: Final = 1.0  # without new frames, only the time axis changes
_LANES_S: Final = 30.0  # protocol seconds that the plot "lanes" shows

Draw: TypeAlias = Callable[[Capture, SessionInstants, Sequence[DecodedFrame], Paper], SessionFigure]

PLOTS: Final[Mapping[str, Draw]] = {
    "age at ack": lambda capture, session, _, paper: ack_age_figure(capture, session, paper=paper),
    "keep-alive windows": lambda capture, session, _, paper: keep_alives_figure(
        capture, session, limit_s=KEEP_ALIVE_LIMIT_S, paper=paper
    ),
    "timeline": lambda capture, session, frames, paper: timeline_figure(
        capture, frames=frames, session=session.session, timing=session, paper=paper
    ),
    "lanes": lambda capture, session, _, paper: lanes_figure(
        capture, session, start_s=max(0.0, session.last - _LANES_S), paper=paper
    ),
    "sequence numbers": lambda capture, session, frames, paper: sequence_numbers_figure(
        capture, frames=frames, session=session.session, until_s=session.last, paper=paper
    ),
    "certificate age": lambda capture, session, _, paper: certificate_age_figure(capture, [session], paper=paper),
    "latencies": lambda capture, session, _, paper: latencies_figure(capture, [session], paper=paper),
}
_NAMES: Final = {
    "open": "open time-out",
    "ack": "ack time-out",
    "keep_alive": "keep-alive time-out",
    "next_ack": "next ack expected",
}


class Running(Protocol):
    """What the widget follows: a live session, or another object with a recording, a clock and a close code."""

    @property
    def recording(self) -> Recording: ...
    @property
    def clock(self) -> Any: ...
    @property
    def close_code(self) -> int | None: ...


_following: dict[asyncio.Task[None], CellRun] = {}  # the tasks that draw, each with the cell that started it


class LiveTiming(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Countdowns and a timing plot of a running session.

    The widget begins to follow the session when a cell shows it. It stops when the session ends, when `stop` is
    called, or when the same cell runs again. If a plot cannot be drawn, the widget shows the error and goes on.
    """

    def __init__(self, session: Running, plot: str = "age at ack", *, redraws_per_s: float = MAX_REDRAWS_PER_S) -> None:
        """``plot`` is a key of `PLOTS`. Raises ValueError for another plot, or for more than five redraws a second."""
        if not 0 < redraws_per_s <= MAX_REDRAWS_PER_S:
            raise ValueError(f"at most {MAX_REDRAWS_PER_S} redraws a second, not {redraws_per_s!r}")
        if plot not in PLOTS:
            raise ValueError(f"there is no plot {plot!r}; choose {', '.join(PLOTS)}")
        self._session = session
        self._period_s = 1 / redraws_per_s
        self._watch = Watch(session.recording.raw)
        self._frames: list[DecodedFrame] = []
        self._next_drawing = 0.0  # seconds of the machine's monotonic clock
        self._task: asyncio.Task[None] | None = None
        self.redraws = 0
        self.chooser = ipywidgets.Dropdown(options=list(PLOTS), value=plot, description="plot")
        self.countdowns = ipywidgets.HTML()
        self.fault = ipywidgets.HTML()
        self.picture = InteractivePlot(empty_figure(session.recording.raw, "Session timing"), is_fitted=True)
        self.chooser.observe(lambda _: self.tick(force=True), names="value")
        self.picture.observe(lambda _: self.tick(force=True), names="width")
        super().__init__([self.countdowns, self.chooser, self.fault, self.picture])
        self.tick(force=True)

    def start(self) -> LiveTiming:
        """Begin to follow the session, on the running event loop. In a notebook, this is the kernel's loop."""
        if self._task is None or self._task.done():
            here = current_cell()
            for other, there in _following.items():
                if here.replaces(there):
                    other.cancel()
            self._task = asyncio.get_running_loop().create_task(self._follow(), name="icws-live-timing")
            _following[self._task] = here
            self._task.add_done_callback(_following.pop)
        return self

    async def stop(self) -> None:
        """Stop following the session. The widget keeps what it shows."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(self) -> None:
        while self._session.close_code is None:
            self.tick()
            await asyncio.sleep(self._period_s)
        self.tick(force=True)

    def tick(self, *, force: bool = False) -> None:
        """Read new frames and update the countdowns, and the plot if it is due. ``force`` redraws the plot now."""
        new = list(decode_frames(self._session.recording.raw, start=len(self._frames)))
        self._frames += new
        self._watch.feed(new)
        now_s = self._session.clock.now_s() - self._watch.instants.origin.t if self._frames else 0.0
        ended = self._session.close_code is not None
        self.countdowns.value = countdown_html([] if ended else self._watch.left(now_s), ended=ended)
        at = time.monotonic()
        if force or at >= self._next_drawing + (0 if new else _IDLE_S):
            self._draw(now_s)
            took = time.monotonic() - at
            self._next_drawing = at + took + max(self._period_s, _SHARE * took)

    def _draw(self, now_s: float) -> None:
        sessions = list(self._watch.instants.sessions.values())
        if not sessions:
            return
        session = sessions[0]
        if session.ended is None:
            session = replace(session, last=max(session.last, now_s))
        try:
            draw = PLOTS[self.chooser.value]
            self.picture.show(draw(self._session.recording.raw, session, self._frames, self.picture.paper))
        except Exception as error:  # noqa: BLE001  # an error in the task would be lost, and the countdowns would stop
            line = f"{self.chooser.value} cannot be drawn: {type(error).__name__}: {error}"
            self.fault.value = note_view(one_line(line), "bad").html
            return
        self.fault.value = ""
        self.redraws += 1

    def _repr_mimebundle_(self, **more: Any) -> Any:
        """Begin to follow when a cell shows the widget."""
        with contextlib.suppress(RuntimeError):  # without a running loop, the widget does not change
            self.start()
        figure = self.picture.figure
        return with_twin(super()._repr_mimebundle_(**more), figure, figure.description)


def countdown_html(running: Sequence[Countdown], *, ended: bool = False) -> str:
    """A bar for each countdown, and its seconds as text."""
    if not running:
        words = "the session has ended" if ended else "no timer is running yet"
        return f"<div class='icws'><span style='color:{_themed('soft')}'>{words}</span></div>"
    rows = "".join(map(_bar, running))
    return f"<div class='icws'><table style='color:{_themed('ink')};border-spacing:0.6em 0.1em'>{rows}</table></div>"


def _bar(countdown: Countdown) -> str:
    share = min(1.0, max(0.0, countdown.left_s / countdown.limit_s))
    urgent = countdown.left_s < 0.1 * countdown.limit_s and countdown.name != "next_ack"
    color = _themed("bad" if urgent else "good")
    name = _NAMES[countdown.name] + (f" ({html.escape(countdown.session)})" if countdown.session else "")
    words = f"{countdown.left_s:.0f} s of {countdown.limit_s:g} s"
    if countdown.inferred:
        words += f" (inferred: {countdown.left_min_s:.0f} to {countdown.left_max_s:.0f} s)"
    bar = (
        f"<div style='width:16em;height:0.7em;border:1px solid {_themed('soft')}'>"
        f"<div style='width:{100 * share:.1f}%;height:100%;background:{color}'></div></div>"
    )
    return f"<tr><td>{name}</td><td>{bar}</td><td style='text-align:left'>{words}</td></tr>"


def _themed(role: str) -> str:
    """The page's colour for ``role``, as a CSS variable that follows the theme."""
    return f"var(--icws-{role}, {SHADES[role].light})"


def live_timing(session: Running, plot: str = "age at ack") -> LiveTiming:
    """Return a widget that shows the timing of ``session`` while it runs.

    Make it the last expression of a cell, or call its `start`. ``plot`` is the first plot to show, a key of `PLOTS`;
    another name raises ValueError.
    """
    return LiveTiming(session, plot)
