"""The CBOR messages in frames: the gateway's handshake, the canister message, and the message inside it.

Sources: ic-websocket-js 0.5.0 types.ts, CDK 0.4.1 types.rs and Types.mo, gateway 1.4.6
client_session.rs. Fields are encoded in the order of the Rust and Motoko structures. They are decoded
in any order, and unknown fields are ignored, as serde and the SDK do.

Every ``decode`` raises CborError (not CBOR) or MessageError (CBOR of another shape). Every ``encode``
raises ValueMismatchError (a number that does not fit 64 bits, a field of the wrong type).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from .cbor import MAX_U64, Shape, as_map, check, check_u64, dumps, field, loads, principal_field, u64_field
from .constants import GATEWAY_NONCE_DIGITS
from .errors import MessageError, PrincipalError
from .principal import Principal

_CANISTER_MESSAGE = Shape(key=str, content=bytes, cert=bytes, tree=bytes)
_WEBSOCKET_MESSAGE = Shape(client_key=dict, sequence_num=int, timestamp=int, is_service_message=bool, content=bytes)
_KEY = re.compile(rf"([a-z2-7-]+)_([0-9]{{{GATEWAY_NONCE_DIGITS}}})")


@dataclass(frozen=True, slots=True)
class ClientKey:
    """The owner of a session: the client's principal, and a random u64 that the client drew when it opened."""

    client_principal: Principal
    client_nonce: int

    def __str__(self) -> str:
        return f"{self.client_principal}_{self.client_nonce}"

    def to_cbor(self) -> dict[str, Any]:
        return {
            "client_principal": self.client_principal.raw,
            "client_nonce": check_u64("client_nonce", self.client_nonce),
        }

    @classmethod
    def from_cbor(cls, value: object, what: str = "ClientKey") -> ClientKey:
        fields = as_map(value, what)
        return _client_key(principal_field(fields, "client_principal", what), u64_field(fields, "client_nonce", what))


_client_key = lru_cache(maxsize=1024)(ClientKey)  # every message of a session has the same


@dataclass(frozen=True, slots=True)
class WebsocketMessage:
    """One message of a session, in either direction. ``content`` is Candid (see service_messages).

    The canister sends it as CBOR, tagged by the Rust CDK and untagged by the Motoko CDK. The client sends
    it as a Candid record (see `arguments.encode_message_args`). ``timestamp_ns`` is ns since the epoch.
    """

    client_key: ClientKey
    sequence_num: int
    timestamp_ns: int
    is_service_message: bool
    content: bytes

    def encode(self, tagged: bool = True) -> bytes:
        fields = {
            "client_key": self.client_key.to_cbor(),
            "sequence_num": check_u64("sequence_num", self.sequence_num),
            "timestamp": check_u64("timestamp", self.timestamp_ns),
            "is_service_message": check("is_service_message", self.is_service_message, bool),
            "content": check("content", self.content, bytes),
        }
        return dumps(fields, tagged=tagged)

    @classmethod
    def decode(cls, data: bytes) -> WebsocketMessage:
        what = "WebsocketMessage"
        value = loads(data, what=what)
        if (values := _WEBSOCKET_MESSAGE.values(value)) is not None and values[1] >= 0 and values[2] >= 0:
            return cls(ClientKey.from_cbor(values[0], f"{what}.client_key"), *values[1:])
        fields = as_map(value, what)
        return cls(
            ClientKey.from_cbor(field(fields, "client_key", dict, what), f"{what}.client_key"),
            u64_field(fields, "sequence_num", what),
            u64_field(fields, "timestamp", what),
            field(fields, "is_service_message", bool, what),
            field(fields, "content", bytes, what),
        )


@dataclass(frozen=True, slots=True)
class CanisterMessage:
    """A frame from gateway to client: a WebsocketMessage (``content``) and the proof that the canister made it.

    ``cert`` is an IC certificate and ``tree`` a witness. All messages of a poll share them.
    """

    key: str
    content: bytes
    cert: bytes
    tree: bytes

    def encode(self) -> bytes:
        return dumps(
            {
                "key": check("key", self.key, str),
                "content": check("content", self.content, bytes),
                "cert": check("cert", self.cert, bytes),
                "tree": check("tree", self.tree, bytes),
            }
        )

    WHAT: ClassVar = "canister message"

    @classmethod
    def decode(cls, data: bytes) -> CanisterMessage:
        return cls.from_cbor(loads(data, what=cls.WHAT))

    @classmethod
    def from_cbor(cls, value: object) -> CanisterMessage:
        if (values := _CANISTER_MESSAGE.values(value)) is not None:
            return cls(*values)
        what = cls.WHAT
        fields = as_map(value, what)
        return cls(
            field(fields, "key", str, what),
            field(fields, "content", bytes, what),
            field(fields, "cert", bytes, what),
            field(fields, "tree", bytes, what),
        )

    @property
    def message(self) -> WebsocketMessage:
        """The message inside. Raises CborError and MessageError."""
        return WebsocketMessage.decode(self.content)


@dataclass(frozen=True, slots=True)
class Handshake:
    """The first frame of a connection, sent by the gateway: the principal that ws_open must name."""

    gateway_principal: Principal

    def encode(self) -> bytes:
        return dumps({"gateway_principal": self.gateway_principal.raw}, tagged=True)

    @classmethod
    def decode(cls, data: bytes) -> Handshake:
        return cls.from_cbor(loads(data, what="gateway handshake"))

    @classmethod
    def from_cbor(cls, value: object) -> Handshake:
        what = "gateway handshake"
        return cls(principal_field(as_map(value, what), "gateway_principal", what))


def message_key(gateway: Principal, nonce: int) -> str:
    """The label of a message in the witness: ``<gateway>_<nonce>``, with the nonce padded to 20 digits.

    The padding makes labels sort by their numbers. Source: state.rs, format_message_for_gateway_key.
    """
    return f"{gateway}_{check_u64('nonce', nonce):0{GATEWAY_NONCE_DIGITS}d}"


def parse_message_key(key: str) -> tuple[Principal, int]:
    """The gateway and the nonce in a message key. Raises MessageError."""
    shown = key if len(key) <= 100 else key[:97] + "…"
    match = _KEY.fullmatch(key)
    if match is None:
        raise MessageError("message key", f"{shown!r} is not <gateway principal>_<{GATEWAY_NONCE_DIGITS} digits>")
    try:
        gateway = Principal.from_text(match[1])
    except PrincipalError as error:
        raise MessageError("message key", error.reason) from error
    nonce = int(match[2])
    if nonce > MAX_U64:
        raise MessageError("message key", f"nonce {nonce} does not fit 64 bits")
    return gateway, nonce
