"""Every byte of a frame, named: a tree of fields whose leaves tile the frame."""

from .frame import annotate_frame
from .node import Node

__all__ = ["Node", "annotate_frame"]
