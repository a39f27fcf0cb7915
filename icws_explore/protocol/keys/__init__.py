"""Identities, which sign requests."""

from __future__ import annotations

from .identity import (
    AnonymousIdentity,
    DelegatedIdentity,
    Ed25519Identity,
    Identity,
    Secp256k1Identity,
    delegate,
    delegate_to,
)

__all__ = [
    "AnonymousIdentity",
    "DelegatedIdentity",
    "Ed25519Identity",
    "Identity",
    "Secp256k1Identity",
    "delegate",
    "delegate_to",
]
