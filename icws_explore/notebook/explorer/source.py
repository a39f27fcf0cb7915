"""What an explorer can show, and how its growth is noticed.

A session and a tap call an observer for each frame. A recording alone calls nobody, so one that may still grow is
looked at twice a second. `Follower` takes new frames into the index in a thread of its own, so that they show while a
cell computes, at most `MAX_REDRAWS_PER_S` times a second; while nothing is appended, it waits.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from icws_explore.analysis.recording import Recording, load
from icws_explore.capture import Capture
from icws_explore.lab import Lab
from icws_explore.live.session import Session
from icws_explore.live.tap import Tap
from icws_explore.protocol.errors import ArgumentTypeError
from icws_explore.views.formatting import count, one_line, seconds

from .frame_index import FrameIndex

Source: TypeAlias = Lab | Session | Tap | Recording | Capture | str | os.PathLike[str]

MAX_REDRAWS_PER_S: Final = 5
_POLL_S: Final = 0.5  # of a recording that nobody tells about
_GROWING: Final = ("live", "tap")


def recording_of(source: Session | Tap | Recording | Capture | str | os.PathLike[str]) -> Recording:
    """The recording of a source that has one. Raises CaptureError for a file, ArgumentTypeError for anything else."""
    match source:
        case Recording():
            return source
        case Capture():
            return Recording(source)
        case Session() | Tap():
            return source.recording
        case str() | os.PathLike():
            return load(Path(source).expanduser())
    raise ArgumentTypeError(
        f"explore takes a Lab, a Session, a Tap, a Recording or the path of a file, not {type(source).__name__}"
    )


def source_name(source: object) -> str:
    """What the head of the explorer calls a source."""
    match source:
        case str() | os.PathLike():
            return one_line(Path(source).name)
        case Lab():
            return "lab"
        case Session():
            return "session"
        case Tap():
            return "tap"
    return "recording"


def source_line(recording: Recording) -> str:
    """Size, duration and parties of a recording in one line."""
    capture, info = recording.raw, recording.info
    sessions = len(capture.session_ids)
    parts = [count(len(capture), "frame")]
    if sessions > 1:
        parts.append(count(sessions, "session"))
    parts.append(f"{seconds(capture.duration_s)} s")
    if info.clock.kind != "real":
        parts.append(f"clock {info.clock}")
    if info.canister_id is not None:
        parts.append(f"canister {one_line(info.canister_id)}")
    return ", ".join(parts)


class Follower:
    """Takes what is appended to a recording into ``index``, and calls ``on_new`` on its thread after each time.

    Of a recording that is not ``growing`` it takes what is not taken yet, and ends.
    """

    def __init__(
        self, index: FrameIndex, watched: Session | Tap | None, on_new: Callable[[], None], *, growing: bool = True
    ) -> None:
        self._index = index
        self._growing = growing
        self._on_new = on_new
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._unwatch = None if watched is None else watched.watch(lambda _: self._wake.set())
        self._thread = threading.Thread(target=self._run, name="icws-explorer-follows", daemon=True)

    def start(self) -> Follower:
        """Begin to follow."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Follow no more. Twice is once."""
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
        self._stop.set()
        self._wake.set()

    def join(self, timeout_s: float) -> None:
        """Wait at most ``timeout_s`` real seconds until the thread has ended."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        poll_s = None if self._unwatch is not None else _POLL_S
        while not self._stop.is_set() and (self._growing or self._index.has_more):
            # An observer may be called just before the frame is in the recording.
            if not self._index.has_more:
                self._wake.wait(poll_s)
                self._wake.clear()
            if self._index.has_more and not self._stop.is_set():
                self._index.take()
                self._on_new()
            self._stop.wait(1 / MAX_REDRAWS_PER_S)


def may_grow(recording: Recording) -> bool:
    """Whether a recording that is shown without its session or tap may still be appended to."""
    return recording.info.origin in _GROWING
