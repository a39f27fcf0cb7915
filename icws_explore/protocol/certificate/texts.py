"""Keys, hashes, times and ages in the few words that a Step's detail has room for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from ..constants import MAINNET_ROOT_KEY, NS_PER_S
from ..keys import bls

_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that datetime can write


def key_text(der: bytes) -> str:
    """``814c0e6e…aaae``, and whose it is when that is known."""
    body = der.removeprefix(bls.DER_PREFIX)
    return hash_text(body) + (" (mainnet's)" if der == MAINNET_ROOT_KEY else "")


def hash_text(digest: bytes) -> str:
    """First and last bytes in hex, all of them where there are few."""
    return digest.hex() if len(digest) <= 8 else f"{digest[:4].hex()}…{digest[-2:].hex()}"


def time_text(time_ns: int) -> str:
    """A time in ns since the epoch as RFC 3339 in UTC, to the ms."""
    seconds, ns = divmod(time_ns, NS_PER_S)
    if not 0 <= seconds <= _LAST_SECOND:
        return f"{time_ns} ns after 1970"
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ns // 1_000_000:03d}Z"


def seconds_text(ms: int) -> str:
    """A duration in ms as seconds: ``0.25 s``, ``301 s``, ``24395743.93 s (282 days)``."""
    text = f"{ms / 1000:.15g} s"
    for unit, size_ms in (("days", 86_400_000), ("h", 3_600_000)):
        if ms >= 2 * size_ms:
            return f"{text} ({ms // size_ms} {unit})"
    return text
