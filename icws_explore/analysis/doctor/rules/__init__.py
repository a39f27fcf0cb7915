"""The rules by theme; importing this package registers all of them."""

from __future__ import annotations

from . import (
    acks,
    certificates,
    closing,
    contents,
    envelopes,
    gateways,
    handshake,
    keep_alive,
    many_sessions,
    opening,
    sequences,
)

__all__ = [
    "acks",
    "certificates",
    "closing",
    "contents",
    "envelopes",
    "gateways",
    "handshake",
    "keep_alive",
    "many_sessions",
    "opening",
    "sequences",
]
