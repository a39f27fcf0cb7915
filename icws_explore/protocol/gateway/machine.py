"""The gateway's machine and its configuration. The package's docstring has the theory of operation."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..constants import POLL_INTERVAL_MS, POLL_TIMEOUT_MS
from ..errors import ArgumentValueError, StateError
from ..messages import CanisterMessage, ClientKey, Handshake
from ..principal import Principal
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
from .requests import Request
from .session import GatewaySession, SessionState, SessionTrigger, SessionTriggerKind
from .table import SESSION_TRANSITIONS


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """``polling_interval_ms`` is the gateway's option of that name. The poll time-out is fixed in its code.

    Raises ArgumentValueError for a negative interval and for a time-out that is not positive.
    """

    polling_interval_ms: int = POLL_INTERVAL_MS
    poll_timeout_ms: int = POLL_TIMEOUT_MS

    def __post_init__(self) -> None:
        if self.polling_interval_ms < 0:
            raise ArgumentValueError("polling_interval_ms must not be negative")
        if self.poll_timeout_ms <= 0:
            raise ArgumentValueError("poll_timeout_ms must be positive")


@dataclass(slots=True)
class _Canister:
    poller: Poller
    clients: dict[ClientKey, SessionId] = field(default_factory=dict)


class GatewayMachine:
    """One gateway. ``principal`` is its own: canisters queue messages for its clients under this principal."""

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
        """For each canister, soonest first: the instant (ns) of its next poll, or of the running poll's time-out."""
        due = {str(canister_id): due_ns for due_ns, canister_id in self._due()}
        return dict(sorted(due.items(), key=lambda item: item[1]))

    @property
    def deadline_ns(self) -> int | None:
        """The instant of the next ``tick``; None if nothing is polled."""
        return min((due_ns for due_ns, _ in self._due()), default=None)

    def polls(self, canister_id: Principal) -> bool:
        """Whether that canister is polled and a client wants its messages."""
        canister = self._canisters.get(canister_id)
        return canister is not None and bool(canister.clients)

    # -- what the owner does -------------------------------------------------------------------

    def session_opened(self, session: SessionId) -> list[GatewayEvent]:
        """A WebSocket connected. Raises StateError if that id is in use."""
        if session in self._sessions:
            raise StateError(f"session {session!r} is open already: give every connection an id of its own")
        self._sessions[session] = GatewaySession(session, self)
        self.events.append(SendToClient(session, Handshake(self.principal).encode()))
        return self._take()

    def frame_received(self, session: SessionId, kind: FrameKind, data: bytes, now_ns: int) -> list[GatewayEvent]:
        """The client sent a WebSocket message; "close" is its close frame. Ignored once the session has ended."""
        self._fire_due(now_ns)
        if kind == "close":
            self._fire(session, SessionTrigger(SessionTriggerKind.CLOSE_FRAME, now_ns))
        elif session in self._sessions:
            self._fire(session, SessionTrigger(SessionTriggerKind.FRAME, now_ns, Request.read(kind, data)))
        return self._take()

    def session_closed(self, session: SessionId, now_ns: int) -> list[GatewayEvent]:
        """The connection broke without a close frame. Ignored once the session has ended."""
        self._fire_due(now_ns)
        self._fire(session, SessionTrigger(SessionTriggerKind.LOST, now_ns))
        return self._take()

    def poll_result(
        self, canister_id: Principal, outcome: PollOutcome, now_ns: int, ticket: int | None = None
    ) -> list[GatewayEvent]:
        """A poll has ended. ``ticket`` is the Poll's; None: the latest. The answer to an abandoned poll is ignored."""
        canister = self._canisters.get(canister_id)
        asked = ticket if ticket is not None or canister is None else canister.poller.ticket
        self._fire_due(now_ns - 1)
        canister = self._canisters.get(canister_id)
        if canister is not None and asked is not None:
            self._follow(canister_id, canister.poller.answered(outcome, asked, now_ns), now_ns)
        return self._take()

    def call_result(self, call: RelayCall | CallClose, error: str | None, now_ns: int) -> list[GatewayEvent]:
        """A relayed call or a ws_close has ended; ``error`` None: without an error.

        The gateway only logs it. No client is told.
        """
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
        """Start the polls that are due, and abandon those that have timed out."""
        self._fire_due(now_ns)
        return self._take()

    def skip_polls(self, canister_id: Principal, polls: int, asked_ns: int, answered_ns: int | None) -> None:
        """Skip polls that brought nothing (see ``Poller.skip``). Raises StateError if the canister is not polled."""
        canister = self._canisters.get(canister_id)
        if canister is None:
            raise StateError(f"canister {canister_id} is not polled")
        canister.poller.skip(polls, asked_ns, answered_ns)

    # -- what sessions ask of the gateway ------------------------------------------------------

    def add_client(self, canister_id: Principal, client_key: ClientKey, session: SessionId, now_ns: int) -> None:
        """Relay that client's messages to ``session``; an earlier session of the same key ends."""
        canister = self._canisters.get(canister_id)
        if canister is None:
            canister = self._new_canister(canister_id)
        previous = canister.clients.get(client_key)
        canister.clients[client_key] = session
        if previous is not None:
            self._fire(previous, SessionTrigger(SessionTriggerKind.POLLER_GONE, now_ns))

    def remove_client(self, canister_id: Principal, client_key: ClientKey) -> None:
        """Stop relaying to that client. The poller notices at its next iteration."""
        canister = self._canisters.get(canister_id)
        if canister is not None:
            canister.clients.pop(client_key, None)

    def start_poller(self, canister_id: Principal, now_ns: int) -> None:
        """Start polling that canister, unless it is polled already."""
        poller = self._canisters[canister_id].poller
        if poller.ticket is None:
            self._log(f"Starting poller for canister: {canister_id}", "info")
            self._follow(canister_id, poller.start(now_ns), now_ns)

    # -- how it runs ---------------------------------------------------------------------------

    def _take(self) -> list[GatewayEvent]:
        events, self.events = self.events, []
        return events

    def _log(self, text: str, level: Level) -> None:
        self.events.append(Log(text, level))

    def _due(self) -> list[tuple[int, Principal]]:
        pollers = ((canister.poller.deadline_ns, canister_id) for canister_id, canister in self._canisters.items())
        return sorted((due_ns, canister_id) for due_ns, canister_id in pollers if due_ns is not None)

    def _fire_due(self, until_ns: int) -> None:
        """Run every poller that is due by ``until_ns``, in the order in which they were due, at ``until_ns``."""
        for due_ns, canister_id in self._due():
            canister = self._canisters.get(canister_id)
            if due_ns <= until_ns and canister is not None:
                self._follow(canister_id, canister.poller.tick(until_ns), until_ns)

    def _fire(self, session_id: SessionId, trigger: SessionTrigger) -> None:
        session = self._sessions.get(session_id)
        if session is None:
            return
        row = SESSION_TRANSITIONS.fire(session, trigger)
        if row is not None and row.close is not None:
            self.events.append(DropClient(session.id, row.close.code))
        if session.state is SessionState.CLOSED:
            self._sessions.pop(session_id, None)

    def _new_canister(self, canister_id: Principal) -> _Canister:
        clients: dict[ClientKey, SessionId] = {}
        poller = Poller(self.config.polling_interval_ms, self.config.poll_timeout_ms, lambda: bool(clients))
        self._canisters[canister_id] = canister = _Canister(poller, clients)
        return canister

    def _follow(self, canister_id: Principal, events: list[PollerEvent], now_ns: int) -> None:
        """Carry out the events of a poller."""
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
                case Dead(text):  # pragma: no branch
                    self._end_sessions(canister_id, text, now_ns)

    def _deliver(self, canister_id: Principal, event: Deliver, now_ns: int) -> None:
        """Relay to the session of the message's client key. Messages for unknown keys are left from an earlier run."""
        message = event.message
        session_id = self._canisters[canister_id].clients.get(message.client_key)
        if session_id is not None:
            frame = CanisterMessage(message.key, message.content, event.cert, event.tree)
            trigger = SessionTrigger(SessionTriggerKind.CANISTER_MESSAGE, now_ns, data=frame.encode())
            self._fire(session_id, trigger)

    def _end_sessions(self, canister_id: Principal, reason: str, now_ns: int) -> None:
        """End all sessions of a canister whose poller has failed."""
        self._log(f"Error polling canister: {reason}", "error")
        canister = self._canisters.pop(canister_id)
        for session_id in canister.clients.values():
            self._fire(session_id, SessionTrigger(SessionTriggerKind.POLLER_GONE, now_ns))
        self._log(f"Poller for canister {canister_id} terminated with error: {reason}", "warn")
