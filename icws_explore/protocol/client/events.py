"""What the client's state machine tells its owner, in order of happening.

``SendFrame`` and ``CloseConnection`` are to be carried out on the socket; the others are news.
Times are nanoseconds since the epoch, sequence numbers are plain ints.
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
    """Send ``data`` as one frame. The SDK's are binary; other clients also send text (UTF-8) and pings."""

    data: bytes
    op: FrameOp = "binary"


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Close the WebSocket with this code and reason (no code other than 1000, 4000 and 4001 occurs)."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class HandshakeReceived:
    """The gateway's first frame."""

    gateway_principal: Principal


@dataclass(frozen=True, slots=True)
class Opened:
    """The canister confirmed the session: the SDK's onopen."""

    client_key: ClientKey


@dataclass(frozen=True, slots=True)
class Verified:
    """A canister message was checked, step by step; also when the check failed.

    The SDK judges the steps up to ``body``, then ``sequence``; it never looks at ``client_key``.
    """

    key: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """An application message: the SDK's onmessage.

    ``content`` is its Candid; ``value`` is that decoded, or None where the configuration names no
    application type. ``latency_ms`` is now minus the canister's timestamp in whole milliseconds;
    the SDK only prints it, a negative or a long one is no error.
    """

    content: bytes
    message: WebsocketMessage
    value: Any = None
    latency_ms: int | None = None


@dataclass(frozen=True, slots=True)
class AckReceived:
    """The canister has seen everything up to this sequence number."""

    last_incoming_sequence_num: int


@dataclass(frozen=True, slots=True)
class KeepAliveSent:
    """The answer to an ack; comes after its SendFrame."""

    last_incoming_sequence_num: int


@dataclass(frozen=True, slots=True)
class CanisterClosed:
    """The canister's CloseMessage."""

    reason: CloseReason


@dataclass(frozen=True, slots=True)
class Failed:
    """The SDK's onerror: ``text`` is the message of the error it hands over."""

    text: str


@dataclass(frozen=True, slots=True)
class Logged:
    """The SDK only prints this: failures of a handshake or a service message reach no callback."""

    text: str


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """The WebSocket is gone: the SDK's onclose."""

    code: int
    reason: str


Event: TypeAlias = (
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
