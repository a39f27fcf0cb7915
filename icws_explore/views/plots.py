"""`icws_explore.plots`: the figures, for whatever holds a capture."""

from __future__ import annotations

from icws_explore.analysis.recording import Recording
from icws_explore.capture import Capture

from . import sequence_plot
from . import timeline as timeline_plot
from .figure import SessionFigure

__all__ = ["SessionFigure", "sequences", "timing"]


def timing(capture: Capture | Recording) -> SessionFigure:
    """Who did what when, in lanes, with the ack and keep-alive deadlines in seconds of the capture's clock."""
    return timeline_plot.timeline(_raw(capture))


def sequences(capture: Capture | Recording) -> SessionFigure:
    """The sequence numbers of both directions over time, and what each ack covers."""
    return sequence_plot.sequences(_raw(capture))


def _raw(capture: Capture | Recording) -> Capture:
    return capture.raw if isinstance(capture, Recording) else capture
