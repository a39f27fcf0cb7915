"""Envelopes: requests with the signatures of their senders; reading them and making them.

Sources: interface specification, "Authentication" and the request types; ic-websocket-js 0.5.0
agent/index.ts (the frame); ic-transport-types 0.39.1 (the order in which the gateway rewrites the fields);
@dfinity/agent 2.4.1 transforms.ts (the expiry).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from ..cbor import as_map, check, check_u64, dumps, field, loads, optional_field
from ..constants import NS_PER_MS, NS_PER_S
from ..errors import MessageError
from ..keys import Identity
from ..keys.delegation import SignedDelegation
from ..principal import MAX_LENGTH, Principal
from ..request_id import request_id

REQUEST_DOMAIN: Final = b"\x0aic-request"

# In serde's order. The gateway and the replica drop all other fields.
CONTENT_FIELDS: Final = (
    "request_type",
    "nonce",
    "ingress_expiry",
    "sender",
    "canister_id",
    "method_name",
    "arg",
    "paths",
)

_TEXT: Final = frozenset({str})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request and its signature.

    ``content`` holds all fields in the order in which they came, unknown ones included, with the types
    of CBOR (principals are bytes). ``sender_pubkey`` is DER; with delegations it is the root key.
    """

    content: dict[str, Any]
    sender_pubkey: bytes | None = None
    sender_sig: bytes | None = None
    sender_delegation: tuple[SignedDelegation, ...] | None = None

    @classmethod
    def decode_frame(cls, data: bytes) -> Envelope:
        """Read a client's frame, ``{"envelope": …}``. Raises CborError and MessageError."""
        what = "client request"
        return cls.from_cbor(field(as_map(loads(data, what=what), what), "envelope", dict, what))

    @classmethod
    def decode(cls, data: bytes) -> Envelope:
        """Read the body of an HTTP request. Raises CborError and MessageError."""
        return cls.from_cbor(loads(data, what="envelope"))

    @classmethod
    def from_cbor(cls, value: object) -> Envelope:
        """Read an envelope from decoded CBOR. Raises MessageError."""
        what = "envelope"
        fields = as_map(value, what)
        content = field(fields, "content", dict, what)
        if not _TEXT.issuperset(map(type, content)):
            raise MessageError(what, "the content has a field name that is not text")
        links = optional_field(fields, "sender_delegation", list, what)
        return cls(
            content,
            optional_field(fields, "sender_pubkey", bytes, what),
            optional_field(fields, "sender_sig", bytes, what),
            None if links is None else tuple(SignedDelegation.from_cbor(link) for link in links),
        )

    def encode_frame(self) -> bytes:
        """The frame that a client sends: tagged, with the fields in the SDK's order. Raises ValueMismatchError."""
        fields: dict[str, Any] = {"content": self.content}
        if self.sender_delegation is not None:
            fields["sender_delegation"] = [link.to_cbor() for link in self.sender_delegation]
        if self.sender_pubkey is not None:
            fields["sender_pubkey"] = self.sender_pubkey
        if self.sender_sig is not None:
            fields["sender_sig"] = self.sender_sig
        return dumps({"envelope": fields}, tagged=True)

    def encode(self) -> bytes:
        """The body of an HTTP request: tagged, with the fields in serde's order. Raises ValueMismatchError."""
        known = {name: self.content[name] for name in CONTENT_FIELDS if name in self.content}
        fields: dict[str, Any] = {"content": known | self.content}
        if self.sender_pubkey is not None:
            fields["sender_pubkey"] = self.sender_pubkey
        if self.sender_sig is not None:
            fields["sender_sig"] = self.sender_sig
        if self.sender_delegation is not None:
            fields["sender_delegation"] = [link.to_cbor() for link in self.sender_delegation]
        return dumps(fields, tagged=True)

    def relayed(self) -> Envelope:
        """The envelope after the gateway has read and rewritten it: only known fields that are not null are left."""
        kept = {name: self.content[name] for name in CONTENT_FIELDS if self.content.get(name) is not None}
        links = self.sender_delegation
        links = None if links is None else tuple(link.relayed() for link in links)
        return Envelope(kept, self.sender_pubkey, self.sender_sig, links)

    @property
    def unknown_fields(self) -> tuple[str, ...]:
        """The names of the fields in the content that the gateway and the replica drop."""
        return tuple(name for name in self.content if name not in CONTENT_FIELDS)

    @property
    def request_id(self) -> bytes:
        """The 32 bytes that identify the request. Raises ValueMismatchError for content that no request can hold."""
        return request_id(self.content)

    @property
    def signed_bytes(self) -> bytes:
        """What ``sender_sig`` signs. Raises ValueMismatchError like ``request_id``."""
        return REQUEST_DOMAIN + self.request_id

    # Fields of the content. Each is None if the field is missing or has another type.

    @property
    def request_type(self) -> str | None:
        return self._get("request_type", str)

    @property
    def canister_id(self) -> Principal | None:
        return self._principal("canister_id")

    @property
    def sender(self) -> Principal | None:
        return self._principal("sender")

    @property
    def method_name(self) -> str | None:
        return self._get("method_name", str)

    @property
    def arg(self) -> bytes | None:
        return self._get("arg", bytes)

    @property
    def ingress_expiry_ns(self) -> int | None:
        return self._get("ingress_expiry", int)

    @property
    def nonce(self) -> bytes | None:
        return self._get("nonce", bytes)

    def _get(self, name: str, kind: type[_T]) -> _T | None:
        value = self.content.get(name)
        return value if type(value) is kind else None

    def _principal(self, name: str) -> Principal | None:
        raw = self._get(name, bytes)
        return None if raw is None or len(raw) > MAX_LENGTH else Principal(raw)


_EXPIRY_DELTA_MS: Final = 300_000  # DEFAULT_INGRESS_EXPIRY_DELTA_IN_MSECS
_EXPIRY_MARGIN_MS: Final = 60_000  # REPLICA_PERMITTED_DRIFT_MILLISECONDS
_MINUTE_NS: Final = 60 * NS_PER_S


def call_content(
    canister_id: Principal,
    method_name: str,
    arg: bytes,
    sender: Principal,
    ingress_expiry_ns: int,
    nonce: bytes | None = None,
) -> dict[str, Any]:
    """The content of an update call. Raises ValueMismatchError."""
    content = {
        "arg": check("arg", arg, bytes),
        "canister_id": canister_id.raw,
        "ingress_expiry": check_u64("ingress_expiry", ingress_expiry_ns),
        "method_name": check("method_name", method_name, str),
        "nonce": None if nonce is None else check("nonce", nonce, bytes),
        "request_type": "call",
        "sender": sender.raw,
    }
    return {name: value for name, value in content.items() if value is not None}


def query_content(
    canister_id: Principal,
    method_name: str,
    arg: bytes,
    sender: Principal,
    ingress_expiry_ns: int,
    nonce: bytes | None = None,
) -> dict[str, Any]:
    """The content of a query call. Raises ValueMismatchError."""
    return call_content(canister_id, method_name, arg, sender, ingress_expiry_ns, nonce) | {"request_type": "query"}


def read_state_content(paths: Sequence[Sequence[bytes]], sender: Principal, ingress_expiry_ns: int) -> dict[str, Any]:
    """The content of a read_state request for ``paths``. Raises ValueMismatchError."""
    return {
        "ingress_expiry": check_u64("ingress_expiry", ingress_expiry_ns),
        "paths": [[check("paths", label, bytes) for label in path] for path in paths],
        "request_type": "read_state",
        "sender": sender.raw,
    }


def sign_envelope(content: Mapping[str, Any], identity: Identity) -> Envelope:
    """Sign a request; the anonymous identity leaves it unsigned. Raises IdentityError and ValueMismatchError."""
    fields = dict(content)
    if identity.principal.is_anonymous:
        return Envelope(fields)
    signature = identity.sign(REQUEST_DOMAIN + request_id(fields))
    return Envelope(fields, identity.public_key_der, signature, identity.delegations or None)


def ingress_expiry_ns(now_ns: int) -> int:
    """The expiry that @dfinity/agent 2.4.1 gives a request made at ``now_ns``: 4 min later, floored to the minute."""
    latest_ms = now_ns // NS_PER_MS + _EXPIRY_DELTA_MS - _EXPIRY_MARGIN_MS
    return latest_ms * NS_PER_MS // _MINUTE_NS * _MINUTE_NS
