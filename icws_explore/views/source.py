"""The input of the views: a recording, or an object that has one."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture


class HasRecording(Protocol):
    """A session, a tap: what a recording can be taken from while it grows."""

    @property
    def recording(self) -> Recording: ...


RecordingLike: TypeAlias = Recording | Capture | HasRecording


def capture_of(recording: RecordingLike) -> Capture:
    """The frames under a recording. A live session may still append to them."""
    if isinstance(recording, Capture):
        return recording
    return recording.raw if isinstance(recording, Recording) else recording.recording.raw


def frame_index(capture: Capture, number: int) -> int:
    """The number of a frame, counted from 0; a negative ``number`` counts from the end. Raises IndexError."""
    index = number if number >= 0 else len(capture) + number
    if not 0 <= index < len(capture):
        raise IndexError(f"there is no frame {number}: the number of frames is {len(capture)}")
    return index
