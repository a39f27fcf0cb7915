from __future__ import annotations

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture
from icws_explore.views import plots
from support.session_captures import SessionScript, healthy


def two_sessions() -> Capture:
    capture = SessionScript(session="a").opened().capture
    capture.frames += SessionScript(session="b").opened().client_says(30, "x").capture.frames
    return capture


class TestPlots:
    def test_take_a_capture_or_a_recording(self) -> None:
        for draw in (plots.timing, plots.sequences):
            assert draw(healthy()).inline_svg("one") == draw(Recording(healthy())).inline_svg("one")

    def test_draw_the_session_that_is_named(self) -> None:
        for draw in (plots.timing, plots.sequences):
            assert (
                draw(two_sessions(), session="a").axes[0].get_xlim()[1]
                < draw(two_sessions(), session="b").axes[0].get_xlim()[1]
            )
