"""Recorded frames, the configuration they were recorded under, and the files that hold both."""

from .capture import Capture, ClockInfo, Origin, PageCall, SessionInfo, cut_note
from .frame import HTTP_OPS, Direction, Frame, Op
from .icws_file import CaptureWriter, load, save

__all__ = [
    "HTTP_OPS",
    "Capture",
    "CaptureWriter",
    "ClockInfo",
    "Direction",
    "Frame",
    "Op",
    "Origin",
    "PageCall",
    "SessionInfo",
    "cut_note",
    "load",
    "save",
]
