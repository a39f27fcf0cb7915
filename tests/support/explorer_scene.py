"""Recordings that grow while they are explored, and what widgets send to their views."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ipywidgets.widgets import widget as ipywidgets_widget

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture
from icws_explore.notebook.explorer.explorer import Explorer
from icws_explore.notebook.explorer.frame_index import FrameIndex

WAIT_S = 60.0  # for a thread; a busy machine takes a part of it


def indexed(capture: Capture) -> FrameIndex:
    """An index that has taken every frame of ``capture``."""
    index = FrameIndex(Recording(capture))
    while index.take():
        pass
    return index


def growing(whole: Capture, *, begin: int = 0) -> tuple[Capture, Callable[[int], None]]:
    """A capture with the first ``begin`` frames of ``whole``, and a function that appends those up to a number."""
    capture = Capture(whole.info, whole.frames[:begin])

    def until(number: int) -> None:
        capture.frames += whole.frames[len(capture.frames) : number]

    return capture, until


def sent_by(widget: Any, monkeypatch: Any) -> list[Any]:
    """What ``widget`` sends to its views from now on, besides its state."""
    sent: list[Any] = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: sent.append(content))
    return sent


def open_comms() -> set[str]:
    """The ids of all widgets whose comm is open, layouts and styles included."""
    return set(ipywidgets_widget._instances)


@contextmanager
def explored(source: Any = None) -> Iterator[Explorer]:
    """An explorer that is closed afterwards, once the doctor has looked."""
    explorer = Explorer(source)
    try:
        if explorer._checker is not None:
            assert explorer._checker.first_diagnosis.wait(WAIT_S)
        yield explorer
    finally:
        explorer.close()
