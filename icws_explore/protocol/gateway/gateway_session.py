"""One client of the gateway, and what the rows of its table test and do.

Guard ``g`` is the method ``if_g``, action ``a`` the method ``do_a``; a test compares them with the
table. What reaches beyond the session (the canister's poller and its other clients) is asked of the
``Gateway`` behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..messages import ClientKey
from ..principal import Principal
from ..transitions import Transition
from .events import CallClose, DropClient, GatewayEvent, Level, Log, RelayCall, SendToClient, SessionId
from .requests import OpenRequest, Request
from .table import SESSION_TRANSITIONS, SessionState, SessionTrigger


@dataclass(frozen=True, slots=True)
class SessionHappening:
    """Something that may move a session: the client's ``request`` or the canister's ``data``."""

    trigger: SessionTrigger
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
    """``id`` is the owner's name for the connection."""

    def __init__(self, session_id: SessionId, gateway: Gateway) -> None:
        self.id = session_id
        self.state = SessionState.INIT
        self.client_key: ClientKey | None = None
        self.canister_id: Principal | None = None
        self._gateway = gateway
        self._fault = ""

    def fire(self, it: SessionHappening) -> Transition[SessionState, SessionTrigger] | None:
        """Take the table's row for ``it`` and return it; None: it means nothing in this state."""
        row = SESSION_TRANSITIONS.find(self.state, it.trigger, lambda guard: getattr(self, f"if_{guard}")(it))
        if row is None:
            return None
        self.state = row.to
        for action in row.actions:
            getattr(self, f"do_{action}")(it)
        if row.close is not None:
            self._gateway.events.append(DropClient(self.id, row.close.code))
        return row

    def if_is_ws_open(self, it: SessionHappening) -> bool:
        if it.request is None:
            return False
        opening = OpenRequest.read(it.request)
        self._fault = opening.fault
        self.client_key, self.canister_id = opening.client_key, opening.canister_id
        return not opening.fault

    def if_is_call(self, it: SessionHappening) -> bool:
        if it.request is None:
            return False
        self._fault = it.request.fault or "Gateway can only relay envelopes with content of Call variant"
        return it.request.is_call

    def do_add_client(self, it: SessionHappening) -> None:
        if self.canister_id is not None and self.client_key is not None:
            self._gateway.add_client(self.canister_id, self.client_key, self.id, it.now_ns)

    def do_start_poller(self, it: SessionHappening) -> None:
        if self.canister_id is not None:
            self._gateway.start_poller(self.canister_id, it.now_ns)

    def do_relay_up(self, it: SessionHappening) -> None:
        """To the canister of the first envelope, whatever this one says."""
        envelope = None if it.request is None else it.request.envelope
        if self.canister_id is not None and envelope is not None:
            self._gateway.events.append(RelayCall(self.id, self.canister_id, envelope.relayed().encode()))

    def do_relay_down(self, it: SessionHappening) -> None:
        self._gateway.events.append(SendToClient(self.id, it.data))

    def do_remove_client(self, _it: SessionHappening) -> None:
        if self.canister_id is not None and self.client_key is not None:
            self._gateway.remove_client(self.canister_id, self.client_key)

    def do_call_ws_close(self, _it: SessionHappening) -> None:
        if self.canister_id is not None and self.client_key is not None:
            self._gateway.events.append(CallClose(self.canister_id, self.client_key))

    def do_log_fault(self, _it: SessionHappening) -> None:
        self._log(f"Error in client session handler: Client session error: {self._fault}", "warn")

    def do_warn_setup(self, _it: SessionHappening) -> None:
        self._log("Received client message while in Setup state", "warn")

    def do_warn_poller(self, _it: SessionHappening) -> None:
        self._log("Poller side of the channel has been dropped. Terminating the session.", "warn")

    def do_panic(self, _it: SessionHappening) -> None:
        self._log("session handler panicked: must be set during Setup", "error")

    def _log(self, text: str, level: Level) -> None:
        self._gateway.events.append(Log(text, level))
