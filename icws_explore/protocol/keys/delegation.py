"""Delegations: one key's signed statement that another key may sign for it.

Sources: interface specification, "Authentication"; @dfinity/identity delegation.ts. A chain starts at the
root key, whose principal is the sender, and ends at the session key, which signs.

A delegation is signed as the hash of its map. Fields of the map that this version does not know are kept
in ``other_fields`` and hashed, so that the signature can be checked. One of them is ``permissions`` of
Internet Identity: "queries" allows no update calls.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from .. import cbor
from ..cbor import MAX_U64, as_map, as_principal, check_u64, optional_field, u64_field
from ..errors import MessageError
from ..principal import Principal
from ..request_id import request_id

DELEGATION_DOMAIN: Final = b"\x1aic-request-auth-delegation"
MAX_LINKS: Final = 20  # ingress_validation.rs, MAXIMUM_NUMBER_OF_DELEGATIONS
MAX_TARGETS: Final = 1000  # ingress_validation.rs, MAXIMUM_NUMBER_OF_TARGETS_PER_DELEGATION
_KNOWN_FIELDS: Final = frozenset({"pubkey", "expiration", "targets"})


@dataclass(frozen=True, slots=True)
class Delegation:
    """What is signed: the next key (DER), the expiration (ns since the epoch) and the canisters (None: all).

    ``other_fields`` are all further fields of the map, with the types of CBOR.
    """

    pubkey: bytes
    expiration_ns: int
    targets: tuple[Principal, ...] | None = None
    other_fields: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_cbor(self) -> dict[str, Any]:
        """The map that is signed. Raises ValueMismatchError."""
        fields: dict[str, Any] = {"pubkey": self.pubkey, "expiration": check_u64("expiration", self.expiration_ns)}
        if self.targets is not None:
            fields["targets"] = [target.raw for target in self.targets]
        return fields | dict(self.other_fields)

    @property
    def hash(self) -> bytes:
        """The representation-independent hash of the map, 32 bytes. Raises ValueMismatchError."""
        return request_id(self.to_cbor())

    @property
    def signed_bytes(self) -> bytes:
        """What the delegating key signs. Raises ValueMismatchError."""
        return DELEGATION_DOMAIN + self.hash


@dataclass(frozen=True, slots=True)
class SignedDelegation:
    """One link of a chain: a delegation, and its signature by the key before it."""

    delegation: Delegation
    signature: bytes

    def to_cbor(self) -> dict[str, Any]:
        """The link as decoded CBOR. Raises ValueMismatchError."""
        return {"delegation": self.delegation.to_cbor(), "signature": self.signature}

    @classmethod
    def from_cbor(cls, value: object, what: str = "delegation") -> SignedDelegation:
        """Read a link from decoded CBOR. Raises MessageError."""
        outer = as_map(value, what)
        inner = as_map(cbor.field(outer, "delegation", dict, what), what)
        targets = optional_field(inner, "targets", list, what)
        delegation = Delegation(
            cbor.field(inner, "pubkey", bytes, what),
            u64_field(inner, "expiration", what),
            None if targets is None else tuple(as_principal(raw, "a target", what) for raw in targets),
            _other_fields(inner),
        )
        return cls(delegation, cbor.field(outer, "signature", bytes, what))

    def relayed(self) -> SignedDelegation:
        """The link after the gateway 1.4.6 has read and rewritten it: without the fields that it does not know."""
        if not self.delegation.other_fields:
            return self
        return replace(self, delegation=replace(self.delegation, other_fields={}))


@dataclass(frozen=True, slots=True)
class DelegationChain:
    """A root key (DER) and its links, as Internet Identity issues them."""

    root_public_key_der: bytes
    delegations: tuple[SignedDelegation, ...]

    @property
    def principal(self) -> Principal:
        """The sender of every call made with this chain."""
        return Principal.self_authenticating(self.root_public_key_der)

    @property
    def expiration_ns(self) -> int | None:
        """When the first of the links expires, in ns since the epoch; None without links."""
        return min((link.delegation.expiration_ns for link in self.delegations), default=None)

    @property
    def targets(self) -> frozenset[Principal] | None:
        """The canisters that all links allow; None: all canisters."""
        return allowed_targets(self.delegations)

    def to_json(self) -> str:
        """The JSON that ``DelegationChain.toJSON`` of @dfinity/identity writes."""
        links = []
        for link in self.delegations:
            inner: dict[str, Any] = {
                "expiration": f"{link.delegation.expiration_ns:x}",
                "pubkey": link.delegation.pubkey.hex(),
            }
            if link.delegation.targets is not None:
                inner["targets"] = [target.raw.hex().upper() for target in link.delegation.targets]
            links.append({"delegation": inner | dict(link.delegation.other_fields), "signature": link.signature.hex()})
        return json.dumps({"delegations": links, "publicKey": self.root_public_key_der.hex()})

    @classmethod
    def from_json(cls, value: object) -> DelegationChain:
        """Read a chain from the parsed JSON of ``DelegationChain.toJSON``. Raises MessageError."""
        what = "delegation chain"
        fields = as_map(value, what)
        links = cbor.field(fields, "delegations", list, what)
        if len(links) > MAX_LINKS:
            raise MessageError(what, f"has {len(links)} links; a replica accepts at most {MAX_LINKS}")
        return cls(_hex(fields, "publicKey", what), tuple(_link_from_json(link, what) for link in links))


def allowed_targets(delegations: Iterable[SignedDelegation]) -> frozenset[Principal] | None:
    """The canisters that all those links allow; None: no link restricts them."""
    allowed: frozenset[Principal] | None = None
    for link in delegations:
        targets = link.delegation.targets
        if targets is not None:
            allowed = frozenset(targets) if allowed is None else allowed & frozenset(targets)
    return allowed


def _other_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _KNOWN_FIELDS and value is not None}


def _link_from_json(value: object, what: str) -> SignedDelegation:
    outer = as_map(value, what)
    inner = as_map(cbor.field(outer, "delegation", dict, what), what)
    digits = cbor.field(inner, "expiration", str, what)
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
    delegation = Delegation(_hex(inner, "pubkey", what), expiration_ns, principals, _other_fields(inner))
    return SignedDelegation(delegation, _hex(outer, "signature", what))


def _hex(fields: Mapping[str, Any], name: str, what: str) -> bytes:
    return _from_hex(cbor.field(fields, name, str, what), f"field {name!r}", what)


def _from_hex(text: object, name: str, what: str) -> bytes:
    if isinstance(text, str):
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    # The error shows no part of the text, because the text might be a secret.
    raise MessageError(what, f"{name} is not hexadecimal text")
