"""How the protocol's steps and errors write hashes, times and durations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from .constants import NS_PER_MS, NS_PER_S

_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that datetime can write
_LONG_UNITS: Final = (("days", 86_400 * NS_PER_S), ("h", 3_600 * NS_PER_S))


def hash_text(digest: bytes) -> str:
    """First and last bytes in hex, as ``814c0e6e…aaae``; all bytes if there are at most 8."""
    return digest.hex() if len(digest) <= 8 else f"{digest[:4].hex()}…{digest[-2:].hex()}"


def time_text(time_ns: int) -> str:
    """A time in ns since the epoch as ``2026-11-23 13:53:16.867 UTC``, to the millisecond."""
    seconds, ns = divmod(time_ns, NS_PER_S)
    if not 0 <= seconds <= _LAST_SECOND:
        return f"{time_ns} ns after 1970"
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ns // NS_PER_MS:03d} UTC"


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
