"""Buttons for the time of a lab: pause it, let it go on, let a minute pass.

A lab at × 10 exchanges an ack every half a minute, while a newcomer still reads the first frame. The buttons belong to
one lab at a time. A lab that follows the machine's clock cannot be paused: then they say what to do instead.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Final

import ipywidgets

from icws_explore.lab import Lab
from icws_explore.live.clock import ScaledClock

from .worker import Worker

STEP_S: Final = 60.0  # protocol time, and at most:
_MOST_REAL_S: Final = 10.0
REAL_TIME: Final = "this lab follows the machine's clock: start it with icws.Lab(paused=True) to stop its time"


class LabClock(ipywidgets.HBox):  # type: ignore[misc]  # ipywidgets has no types
    """Pause or resume, and step. `follow` says which lab; `close` ends a step that still runs."""

    def __init__(self) -> None:
        self._worker = Worker()
        self._clock: ScaledClock | None = None
        self._has_lab = False
        self._step: Future[None] | None = None
        self.run = ipywidgets.Button()
        self.step = ipywidgets.Button()
        self.run.on_click(lambda _: self.pause_or_resume())
        self.step.on_click(lambda _: self.step_once())
        super().__init__([self.run, self.step])
        for button in self.children:
            button.layout.width = "max-content"
        self.add_class("icws-clock")
        self.refresh()

    def follow(self, lab: Lab | None) -> None:
        """Act on this lab from now on; None: on no lab."""
        clock = lab.clock if lab is not None and lab.running else None
        self._has_lab = clock is not None
        self._clock = clock if isinstance(clock, ScaledClock) else None
        self.refresh()

    @property
    def step_s(self) -> float:
        """The seconds of protocol time that one step takes: a minute, or less on a slow clock."""
        return STEP_S if self._clock is None else min(STEP_S, _MOST_REAL_S * self._clock.scale)

    def refresh(self) -> None:
        """Show whether time passes: it may have been paused or resumed by a cell."""
        clock = self._clock
        self.layout.display = "" if self._has_lab else "none"
        is_real = self._has_lab and clock is None
        is_paused = clock is not None and clock.is_paused and self._step is None
        words = "1 min" if self.step_s == STEP_S else f"{self.step_s:g} s"
        self._write(
            self.run,
            description="▶ resume lab" if is_paused else "❚❚ pause lab",
            tooltip=REAL_TIME
            if is_real
            else "let the lab's time pass again"
            if is_paused
            else "let the lab's time stand still: nothing is sent, and nobody is late",
            button_style="warning" if is_paused else "",
            disabled=is_real,
        )
        self._write(
            self.step,
            description=f"step {words}" if self._step is None else f"{words} …",
            tooltip=REAL_TIME if is_real else f"let {words} of the lab's time pass, then pause",
            disabled=is_real or self._step is not None,
        )

    @staticmethod
    def _write(button: Any, **traits: Any) -> None:
        for name, value in traits.items():
            if getattr(button, name) != value:
                setattr(button, name, value)

    def pause_or_resume(self) -> None:
        """Pause a lab that runs or steps; let one go on that is paused."""
        clock, step = self._clock, self._step
        if clock is None:
            return
        if step is not None:
            step.cancel()  # a step that is cancelled pauses
        elif clock.is_paused:
            clock.resume()
        else:
            clock.pause()
        self.refresh()

    def step_once(self) -> None:
        """Let `step_s` pass, then pause. Returns at once."""
        if self._clock is None or self._step is not None:
            return
        self._step = self._worker.start(self._clock.step(self.step_s))
        self.refresh()
        if self._step is not None:
            self._step.add_done_callback(self._stepped)

    def _stepped(self, _step: Future[None]) -> None:
        self._step = None
        if self.comm is not None:
            self.refresh()

    def close(self) -> None:
        """End a step, and close the buttons' box."""
        self._clock = None
        self._worker.close()
        super().close()
