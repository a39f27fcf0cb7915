"""What the gateway's state machine asks for and reports, and what it is answered.

The I/O side carries out ``SendToClient``, ``DropClient``, ``RelayCall``, ``Poll`` and ``CallClose``.
Relays run side by side, so their order on arrival is not that of the events, as in the real gateway.

What a canister's poller tells the gateway, in order of happening.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..arguments import PollMessage
from ..messages import ClientKey
from ..principal import Principal


@dataclass(frozen=True, slots=True)
class Ask:
    """Query from ``nonce`` on."""

    nonce: int
    ticket: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """A polled message, with the proof it shares with its batch."""

    message: PollMessage
    cert: bytes
    tree: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the log."""

    text: str
    level: Level


@dataclass(frozen=True, slots=True)
class Stopped:
    """The last client had left."""


@dataclass(frozen=True, slots=True)
class Dead:
    """The poller has failed; ``text`` is why."""

    text: str


PollerEvent: TypeAlias = Ask | Deliver | Note | Stopped | Dead


SessionId: TypeAlias = int | str
FrameKind: TypeAlias = Literal["binary", "text", "ping", "pong", "close"]
Level: TypeAlias = Literal["trace", "debug", "info", "warn", "error"]

NO_CLOSE_FRAME = 1006


@dataclass(frozen=True, slots=True)
class SendToClient:
    """Send ``data`` to the client as one binary frame."""

    session: SessionId
    data: bytes


@dataclass(frozen=True, slots=True)
class DropClient:
    """End the client's connection.

    ``code`` None: with a close frame that has no code (the client sees 1005). ``code`` 1006: without
    a close frame, the TCP connection just ends (the client sees 1006). So ends every session that was
    set up, the one that its client closes with 1000 included: the real gateway never answers a close
    frame. Behind a CallClose the real one waits for that call's end first.
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

    It replaces an earlier Poll of the same canister that is still running (cancel that one).
    ``ticket`` counts the polls of one poller; give it back with the result.
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
    """Outcome of a poll: the query replied; ``arg`` is its Candid."""

    arg: bytes


@dataclass(frozen=True, slots=True)
class Rejected:
    """Outcome of a poll: the replica rejected the query, reject codes as in the interface specification."""

    reject_code: int
    reject_message: str


@dataclass(frozen=True, slots=True)
class AgentFailed:
    """Outcome of a poll: no answer that an agent could read. ``kind`` names a case of ic-agent's AgentError.

    The usual ones: TransportError (nobody there), HttpError (4xx, 5xx), InvalidCborData.
    """

    kind: str
    detail: str


PollOutcome: TypeAlias = Replied | Rejected | AgentFailed
