"""The buttons for a lab's time, on the clocks of real labs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import icws_explore as icws
from icws_explore.live.clock import ScaledClock
from icws_explore.notebook.explorer.live.lab_clock import LabClock
from icws_explore.notebook.explorer.release import release
from support.explorer_scene import WAIT_S, open_comms


@contextmanager
def clock_of(lab: icws.Lab | None) -> Iterator[LabClock]:
    before = open_comms()
    buttons = LabClock()
    buttons.follow(lab)
    try:
        yield buttons
    finally:
        release(buttons)
        assert open_comms() == before


def until_stepped(buttons: LabClock) -> None:
    stepped = threading.Event()
    buttons.step.observe(lambda _: stepped.set() if not buttons.step.disabled else None, names="disabled")
    assert not buttons.step.disabled or stepped.wait(WAIT_S)


class TestLabClock:
    def test_is_hidden_without_a_lab(self) -> None:
        with clock_of(None) as buttons:
            assert buttons.layout.display == "none"
            buttons.run.click()
            buttons.step.click()

    def test_says_why_a_lab_in_real_time_cannot_be_paused(self) -> None:
        with icws.Lab("echo") as lab, clock_of(lab) as buttons:
            assert buttons.layout.display == ""
            for button in (buttons.run, buttons.step):
                assert button.disabled
                assert "icws.Lab(paused=True)" in button.tooltip
            buttons.run.click()
            buttons.follow(None)
            assert buttons.layout.display == "none"

    def test_pauses_and_resumes(self) -> None:
        with icws.Lab("echo", time_scale=60) as lab, clock_of(lab) as buttons:
            assert isinstance(lab.clock, ScaledClock)
            assert "pause" in buttons.run.description
            buttons.run.click()
            assert lab.clock.is_paused
            assert "resume" in buttons.run.description
            stands = lab.clock.now_ns()
            assert lab.clock.now_ns() == stands
            buttons.run.click()
            assert not lab.clock.is_paused
            assert "pause" in buttons.run.description

    def test_steps_a_minute_and_pauses(self) -> None:
        with icws.Lab("echo", time_scale=60, paused=True) as lab, clock_of(lab) as buttons:
            assert isinstance(lab.clock, ScaledClock)
            before = lab.clock.now_ns()
            buttons.step.click()
            until_stepped(buttons)
            assert lab.clock.now_ns() - before == 60 * 10**9
            assert lab.clock.is_paused
            assert buttons.step.description == "step 1 min"
            assert "resume" in buttons.run.description

    def test_ends_a_step_that_takes_too_long(self) -> None:
        with icws.Lab("echo", time_scale=1, paused=True) as lab, clock_of(lab) as buttons:
            assert isinstance(lab.clock, ScaledClock)
            assert buttons.step.description == "step 10 s"
            before = lab.clock.now_ns()
            buttons.step.click()
            assert "pause" in buttons.run.description
            buttons.run.click()
            until_stepped(buttons)
            assert lab.clock.is_paused
            assert lab.clock.now_ns() - before < 10 * 10**9

    def test_follows_what_a_cell_did(self) -> None:
        with icws.Lab("echo", time_scale=60) as lab, clock_of(lab) as buttons:
            lab.pause()
            buttons.refresh()
            assert "resume" in buttons.run.description
            lab.stop()
            buttons.follow(lab)
            assert buttons.layout.display == "none"
