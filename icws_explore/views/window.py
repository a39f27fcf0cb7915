"""Which frames of a long capture a view shows: the first and the last ones."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Final

from icws_explore.analysis.decode import DecodedFrame, shared_frames
from icws_explore.capture import Capture

MAX_FRAMES: Final = 100  # in one list: more makes a notebook slow, and nobody reads them


@dataclass(frozen=True, slots=True)
class FrameWindow:
    """``start`` is the first frame's time, in seconds since the epoch; ``left_out`` lie between head and tail."""

    start: float
    head: list[DecodedFrame]
    left_out: int
    tail: list[DecodedFrame]


def frame_window(capture: Capture, limit: int | None = MAX_FRAMES) -> FrameWindow:
    """At most ``limit`` frames (None: all), half of them from the end. Only those are decoded."""
    total = len(capture.frames)
    start = capture.frames[0].t if total else 0.0
    if limit is None or total <= limit:
        return FrameWindow(start, list(islice(shared_frames(capture), total)), 0, [])
    first = (limit + 1) // 2
    last = limit - first
    head = list(islice(shared_frames(capture), first))
    tail = list(islice(shared_frames(capture, start=total - last), last)) if last else []
    return FrameWindow(start, head, total - len(head) - len(tail), tail)
