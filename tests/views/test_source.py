from __future__ import annotations

import pytest

from icws_explore.analysis.recording import Recording
from icws_explore.views.source import capture_of, frame_index
from support.session_captures import healthy


class Session:
    def __init__(self, recording: Recording) -> None:
        self.recording = recording


class TestCaptureOf:
    def test_takes_a_recording_and_what_holds_one(self) -> None:
        capture = healthy()
        assert capture_of(capture) is capture
        assert capture_of(Recording(capture)) is capture
        assert capture_of(Session(Recording(capture))) is capture


class TestFrameIndex:
    def test_counts_from_either_end(self) -> None:
        assert [frame_index(healthy(), number) for number in (0, 28, -1, -29)] == [0, 28, 28, 0]

    @pytest.mark.parametrize("number", [29, -30])
    def test_refuses_a_number_beyond_the_ends(self, number: int) -> None:
        with pytest.raises(IndexError, match=f"there is no frame {number}: the number of frames is 29"):
            frame_index(healthy(), number)
