"""Durations in the texts of steps."""

from __future__ import annotations

from ..constants import NS_PER_MS, NS_PER_S

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86_400


def duration_text(duration_ns: int) -> str:
    """A duration as one reads it: exact below a millisecond, where boundaries are at stake."""
    if duration_ns < NS_PER_MS:
        return f"{duration_ns} ns"
    seconds = duration_ns / NS_PER_S
    if seconds < 10 * _MINUTE_S:
        return f"{seconds:.3f} s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    return f"{seconds / _HOUR_S:.1f} h" if seconds < 2 * _DAY_S else f"{seconds / _DAY_S:.1f} days"
