"""The figures of a session: `timeline_figure` and `sequence_figure`; each has `save` for PNG, SVG and PDF."""

from .figure import SessionFigure
from .sequence_plot import sequences as sequence_figure
from .timeline import timeline as timeline_figure

__all__ = ["SessionFigure", "sequence_figure", "timeline_figure"]
