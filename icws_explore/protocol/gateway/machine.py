"""The gateway's state machine: ic-websocket-gateway 1.4.6 without its sockets, its agent and its clock.

Many sessions, many canisters, one poller for each canister that has clients. Frames, outcomes of
calls and instants (ns) go in, ``GatewayEvent``s come out. Sessions follow ``SESSION_TRANSITIONS``,
pollers ``POLLER_TRANSITIONS``.

What belongs to the I/O side: answering pings at the WebSocket level, the order in which relayed calls
arrive (the real gateway relays each from a task of its own), and the bounded channel between poller
and sessions (there a slow client can hold up every other: misbehaviours, SLOW_CLIENT_STALL).

One client of the gateway, and what the rows of its table test and do.

Guard ``g`` is the method ``if_g``, action ``a`` the method ``do_a``; a test compares them with the
table. What reaches beyond the session (the canister's poller and its other clients) is asked of the
``Gateway`` behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ..constants import POLL_INTERVAL_MS, POLL_TIMEOUT_MS
from ..errors import StateError
from ..messages import CanisterMessage, ClientKey, Handshake
from ..principal import Principal
from ..transitions import Transition
from .events import (
    Ask,
    CallClose,
    Dead,
    Deliver,
    DropClient,
    FrameKind,
    GatewayEvent,
    Level,
    Log,
    Note,
    Poll,
    PollerEvent,
    PollOutcome,
    RelayCall,
    SendToClient,
    SessionId,
    Stopped,
)
from .poller import Poller
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


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """``polling_interval_ms`` is the gateway's option of that name; the time-out is fixed in its code."""

    polling_interval_ms: int = POLL_INTERVAL_MS
    poll_timeout_ms: int = POLL_TIMEOUT_MS

    def __post_init__(self) -> None:
        if self.polling_interval_ms < 0 or self.poll_timeout_ms <= 0:
            raise StateError("a polling interval cannot be negative, and a poll needs more than 0 ms")


@dataclass(slots=True)
class _Canister:
    poller: Poller
    clients: dict[ClientKey, SessionId] = field(default_factory=dict)


class GatewayMachine:
    """``principal`` is the gateway's own, under which canisters keep its clients' messages."""

    def __init__(self, principal: Principal, config: GatewayConfig | None = None) -> None:
        self.principal = principal
        self.config = config or GatewayConfig()
        self.events: list[GatewayEvent] = []
        self._sessions: dict[SessionId, GatewaySession] = {}
        self._canisters: dict[Principal, _Canister] = {}

    # -- what the owner may ask ----------------------------------------------------------------

    @property
    def sessions(self) -> dict[SessionId, SessionState]:
        """The state of every session that has not ended."""
        return {session_id: session.state for session_id, session in self._sessions.items()}

    @property
    def clients(self) -> dict[Principal, tuple[ClientKey, ...]]:
        """The canisters that are polled, each with the clients whose messages are relayed."""
        return {canister_id: tuple(canister.clients) for canister_id, canister in self._canisters.items()}

    @property
    def deadlines(self) -> dict[str, int]:
        """By canister, soonest first: the ns of its next poll, or of the time-out of the one under way."""
        due = {str(canister_id): due_ns for due_ns, canister_id in self._due()}
        return dict(sorted(due.items(), key=lambda item: item[1]))

    @property
    def deadline_ns(self) -> int | None:
        """The instant of the next ``tick``; None: there is nothing to wait for."""
        return min((due_ns for due_ns, _ in self._due()), default=None)

    # -- what the owner does -------------------------------------------------------------------

    def session_opened(self, session: SessionId) -> list[GatewayEvent]:
        """A WebSocket connected. Raises StateError when that session is there already."""
        if session in self._sessions:
            raise StateError(f"session {session!r} is open already: give every connection an id of its own")
        self._sessions[session] = GatewaySession(session, self)
        self.events.append(SendToClient(session, Handshake(self.principal).encode()))
        return self._take()

    def frame_received(self, session: SessionId, kind: FrameKind, data: bytes, now_ns: int) -> list[GatewayEvent]:
        """The client sent a WebSocket message; "close" is its close frame. Nothing once the session has ended."""
        self._fire_due(now_ns)
        if kind == "close":
            self._fire(session, SessionHappening(SessionTrigger.CLOSE_FRAME, now_ns))
        elif session in self._sessions:
            self._fire(session, SessionHappening(SessionTrigger.FRAME, now_ns, Request.read(kind, data)))
        return self._take()

    def session_closed(self, session: SessionId, now_ns: int) -> list[GatewayEvent]:
        """The connection broke without a close frame. Nothing once the session has ended."""
        self._fire_due(now_ns)
        self._fire(session, SessionHappening(SessionTrigger.LOST, now_ns))
        return self._take()

    def poll_result(
        self, canister_id: Principal, outcome: PollOutcome, now_ns: int, ticket: int | None = None
    ) -> list[GatewayEvent]:
        """A poll has ended. ``ticket`` is the Poll's; None: the latest. Answers to polls given up count for nothing."""
        canister = self._canisters.get(canister_id)
        asked = ticket if ticket is not None or canister is None else canister.poller.ticket
        self._fire_due(now_ns - 1)
        canister = self._canisters.get(canister_id)
        if canister is not None and asked is not None:
            self._follow(canister_id, canister.poller.answered(outcome, asked, now_ns), now_ns)
        return self._take()

    def call_result(self, call: RelayCall | CallClose, error: str | None, now_ns: int) -> list[GatewayEvent]:
        """A relayed call or a ws_close has ended, ``error`` None: well. It is only logged; no client learns of it."""
        self._fire_due(now_ns)
        match call, error:
            case RelayCall(), None:
                self._log("Relayed client message to canister", "trace")
            case RelayCall(), _:
                self._log(f"Error relaying envelope to canister: {error}", "error")
            case CallClose(), None:
                self._log("Canister closed connection with client", "debug")
            case _:
                self._log(f"Calling ws_close on canister failed: {error}", "warn")
        return self._take()

    def tick(self, now_ns: int) -> list[GatewayEvent]:
        """Poll what is due, give up what took too long."""
        self._fire_due(now_ns)
        return self._take()

    def polls(self, canister_id: Principal) -> bool:
        """Whether that canister is polled and some client wants its messages."""
        canister = self._canisters.get(canister_id)
        return canister is not None and bool(canister.clients)

    def skip_polls(self, canister_id: Principal, polls: int, asked_ns: int, answered_ns: int | None) -> None:
        """Pass over polls that brought nothing (see ``Poller.skip``). Raises StateError for a canister not polled."""
        canister = self._canisters.get(canister_id)
        if canister is None:
            raise StateError(f"canister {canister_id} is not polled")
        canister.poller.skip(polls, asked_ns, answered_ns)

    # -- what sessions ask of the gateway ------------------------------------------------------

    def add_client(self, canister_id: Principal, client_key: ClientKey, session: SessionId, now_ns: int) -> None:
        """Relay that client's messages to ``session``; an earlier session of the same key loses them and ends."""
        canister = self._canisters.get(canister_id)
        if canister is None:
            canister = self._new_canister(canister_id)
        previous = canister.clients.get(client_key)
        canister.clients[client_key] = session
        if previous is not None:
            self._fire(previous, SessionHappening(SessionTrigger.POLLER_GONE, now_ns))

    def remove_client(self, canister_id: Principal, client_key: ClientKey) -> None:
        """Relay nothing more to that client. The poller finds out at its next iteration."""
        canister = self._canisters.get(canister_id)
        if canister is not None:
            canister.clients.pop(client_key, None)

    def start_poller(self, canister_id: Principal, now_ns: int) -> None:
        """Begin to poll, unless that canister is polled already."""
        poller = self._canisters[canister_id].poller
        if poller.ticket is None:
            self._log(f"Starting poller for canister: {canister_id}", "info")
            self._follow(canister_id, poller.start(now_ns), now_ns)

    # ------------------------------------------------------------------------------------------
    def _take(self) -> list[GatewayEvent]:
        events, self.events = self.events, []
        return events

    def _log(self, text: str, level: Level) -> None:
        self.events.append(Log(text, level))

    def _due(self) -> list[tuple[int, Principal]]:
        pollers = ((canister.poller.deadline_ns, canister_id) for canister_id, canister in self._canisters.items())
        return sorted((due_ns, canister_id) for due_ns, canister_id in pollers if due_ns is not None)

    def _fire_due(self, until_ns: int) -> None:
        """Every poller that is due by then, in the order in which they were. What begins, begins now."""
        for due_ns, canister_id in self._due():
            canister = self._canisters.get(canister_id)
            if due_ns <= until_ns and canister is not None:
                self._follow(canister_id, canister.poller.tick(until_ns), until_ns)

    def _fire(self, session_id: SessionId, it: SessionHappening) -> None:
        session = self._sessions.get(session_id)
        if session is None:
            return
        session.fire(it)
        if session.state is SessionState.CLOSED:
            self._sessions.pop(session_id, None)

    def _new_canister(self, canister_id: Principal) -> _Canister:
        clients: dict[ClientKey, SessionId] = {}
        poller = Poller(self.config.polling_interval_ms, self.config.poll_timeout_ms, lambda: bool(clients))
        self._canisters[canister_id] = canister = _Canister(poller, clients)
        return canister

    def _follow(self, canister_id: Principal, events: list[PollerEvent], now_ns: int) -> None:
        """Carry out what a poller says."""
        for event in events:
            match event:
                case Ask(nonce, ticket):
                    self.events.append(Poll(canister_id, nonce, ticket))
                case Deliver():
                    self._deliver(canister_id, event, now_ns)
                case Note(text, level):
                    self._log(text, level)
                case Stopped():
                    del self._canisters[canister_id]
                    self._log(f"Poller for canister {canister_id} terminated", "info")
                case Dead(text):
                    self._bury(canister_id, text, now_ns)

    def _deliver(self, canister_id: Principal, event: Deliver, now_ns: int) -> None:
        """To the session of the message's client key; messages of unknown keys are another gateway life's."""
        message = event.message
        session_id = self._canisters[canister_id].clients.get(message.client_key)
        if session_id is not None:
            frame = CanisterMessage(message.key, message.content, event.cert, event.tree)
            self._fire(session_id, SessionHappening(SessionTrigger.CANISTER_MESSAGE, now_ns, data=frame.encode()))

    def _bury(self, canister_id: Principal, reason: str, now_ns: int) -> None:
        self._log(f"Error polling canister: {reason}", "error")
        canister = self._canisters.pop(canister_id)
        for session_id in canister.clients.values():
            self._fire(session_id, SessionHappening(SessionTrigger.POLLER_GONE, now_ns))
        self._log(f"Poller for canister {canister_id} terminated with error: {reason}", "warn")
