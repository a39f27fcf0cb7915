"""Envelopes: signed requests, in a client's frames and in the bodies of HTTP requests."""

from __future__ import annotations

from .check import check_envelope
from .envelope import (
    CONTENT_FIELDS,
    REQUEST_DOMAIN,
    Envelope,
    call_content,
    ingress_expiry_ns,
    query_content,
    read_state_content,
    sign_envelope,
)

__all__ = [
    "CONTENT_FIELDS",
    "REQUEST_DOMAIN",
    "Envelope",
    "call_content",
    "check_envelope",
    "ingress_expiry_ns",
    "query_content",
    "read_state_content",
    "sign_envelope",
]
