"""One client of the gateway: its states and triggers, and what the rows of its table test and do.

Rows of ``table.SESSION_TRANSITIONS`` name the methods under "guards" and "actions". What concerns the
canister's poller or other clients is asked of the ``Gateway``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from ..messages import ClientKey
from ..principal import Principal
from ..transitions import Transition
from .events import CallClose, GatewayEvent, Level, Log, RelayCall, SendToClient, SessionId
from .requests import OpenRequest, Request


class SessionState(StrEnum):
    """INIT: the handshake is sent. SETUP: ws_open is relayed. OPEN: the first message of the canister is relayed.
    CLOSED: the session has ended.
    """

    INIT = "init"
    SETUP = "setup"
    OPEN = "open"
    CLOSED = "closed"


class SessionTriggerKind(StrEnum):
    """What can happen to a session. FRAME is every WebSocket message except close, pings and pongs included."""

    FRAME = "frame"
    CLOSE_FRAME = "close frame"
    LOST = "connection lost"
    CANISTER_MESSAGE = "canister message"
    POLLER_GONE = "poller gone"


@dataclass(frozen=True, slots=True)
class SessionTrigger:
    """One thing that happens to a session: ``request`` is the client's, ``data`` the canister's message."""

    kind: SessionTriggerKind
    now_ns: int
    request: Request | None = None
    data: bytes = b""


class Gateway(Protocol):
    """What a session needs of the gateway."""

    events: list[GatewayEvent]

    def add_client(self, canister_id: Principal, client_key: ClientKey, session: SessionId, now_ns: int) -> None: ...
    def remove_client(self, canister_id: Principal, client_key: ClientKey) -> None: ...
    def start_poller(self, canister_id: Principal, now_ns: int) -> None: ...


class GatewaySession:
    """``session_id`` is the owner's name for the connection."""

    def __init__(self, session_id: SessionId, gateway: Gateway) -> None:
        self.id = session_id
        self.state = SessionState.INIT
        self.client_key: ClientKey | None = None
        self.canister_id: Principal | None = None
        self._gateway = gateway
        self._fault = ""

    def take(self, row: Transition[SessionState, Any, Any, Any]) -> None:
        """Enter the row's state."""
        self.state = row.to

    # -- guards --------------------------------------------------------------------------------

    def is_ws_open(self, trigger: SessionTrigger) -> bool:
        assert trigger.request is not None
        opening = OpenRequest.read(trigger.request)
        self._fault = opening.fault
        self.client_key, self.canister_id = opening.client_key, opening.canister_id
        return not opening.fault

    def is_call(self, trigger: SessionTrigger) -> bool:
        assert trigger.request is not None
        self._fault = trigger.request.fault or "Gateway can only relay envelopes with content of Call variant"
        return trigger.request.is_call

    # -- actions -------------------------------------------------------------------------------

    def add_client(self, trigger: SessionTrigger) -> None:
        assert self.canister_id is not None
        assert self.client_key is not None
        self._gateway.add_client(self.canister_id, self.client_key, self.id, trigger.now_ns)

    def start_poller(self, trigger: SessionTrigger) -> None:
        assert self.canister_id is not None
        self._gateway.start_poller(self.canister_id, trigger.now_ns)

    def relay_up(self, trigger: SessionTrigger) -> None:
        """Relay to the canister of the first envelope, whatever canister this envelope names."""
        assert trigger.request is not None
        assert trigger.request.envelope is not None
        assert self.canister_id is not None
        envelope = trigger.request.envelope
        self._gateway.events.append(RelayCall(self.id, self.canister_id, envelope.relayed().encode()))

    def relay_down(self, trigger: SessionTrigger) -> None:
        self._gateway.events.append(SendToClient(self.id, trigger.data))

    def remove_client(self, _trigger: SessionTrigger) -> None:
        assert self.canister_id is not None
        assert self.client_key is not None
        self._gateway.remove_client(self.canister_id, self.client_key)

    def call_ws_close(self, _trigger: SessionTrigger) -> None:
        assert self.canister_id is not None
        assert self.client_key is not None
        self._gateway.events.append(CallClose(self.canister_id, self.client_key))

    def log_fault(self, _trigger: SessionTrigger) -> None:
        self._log(f"Error in client session handler: Client session error: {self._fault}", "warn")

    def warn_setup(self, _trigger: SessionTrigger) -> None:
        self._log("Received client message while in Setup state", "warn")

    def warn_poller(self, _trigger: SessionTrigger) -> None:
        self._log("Poller side of the channel has been dropped. Terminating the session.", "warn")

    def panic(self, _trigger: SessionTrigger) -> None:
        self._log("session handler panicked: must be set during Setup", "error")

    def _log(self, text: str, level: Level) -> None:
        self._gateway.events.append(Log(text, level))
