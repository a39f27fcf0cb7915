"""Identities: what signs requests."""

from __future__ import annotations

from .delegated import DelegatedIdentity, delegate, delegate_to
from .identity import AnonymousIdentity, Identity
from .keys import Ed25519Identity, Secp256k1Identity

__all__ = [
    "AnonymousIdentity",
    "DelegatedIdentity",
    "Ed25519Identity",
    "Identity",
    "Secp256k1Identity",
    "delegate",
    "delegate_to",
]
