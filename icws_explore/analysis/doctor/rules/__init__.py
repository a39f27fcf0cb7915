"""The rules by theme. Importing this package registers all of them."""

from __future__ import annotations

from . import (
    acks,
    certificates,
    contents,
    custom_clients,
    ends,
    envelopes,
    gateways,
    handshake,
    keep_alive,
    many_sessions,
    opening,
    pages,
    refusals,
    sequences,
)

__all__ = [
    "acks",
    "certificates",
    "contents",
    "custom_clients",
    "ends",
    "envelopes",
    "gateways",
    "handshake",
    "keep_alive",
    "many_sessions",
    "opening",
    "pages",
    "refusals",
    "sequences",
]
