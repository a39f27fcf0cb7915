"""What the client's state machine tells its owner, in the order in which it happens.

The owner carries out ``SendFrame`` and ``CloseConnection`` on the socket. The other events are news.
Times are nanoseconds since the epoch, sequence numbers are ints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ..messages import ClientKey, WebsocketMessage
from ..principal import Principal
from ..service_messages import CloseReason
from ..steps import Step

FrameOp: TypeAlias = Literal["binary", "text", "ping"]


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send ``data`` as one frame. The SDK sends binary frames only; other clients also send text (UTF-8) and pings."""

    data: bytes
    op: FrameOp = "binary"


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Close the WebSocket with this code and reason. The code is 1000, 4000 or 4001."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class HandshakeReceived:
    """The gateway's first frame has come."""

    gateway_principal: Principal


@dataclass(frozen=True, slots=True)
class Opened:
    """The canister has confirmed the session (the SDK's onopen)."""

    client_key: ClientKey


@dataclass(frozen=True, slots=True)
class Verified:
    """A canister message was checked step by step; the check may have failed.

    The SDK acts on the steps up to ``body`` and on ``sequence``. It never checks ``client_key``.
    """

    key: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """An application message (the SDK's onmessage).

    ``content`` is its Candid. ``value`` is the decoded content, or None if the configuration names no
    application type. ``latency_ms`` is now minus the canister's timestamp, in whole milliseconds. The
    SDK only prints it: a negative or a long latency is no error.
    """

    content: bytes
    message: WebsocketMessage
    value: Any = None
    latency_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AckReceived:
    """The canister has received all messages up to this sequence number."""

    last_incoming_sequence_num: int


@dataclass(frozen=True, slots=True)
class KeepAliveSent:
    """An ack was answered. Comes after the SendFrame of the answer."""

    last_incoming_sequence_num: int


@dataclass(frozen=True, slots=True)
class CanisterClosed:
    """The canister's CloseMessage has come."""

    reason: CloseReason


@dataclass(frozen=True, slots=True)
class Failed:
    """The SDK's onerror. ``text`` is the message of the Error object that the SDK passes to it."""

    text: str


@dataclass(frozen=True, slots=True)
class Logged:
    """An error that the SDK only prints: a bad handshake or service message reaches no callback."""

    text: str


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """The WebSocket is closed (the SDK's onclose)."""

    code: int
    reason: str


ClientEvent: TypeAlias = (
    SendFrame
    | CloseConnection
    | HandshakeReceived
    | Opened
    | Verified
    | MessageReceived
    | AckReceived
    | KeepAliveSent
    | CanisterClosed
    | Failed
    | Logged
    | ConnectionClosed
)
