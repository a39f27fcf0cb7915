"""What a view takes: a stored capture, or a recording around one."""

from __future__ import annotations

from typing import TypeAlias

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture

Subject: TypeAlias = Capture | Recording


def capture_of(subject: Subject) -> Capture:
    """The stored capture, to which a live session may still be appending."""
    return subject.raw if isinstance(subject, Recording) else subject
