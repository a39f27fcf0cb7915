"""Every byte of a frame, named: a tree of fields whose leaves tile the frame."""

from .layers import annotate_frame
from .node import Node, one_a_range

__all__ = ["Node", "annotate_frame", "one_a_range"]
