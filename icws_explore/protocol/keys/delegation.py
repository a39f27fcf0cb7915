"""Delegations: one key's signed word that another key may speak for it.

Source: interface specification, "Authentication", and @dfinity/identity delegation.ts. A chain
starts at the root key, whose principal is the sender, and ends at the session key, which signs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..cbor import MAX_U64, as_map, as_principal, check_u64, field, optional_field, u64_field
from ..errors import MessageError
from ..principal import Principal
from ..request_id import request_id

DELEGATION_DOMAIN: Final = b"\x1aic-request-auth-delegation"
MAX_LINKS: Final = 20  # ingress_validation.rs, MAXIMUM_NUMBER_OF_DELEGATIONS
MAX_TARGETS: Final = 1000  # ingress_validation.rs, MAXIMUM_NUMBER_OF_TARGETS_PER_DELEGATION


@dataclass(frozen=True, slots=True)
class Delegation:
    """What is signed: the next key (DER), until when (ns since the epoch), and for which canisters (None: all)."""

    pubkey: bytes
    expiration_ns: int
    targets: tuple[Principal, ...] | None = None

    def to_cbor(self) -> dict[str, Any]:
        fields: dict[str, Any] = {"pubkey": self.pubkey, "expiration": check_u64("expiration", self.expiration_ns)}
        if self.targets is not None:
            fields["targets"] = [target.raw for target in self.targets]
        return fields

    @property
    def hash(self) -> bytes:
        """The representation-independent hash of the delegation, 32 bytes."""
        return request_id(self.to_cbor())

    @property
    def signed_bytes(self) -> bytes:
        """What the delegating key signs."""
        return DELEGATION_DOMAIN + self.hash


@dataclass(frozen=True, slots=True)
class SignedDelegation:
    """One link of a chain: a delegation and the signature of the key in front of it."""

    delegation: Delegation
    signature: bytes

    def to_cbor(self) -> dict[str, Any]:
        return {"delegation": self.delegation.to_cbor(), "signature": self.signature}

    @classmethod
    def from_cbor(cls, value: object, what: str = "delegation") -> SignedDelegation:
        """From decoded CBOR. Raises MessageError."""
        outer = as_map(value, what)
        inner = as_map(field(outer, "delegation", dict, what), what)
        targets = optional_field(inner, "targets", list, what)
        delegation = Delegation(
            field(inner, "pubkey", bytes, what),
            u64_field(inner, "expiration", what),
            None if targets is None else tuple(as_principal(raw, "a target", what) for raw in targets),
        )
        return cls(delegation, field(outer, "signature", bytes, what))


@dataclass(frozen=True, slots=True)
class DelegationChain:
    """A root key (DER) and its links, as Internet Identity hands them out."""

    root_public_key_der: bytes
    delegations: tuple[SignedDelegation, ...]

    @property
    def principal(self) -> Principal:
        """The sender that every call over this chain has."""
        return Principal.self_authenticating(self.root_public_key_der)

    @property
    def expiration_ns(self) -> int | None:
        """When the first of the links expires, ns since the epoch; None without links."""
        return min((link.delegation.expiration_ns for link in self.delegations), default=None)

    @property
    def targets(self) -> frozenset[Principal] | None:
        """The canisters that every link allows; None: all canisters."""
        return allowed_targets(self.delegations)

    def to_json(self) -> str:
        """As ``DelegationChain.toJSON`` of @dfinity/identity writes it."""
        links = []
        for link in self.delegations:
            inner: dict[str, Any] = {
                "expiration": f"{link.delegation.expiration_ns:x}",
                "pubkey": link.delegation.pubkey.hex(),
            }
            if link.delegation.targets is not None:
                inner["targets"] = [target.raw.hex().upper() for target in link.delegation.targets]
            links.append({"delegation": inner, "signature": link.signature.hex()})
        return json.dumps({"delegations": links, "publicKey": self.root_public_key_der.hex()})

    @classmethod
    def from_json(cls, value: object) -> DelegationChain:
        """From the parsed JSON of ``DelegationChain.toJSON``. Raises MessageError."""
        what = "delegation chain"
        fields = as_map(value, what)
        links = field(fields, "delegations", list, what)
        if len(links) > MAX_LINKS:
            raise MessageError(what, f"has {len(links)} links; a replica takes at most {MAX_LINKS}")
        return cls(_hex(fields, "publicKey", what), tuple(_link_from_json(link, what) for link in links))


def allowed_targets(delegations: Iterable[SignedDelegation]) -> frozenset[Principal] | None:
    """The canisters that all those links allow together; None: none of them restricts it."""
    allowed: frozenset[Principal] | None = None
    for link in delegations:
        targets = link.delegation.targets
        if targets is not None:
            allowed = frozenset(targets) if allowed is None else allowed & frozenset(targets)
    return allowed


def _link_from_json(value: object, what: str) -> SignedDelegation:
    outer = as_map(value, what)
    inner = as_map(field(outer, "delegation", dict, what), what)
    digits = field(inner, "expiration", str, what)
    try:
        expiration_ns = int(digits, 16)
    except ValueError:
        raise MessageError(what, "field 'expiration' is not a hexadecimal number of nanoseconds") from None
    if not 0 <= expiration_ns <= MAX_U64:
        raise MessageError(what, "field 'expiration' does not fit 64 bits")
    targets: Sequence[object] | None = optional_field(inner, "targets", list, what)
    principals = None
    if targets is not None:
        principals = tuple(as_principal(_from_hex(raw, "a target", what), "a target", what) for raw in targets)
    delegation = Delegation(_hex(inner, "pubkey", what), expiration_ns, principals)
    return SignedDelegation(delegation, _hex(outer, "signature", what))


def _hex(fields: Mapping[str, Any], name: str, what: str) -> bytes:
    return _from_hex(field(fields, name, str, what), f"field {name!r}", what)


def _from_hex(text: object, name: str, what: str) -> bytes:
    if isinstance(text, str):
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    # Shows no part of the text: somebody may have put a secret there.
    raise MessageError(what, f"{name} is not hexadecimal text")
