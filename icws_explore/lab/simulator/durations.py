"""Durations as people write them: "1h", "90s", "1h30m", "250ms", or a plain number of seconds."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import LabError

_UNITS_NS: Final = {
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "min": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
    "d": 86_400 * NS_PER_S,
}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d)\s*")
_PLAIN: Final = re.compile(r"\d+(?:\.\d+)?")


def duration_ns(value: str | float | timedelta) -> int:
    """The duration in nanoseconds; numbers are seconds. Raises LabError for what is none, or not positive."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    ns = _from_text(value.strip()) if isinstance(value, str) else _from_seconds(value)
    if ns <= 0:
        raise LabError(f"{value!r} is no duration: write one such as 1h, 90s, 1h30m, 250ms, or a number of seconds")
    return ns


def _from_seconds(value: float) -> int:
    return round(value * NS_PER_S) if math.isfinite(value) else 0


def _from_text(text: str) -> int:
    if _PLAIN.fullmatch(text):
        return round(float(text) * NS_PER_S)
    parts = [(match.start(), match.end(), match) for match in _PART.finditer(text)]
    ends = [0, *(end for _, end, _ in parts)]
    if [start for start, _, _ in parts] != ends[:-1] or ends[-1] != len(text):
        return 0
    return sum(round(float(match[1]) * _UNITS_NS[match[2]]) for _, _, match in parts)
