"""How hashes, times and durations are written, and how users write durations.

A user gives a duration as text such as "1h", "90s", "1h30m" or "250ms", as a timedelta, or as a number of seconds.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from .constants import NS_PER_MS, NS_PER_S
from .errors import ArgumentValueError

_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that datetime can write
_LONG_UNITS: Final = (("days", 86_400 * NS_PER_S), ("h", 3_600 * NS_PER_S))


def hash_text(digest: bytes) -> str:
    """First and last bytes in hex, as ``814c0e6e…aaae``; all bytes if there are at most 8."""
    return digest.hex() if len(digest) <= 8 else f"{digest[:4].hex()}…{digest[-2:].hex()}"


def time_text(time_ns: int) -> str:
    """A time in ns since the epoch as ``2026-11-23 13:53:16.867 UTC``, to the millisecond."""
    seconds, ns = divmod(time_ns, NS_PER_S)
    if not 0 <= seconds <= _LAST_SECOND:
        return f"{time_ns} ns after 1970" if abs(time_ns).bit_length() <= 128 else "a time beyond any calendar"
    return f"{_second_text(seconds)}.{ns // NS_PER_MS:03d} UTC"


@lru_cache(maxsize=64)  # a recording's messages come in order, several a second
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ")[:19]  # ten times as fast as strftime


def duration_text(duration_ns: int) -> str:
    """A duration as ``0.25 s``, ``301 s``, ``24395743.93 s (282 days)``; below a millisecond as ``999999 ns``.

    It is exact below a millisecond because that is where limits are at stake.
    """
    if 0 < duration_ns < NS_PER_MS:
        return f"{duration_ns} ns"
    text = f"{duration_ns // NS_PER_MS / 1000:.15g} s"
    for unit, unit_ns in _LONG_UNITS:
        if duration_ns >= 2 * unit_ns:
            return f"{text} ({duration_ns // unit_ns} {unit})"
    return text


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
    """Return the duration in nanoseconds. Raises ArgumentValueError if it cannot be read or is not positive."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    ns = _from_text(value.strip()) if isinstance(value, str) else _from_seconds(value)
    if ns <= 0:
        raise ArgumentValueError(f"{value!r} is not a duration: write 1h, 90s, 1h30m, 250ms or a number of seconds")
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
