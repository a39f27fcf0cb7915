from __future__ import annotations

import asyncio
from typing import Any

import pytest

import icws_explore as icws
from icws_explore.analysis.recording import Recording
from icws_explore.analysis.timing.countdown import Countdown
from icws_explore.capture import Capture
from icws_explore.notebook.live_timing import MAX_REDRAWS_PER_S, PLOTS, CellRun, LiveTiming, countdown_html, live_timing
from icws_explore.views.figures.figure import SessionFigure
from support.jumping_lab import JumpingLab
from support.lab_requests import eventually
from support.overlaps import beyond_the_paper, overlapping
from support.session_captures import START_S, healthy
from support.timing_captures import empty, still_open


class Clock:
    def __init__(self) -> None:
        self.now = START_S

    def now_s(self) -> float:
        return self.now


class Replayed:
    """A stored session that passes again, frame by frame, as a live one does."""

    def __init__(self, whole: Capture) -> None:
        self.whole = whole
        self.recording = Recording(Capture(whole.info))
        self.clock = Clock()
        self.close_code: int | None = None

    def until(self, elapsed_s: float) -> None:
        self.clock.now = START_S + elapsed_s
        self.recording.raw.frames[:] = [frame for frame in self.whole.frames if frame.t <= self.clock.now]


class TestCountdowns:
    def test_follow_the_session(self) -> None:
        session = Replayed(still_open())
        widget = LiveTiming(session)
        assert "no timer is running yet" in widget.countdowns.value
        session.until(1)
        widget.tick()
        assert "open time-out" in widget.countdowns.value
        assert "59 s of 60 s" in widget.countdowns.value
        session.until(40)
        widget.tick()
        assert "300 s of 330 s" in widget.countdowns.value
        assert "open time-out" not in widget.countdowns.value

    def test_end_with_it(self) -> None:
        session = Replayed(healthy())
        session.until(900)
        session.close_code = 1000
        assert "the session has ended" in LiveTiming(session).countdowns.value

    def test_say_what_is_inferred_and_escape_names(self) -> None:
        shown = countdown_html([Countdown("<b>", "keep_alive", 0.0, 60.0, 3.0, 1.0, 4.0, inferred=True)])
        assert "3 s of 60 s (inferred: 1 to 4 s)" in shown
        assert "&lt;b&gt;" in shown


class TestPlots:
    @pytest.mark.parametrize("name", PLOTS)
    def test_each_can_be_drawn_at_any_moment(self, name: str) -> None:
        session = Replayed(healthy())
        widget = LiveTiming(session, name)
        for elapsed in (0, 3, 250, 900):
            session.until(elapsed)
            widget.tick(force=True)
            assert widget.picture.svg.startswith("<svg")
            assert widget.fault.value == ""

    @pytest.mark.parametrize("name", PLOTS)
    def test_each_is_laid_out_for_the_room_on_the_page(self, name: str) -> None:
        session = Replayed(healthy())
        session.until(900)
        widget = LiveTiming(session, name)
        assert widget.picture.figure.get_figwidth() == 10
        # 572 is what a notebook has at 1024 px, beside JupyterLab's list of files.
        for pixels, inches in ((572, 5.7), (760, 6.9), (850, 8.5), (3000, 10)):
            widget.picture.width = pixels
            assert widget.fault.value == ""
            figure = widget.picture.figure
            assert figure.get_figwidth() == pytest.approx(inches)
            assert overlapping(figure) == []
            assert beyond_the_paper(figure) == []

    def test_of_an_empty_one_says_so(self) -> None:
        widget = LiveTiming(Replayed(empty()))
        assert widget.redraws == 0
        assert widget.picture.description.endswith("No frames yet")

    @pytest.mark.parametrize("name", ["timeline", "sequence numbers", "age at ack", "lanes"])
    def test_the_time_since_the_last_frame_is_drawn(self, name: str) -> None:
        session = Replayed(still_open())
        session.until(10)
        widget = LiveTiming(session, name)
        session.clock.now = START_S + 250
        widget.tick(force=True)
        assert widget.picture.figure.axes[0].get_xlim()[1] > 250

    def test_an_unknown_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="there is no plot 'ages'; choose age at ack, "):
            LiveTiming(Replayed(healthy()), "ages")

    def test_choosing_another_draws_at_once(self) -> None:
        session = Replayed(healthy())
        session.until(300)
        widget = LiveTiming(session)
        before = widget.picture.svg
        widget.chooser.value = "latencies"
        assert widget.picture.svg != before


class TestFaults:
    async def test_what_cannot_be_drawn_is_noted_and_the_countdowns_go_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> SessionFigure:
            raise RuntimeError("no <ink>")

        session = Replayed(still_open())
        session.until(1)
        widget = LiveTiming(session).start()
        monkeypatch.setattr("icws_explore.notebook.live_timing.PLOTS", {**PLOTS, "lanes": broken})
        widget.chooser.value = "lanes"
        assert "lanes cannot be drawn: RuntimeError: no &lt;ink&gt;" in widget.fault.value
        session.until(40)
        await eventually(lambda: "300 s of 330 s" in widget.countdowns.value)
        widget.chooser.value = "timeline"
        assert widget.fault.value == ""
        await widget.stop()


class TestCells:
    async def test_a_cell_that_runs_again_replaces_what_it_showed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        runs = iter([CellRun("a", "1"), CellRun("a", "1"), CellRun("b", "2"), CellRun("a", "3")])
        monkeypatch.setattr("icws_explore.notebook.live_timing.current_cell", lambda: next(runs))
        shown = [LiveTiming(Replayed(still_open())).start() for _ in range(4)]
        await asyncio.sleep(0)
        assert [widget._task.cancelled() for widget in shown if widget._task] == [True, True, False, False]
        for widget in shown:
            await widget.stop()


class TestPace:
    def test_no_more_than_five_redraws_a_second_can_be_asked_for(self) -> None:
        with pytest.raises(ValueError, match="at most 5"):
            LiveTiming(Replayed(healthy()), redraws_per_s=6)

    def test_nor_are_there_however_often_it_ticks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Machine:
            """Its clock: a tick every 50 ms."""

            now = 1000.0

            def monotonic(self) -> float:
                return self.now

        machine = Machine()
        monkeypatch.setattr("icws_explore.notebook.live_timing.time", machine)
        session = Replayed(healthy())
        session.until(1)
        widget = LiveTiming(session)
        for step in range(60):
            session.until(step * 15.0)
            widget.tick()
            machine.now += 0.05
        assert 2 <= widget.redraws <= 1 + MAX_REDRAWS_PER_S * 3


class TestLive:
    async def test_a_session_on_the_lab_keeps_its_times_while_it_is_drawn(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each drawing takes until an ack has come and was answered: the session's own thread does that."""
        with JumpingLab(app="echo", seed=3) as lab:
            async with icws.connect(lab) as session:
                await session.send({"text": "x"})
                await session.receive(timeout=60)

                def draw(*drawn: Any) -> SessionFigure:
                    lab.pass_interval()
                    return PLOTS["age at ack"](*drawn)

                monkeypatch.setattr("icws_explore.notebook.live_timing.PLOTS", {**PLOTS, "age at ack": draw})
                widget = live_timing(session).start()
                await eventually(lambda: widget.redraws >= 3)
                await widget.stop()
                assert session.is_open
                timing = session.recording.timing()
        assert widget.picture.svg.startswith("<svg")
        assert len(timing.keep_alives) >= 3
        assert widget.fault.value == ""

    async def test_shown_in_a_cell_it_follows_and_without_a_loop_it_stands(self) -> None:
        session = Replayed(still_open())
        session.until(10)
        widget = live_timing(session)
        shown = await asyncio.to_thread(widget._repr_mimebundle_)
        assert shown[0]["text/plain"].startswith("Age at ack, and the client's ack timer")
        assert shown[0]["image/png"]
        assert widget._task is None
        widget._repr_mimebundle_()
        assert widget._task is not None
        await widget.stop()

    async def test_it_stops_by_itself_when_the_session_ends(self) -> None:
        session = Replayed(healthy())
        session.until(866)
        widget = live_timing(session).start()
        session.close_code = 1000
        await asyncio.wait_for(asyncio.shield(widget._task), 60)
        assert "the session has ended" in widget.countdowns.value
