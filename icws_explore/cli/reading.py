"""The recordings that commands are given: .icws files, and what `icws import` reads, without importing it first."""

from __future__ import annotations

from icws_explore.analysis.imports import FOREIGN, file_kind, load_any
from icws_explore.capture import Capture

from .console import note


def read_capture(file: str) -> Capture:
    """The capture in ``file``; what could not be read of it is noted. Raises CaptureError.

    Of a HAR or a packet capture the canister is that of the first request; nobody is asked for anything.
    """
    kind = file_kind(file)
    capture = load_any(file)
    if kind in FOREIGN:
        note(f"{file} is {kind}: read as icws import does")
    for text in capture.notes:
        note(text)
    return capture
