"""`icws_explore.plots`: the figures, for whatever holds a capture."""

from __future__ import annotations

from . import sequence_plot
from . import timeline as timeline_plot
from .figure import SessionFigure
from .subject import Subject, capture_of

__all__ = ["SessionFigure", "sequences", "timing"]


def timing(subject: Subject, *, session: str | None = None) -> SessionFigure:
    """Who did what when, in lanes, with the ack and keep-alive deadlines in seconds of the capture's clock.

    ``session`` picks one of a capture that holds several, else it is the first.
    """
    return timeline_plot.timeline(capture_of(subject), session=session)


def sequences(subject: Subject, *, session: str | None = None) -> SessionFigure:
    """The sequence numbers of both directions over time, and what each ack covers. Arguments as of `timing`."""
    return sequence_plot.sequences(capture_of(subject), session=session)
