"""The events that the gateway's state machine returns, and the outcomes of polls that it takes.

The owner carries out ``SendToClient``, ``DropClient``, ``RelayCall``, ``Poll`` and ``CallClose``. Relayed
calls run side by side, so they may arrive in another order than that of the events, as with the real
gateway. ``PollerEvent``s pass between a canister's poller and the gateway's machine only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..arguments import PollMessage
from ..messages import ClientKey
from ..principal import Principal

SessionId: TypeAlias = int | str
FrameKind: TypeAlias = Literal["binary", "text", "ping", "pong", "close"]
Level: TypeAlias = Literal["trace", "debug", "info", "warn", "error"]


@dataclass(frozen=True, slots=True)
class SendToClient:
    """Send ``data`` to the client as one binary frame."""

    session: SessionId
    data: bytes


@dataclass(frozen=True, slots=True)
class DropClient:
    """End the client's connection.

    ``code`` None: send a close frame without a code (the client sees 1005). ``code`` 1006: end the TCP
    connection without a close frame (the client sees 1006). The real gateway never answers a client's
    close frame, so a session that its client closes with 1000 ends the second way too. If a CallClose
    comes first, the real gateway waits for the end of that call.
    """

    session: SessionId
    code: int | None


@dataclass(frozen=True, slots=True)
class RelayCall:
    """POST ``envelope`` (tagged CBOR) to /api/v3/canister/<canister_id>/call, from a task of its own."""

    session: SessionId
    canister_id: Principal
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Poll:
    """Query ws_get_messages of ``canister_id`` from ``nonce`` on.

    It replaces an earlier Poll of the same canister that is still running: cancel that one. ``ticket``
    counts the polls of one poller. Pass it on with the outcome.
    """

    canister_id: Principal
    nonce: int
    ticket: int = 0


@dataclass(frozen=True, slots=True)
class CallClose:
    """Call ws_close for ``client_key`` with the gateway's own identity."""

    canister_id: Principal
    client_key: ClientKey


@dataclass(frozen=True, slots=True)
class Log:
    """A line of the gateway's log."""

    text: str
    level: Level = "debug"


GatewayEvent: TypeAlias = SendToClient | DropClient | RelayCall | Poll | CallClose | Log


@dataclass(frozen=True, slots=True)
class Replied:
    """Outcome of a poll: the query was replied to; ``arg`` is the reply's Candid."""

    arg: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """Outcome of a poll: the replica rejected the query, with a reject code of the interface specification."""

    reject_code: int
    reject_message: str


@dataclass(frozen=True, slots=True)
class AgentFailed:
    """Outcome of a poll: no answer that an agent could read. ``kind`` names a case of ic-agent's AgentError.

    The usual kinds: TransportError (nothing answers), HttpError (4xx, 5xx), InvalidCborData.
    """

    kind: str
    detail: str


PollOutcome: TypeAlias = Replied | Rejected | AgentFailed


@dataclass(frozen=True, slots=True)
class Ask:
    """From a poller: query from ``nonce`` on."""

    nonce: int
    ticket: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """From a poller: a polled message, with the proof that it shares with all messages of its poll."""

    message: PollMessage
    cert: bytes
    tree: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """From a poller: a line for the log."""

    text: str
    level: Level


@dataclass(frozen=True, slots=True)
class Stopped:
    """From a poller: it has stopped because the last client has left."""


@dataclass(frozen=True, slots=True)
class Dead:
    """From a poller: it has failed; ``text`` says why."""

    text: str


PollerEvent: TypeAlias = Ask | Deliver | Note | Stopped | Dead
