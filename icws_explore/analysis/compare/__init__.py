"""Two recordings held beside each other: aligned by the protocol's events, the first difference, all differences."""

from __future__ import annotations

from .comparison import Comparison, Difference, Row, Subject, compare

__all__ = ["Comparison", "Difference", "Row", "Subject", "compare"]
