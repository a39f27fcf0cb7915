"""Service messages, which CDK and SDK exchange in WebsocketMessage.content.

Source: CDK 0.4.1 types.rs and Types.mo (WebsocketServiceMessageContent), ic-websocket-js 0.5.0
idl.ts. The canister sends open, ack and close. The client answers every ack with a keep-alive.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from .candid import decode, encode
from .interface import SERVICE_MESSAGE
from .messages import ClientKey


class CloseReason(StrEnum):
    """Why the canister closes a session; the values are the names on the wire."""

    WRONG_SEQUENCE_NUMBER = "WrongSequenceNumber"
    INVALID_SERVICE_MESSAGE = "InvalidServiceMessage"
    KEEP_ALIVE_TIMEOUT = "KeepAliveTimeout"
    CLOSED_BY_APPLICATION = "ClosedByApplication"


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """The client's session is open."""

    client_key: ClientKey


@dataclass(frozen=True, slots=True)
class AckMessage:
    """The canister has received the client's messages up to this number."""

    last_incoming_sequence_num: int


@dataclass(frozen=True, slots=True)
class KeepAliveMessage:
    """The client has received the canister's messages up to this number."""

    last_incoming_sequence_num: int


@dataclass(frozen=True, slots=True)
class CloseMessage:
    """The canister has ended the session."""

    reason: CloseReason


ServiceMessage: TypeAlias = OpenMessage | AckMessage | KeepAliveMessage | CloseMessage


def encode_service(message: ServiceMessage, *, inner_first: bool = True) -> bytes:
    """The message as Candid: the bytes of the SDK, or with ``inner_first`` False those of the Rust CDK.

    The two order the type table differently. Both read either order. Raises ValueMismatchError.
    """
    value = {type(message).__name__: _to_candid(message)}
    return encode((SERVICE_MESSAGE,), (value,), inner_first=inner_first)


def decode_service(data: bytes) -> ServiceMessage:
    """The service message in ``data`` (Candid). Raises CandidError."""
    ((name, fields),) = decode(data, (SERVICE_MESSAGE,))[0].items()
    if name == "OpenMessage":
        key = fields["client_key"]
        return OpenMessage(ClientKey(key["client_principal"], key["client_nonce"]))
    if name == "CloseMessage":
        return CloseMessage(CloseReason(next(iter(fields["reason"]))))
    kind = AckMessage if name == "AckMessage" else KeepAliveMessage
    return kind(fields["last_incoming_sequence_num"])


def _to_candid(message: ServiceMessage) -> dict[str, Any]:
    match message:
        case OpenMessage(key):
            return {"client_key": {"client_principal": key.client_principal, "client_nonce": key.client_nonce}}
        case AckMessage(number) | KeepAliveMessage(number):
            return {"last_incoming_sequence_num": number}
        case CloseMessage(reason):  # pragma: no branch
            return {"reason": {str(reason): None}}
