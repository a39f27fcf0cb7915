"""`icws_explore.inspect`: one frame, every field beside its bytes."""

from __future__ import annotations

from icws_explore.analysis.decode import application_type, decode_at

from ..html import View
from ..subject import Subject, capture_of
from .hex_pane import hex_view


def inspect(subject: Subject, number: int) -> View:
    """Frame ``number`` of a capture, a recording or a session (negative: from the end).

    A tree of fields beside the bytes; pointing at either marks the other. Raises IndexError.
    """
    capture = capture_of(subject)
    index = number if number >= 0 else len(capture) + number
    if not 0 <= index < len(capture):
        raise IndexError(f"there is no frame {number}: the capture holds {len(capture)}")
    return hex_view(decode_at(capture, index), app_type=application_type(capture))
