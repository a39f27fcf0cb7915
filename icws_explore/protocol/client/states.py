"""The states of a client's session, and the triggers that move it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .events import ClientEvent


class ClientState(StrEnum):
    """HANDSHAKE: connected, the gateway's handshake has not come yet. OPENING: ws_open is sent.
    OPEN: the OpenMessage has come. CLOSING: the client has asked to close. CLOSED: the connection is gone.
    """

    HANDSHAKE = "handshake"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


ENDED = frozenset((ClientState.CLOSING, ClientState.CLOSED))


class ClientTriggerKind(StrEnum):
    """What can happen to a client. A message's trigger is fired when the message has passed all earlier checks."""

    HANDSHAKE_FRAME = "handshake frame"
    OPEN_MESSAGE = "OpenMessage"
    ACK_MESSAGE = "AckMessage"
    CLOSE_MESSAGE = "CloseMessage"
    APPLICATION_MESSAGE = "application message"
    BAD_SERVICE_MESSAGE = "bad service message"
    BAD_FRAME = "bad frame"
    OPEN_TIMEOUT = "open timeout"
    ACK_TIMEOUT = "ack timeout"
    SEND = "send"
    OPEN_UNSENT = "ws_open cannot be signed"
    MESSAGE_UNSENT = "message cannot be signed"
    KEEP_ALIVE_UNSENT = "keep-alive cannot be signed"
    CLOSE = "close"
    CONNECTION_ERROR = "connection error"
    CONNECTION_LOST = "connection lost"


@dataclass(frozen=True, slots=True)
class ClientTrigger:
    """One thing that happens to a client at ``now_ns`` (ns since the epoch).

    ``event`` is what the machine reports to its owner, ``error`` the SDK's text of an error, ``number`` the
    sequence number of an ack, ``content`` the Candid of a message to send.
    """

    kind: ClientTriggerKind
    now_ns: int
    event: ClientEvent | None = None
    error: str = ""
    number: int = 0
    content: bytes = b""
