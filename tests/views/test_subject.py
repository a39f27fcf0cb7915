from __future__ import annotations

from icws_explore.analysis.recording import Recording
from icws_explore.views.facts import capture_of
from support.session_captures import healthy


def test_a_recording_and_its_capture_are_the_same_subject() -> None:
    capture = healthy()
    assert capture_of(capture) is capture
    assert capture_of(Recording(capture)) is capture
