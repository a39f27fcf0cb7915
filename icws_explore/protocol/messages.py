"""The CBOR shapes that travel in frames: the handshake, the canister message and what is inside it.

Sources: ic-websocket-js 0.5.0 types.ts, CDK 0.4.1 types.rs and Types.mo, gateway 1.4.6
client_session.rs. Field order on the way out is that of the Rust and Motoko structures; on the way
in any order goes, and unknown fields are passed over, because serde and the SDK do both.

Every ``decode`` raises CborError (not CBOR) or MessageError (CBOR of another shape); every
``encode`` raises ValueMismatchError (a number that no u64 holds, a field of the wrong type).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from .cbor import dumps, loads
from .constants import GATEWAY_NONCE_DIGITS
from .errors import MessageError, PrincipalError, ValueMismatchError
from .principal import Principal

MAX_U64: Final = 2**64 - 1

_KEY = re.compile(rf"([a-z2-7-]+)_([0-9]{{{GATEWAY_NONCE_DIGITS}}})")
_NAMES: Final[dict[type, str]] = {
    bytes: "a byte string",
    str: "text",
    int: "an integer",
    bool: "a bool",
    dict: "a map",
    list: "an array",
    type(None): "null",
}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ClientKey:
    """Who a session belongs to: the client's principal and the u64 it drew at random when it opened."""

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
        fields = _map(value, what)
        return cls(_principal(fields, "client_principal", what), _u64(fields, "client_nonce", what))


@dataclass(frozen=True, slots=True)
class WebsocketMessage:
    """One message of a session, in either direction; ``content`` is Candid (see service_messages).

    From the canister it is CBOR (tagged by the Rust CDK, untagged by the Motoko CDK); from the
    client it is the Candid record of arguments.encode_message_args.
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
            "is_service_message": _check("is_service_message", self.is_service_message, bool),
            "content": _check("content", self.content, bytes),
        }
        return dumps(fields, tagged=tagged)

    @classmethod
    def decode(cls, data: bytes) -> WebsocketMessage:
        what = "WebsocketMessage"
        fields = _map(loads(data, what=what), what)
        return cls(
            ClientKey.from_cbor(_field(fields, "client_key", dict, what), f"{what}.client_key"),
            _u64(fields, "sequence_num", what),
            _u64(fields, "timestamp", what),
            _field(fields, "is_service_message", bool, what),
            _field(fields, "content", bytes, what),
        )


@dataclass(frozen=True, slots=True)
class CanisterMessage:
    """Frame from gateway to client: a WebsocketMessage (``content``) and the proof that the canister made it.

    ``cert`` is an IC certificate and ``tree`` a witness; one pair covers every message of a poll.
    """

    key: str
    content: bytes
    cert: bytes
    tree: bytes

    def encode(self) -> bytes:
        return dumps(
            {
                "key": _check("key", self.key, str),
                "content": _check("content", self.content, bytes),
                "cert": _check("cert", self.cert, bytes),
                "tree": _check("tree", self.tree, bytes),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> CanisterMessage:
        what = "canister message"
        fields = _map(loads(data, what=what), what)
        return cls(
            _field(fields, "key", str, what),
            _field(fields, "content", bytes, what),
            _field(fields, "cert", bytes, what),
            _field(fields, "tree", bytes, what),
        )

    @property
    def message(self) -> WebsocketMessage:
        """The message inside. Raises CborError and MessageError."""
        return WebsocketMessage.decode(self.content)


@dataclass(frozen=True, slots=True)
class Handshake:
    """First frame of a connection, sent by the gateway unasked: the principal that ws_open has to echo."""

    gateway_principal: Principal

    def encode(self) -> bytes:
        return dumps({"gateway_principal": self.gateway_principal.raw}, tagged=True)

    @classmethod
    def decode(cls, data: bytes) -> Handshake:
        what = "gateway handshake"
        return cls(_principal(_map(loads(data, what=what), what), "gateway_principal", what))


def message_key(gateway: Principal, nonce: int) -> str:
    """The label of a message in the witness: ``<gateway>_<nonce>``, the nonce padded to 20 digits.

    The padding makes the order of the labels that of the numbers (state.rs,
    format_message_for_gateway_key).
    """
    return f"{gateway}_{check_u64('nonce', nonce):0{GATEWAY_NONCE_DIGITS}d}"


def parse_message_key(key: str) -> tuple[Principal, int]:
    """The gateway and the nonce that a key names. Raises MessageError."""
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


def check_u64(name: str, value: int) -> int:
    """``value``, if a u64 holds it. Raises ValueMismatchError."""
    if type(value) is not int or not 0 <= value <= MAX_U64:
        raise ValueMismatchError(name, f"{_shown(value)} is not a 64-bit unsigned integer")
    return value


def _check(name: str, value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise ValueMismatchError(name, f"takes {_NAMES[kind]}, not {type(value).__name__}")
    return value


def _map(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise MessageError(what, f"is {_kind(value)} where a map belongs")
    return value


def _field(fields: Mapping[str, Any], name: str, kind: type[_T], what: str) -> _T:
    if name not in fields:
        raise MessageError(what, f"field {name!r} is missing")
    value = fields[name]
    # Exactly this type: a bool is an int to isinstance, and never one on the wire.
    if type(value) is not kind:
        raise MessageError(what, f"field {name!r} is {_kind(value)} where {_NAMES[kind]} belongs")
    return value


def _u64(fields: Mapping[str, Any], name: str, what: str) -> int:
    value = _field(fields, name, int, what)
    if not 0 <= value <= MAX_U64:
        raise MessageError(what, f"field {name!r} is {_shown(value)}, not a 64-bit unsigned integer")
    return value


def _principal(fields: Mapping[str, Any], name: str, what: str) -> Principal:
    raw = _field(fields, name, bytes, what)
    try:
        return Principal(raw)
    except PrincipalError as error:
        raise MessageError(what, f"field {name!r}: {error.reason}") from error


def _kind(value: object) -> str:
    return _NAMES.get(type(value), type(value).__name__)


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 100:  # Python refuses to print the very long ones
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"
