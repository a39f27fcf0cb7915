"""The client's state machine: ic-websocket-js 0.5.0 without its socket, its clock and its timers.

Frames and instants go in, events come out (client_events), in the order in which things happen.
Every step is a row of ``client_table.TRANSITIONS``. The owner

* hands over each frame with ``receive``, carries out ``SendFrame`` and ``CloseConnection``;
* calls ``tick`` at ``deadline_ns`` (late is allowed: in every call, what was due by then fires first,
  in the order in which it was due);
* says ``connection_lost`` when the socket is gone.

Two things of the SDK do not carry over: it signs asynchronously, so that a keep-alive can overtake
a message (misbehaviours: KEEPALIVE_RACE), and its frames wait in a queue while one is being
verified. Here each call is finished when it returns.

What the rows of the client's table test and do: the session behind the state.

Each guard ``g`` is a method ``if_g``, each action ``a`` a method ``do_a`` (a test compares them with
the table). An action that fails brings about a further happening, through ``fire``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from .. import candid
from ..constants import (
    ACK_INTERVAL_MS,
    LATENCY_BOUND_MS,
    MAINNET_ROOT_KEY,
    MAX_CERTIFICATE_AGE_S,
    NS_PER_MS,
    OPEN_TIMEOUT_MS,
)
from ..envelope import sign_envelope
from ..errors import IcwsError, IdentityError, StateError, ValueMismatchError
from ..keys import Identity
from ..messages import CanisterMessage, ClientKey
from ..principal import Principal
from ..service_messages import CloseReason, KeepAliveMessage, encode_service
from ..steps import Step
from ..transitions import Transition
from ..verify import check_message
from .events import (
    CanisterClosed,
    CloseConnection,
    ConnectionClosed,
    Event,
    Failed,
    HandshakeReceived,
    KeepAliveSent,
    Logged,
    Opened,
    SendFrame,
)
from .table import TRANSITIONS, ClientState, ClientTrigger
from .wire import AckQueue, Happening, Inbox, Outbox, Signer, Verifier

_OPEN_TIMEOUT_TEXT = "Open timeout expired before receiving the open message"


class ClientSession:
    """Numbers, queues and timers of one session. ``is_ending()``: our close is under way, nothing gets out."""

    def __init__(
        self,
        client_key: ClientKey,
        inbox: Inbox,
        outbox: Outbox,
        acks: AckQueue,
        fire: Callable[[Happening], None],
        is_ending: Callable[[], bool],
    ) -> None:
        self.client_key = client_key
        self.inbox = inbox
        self.outbox = outbox
        self.acks = acks
        self.gateway_principal: Principal | None = None
        self.events: list[Event] = []
        self._fire = fire
        self._is_ending = is_ending
        self._open_due_ns: int | None = None

    # -- timers --------------------------------------------------------------------------------

    @property
    def deadlines(self) -> dict[str, int]:
        """Running timers, soonest first, each with the ns at which it expires."""
        timers = {"open": self._open_due_ns, "ack": self.acks.due_ns}
        running = {name: due_ns for name, due_ns in timers.items() if due_ns is not None}
        return dict(sorted(running.items(), key=lambda item: item[1]))

    def expire(self, timer: str, now_ns: int) -> Happening:
        """The named timer has run out; what that means."""
        if timer == "open":
            self._open_due_ns = None
            return Happening(ClientTrigger.OPEN_TIMEOUT, now_ns, text=_OPEN_TIMEOUT_TEXT)
        return _ack_timeout(self.acks.expire(), now_ns)

    def stop_timers(self) -> None:
        self._open_due_ns = None
        self.acks.clear()

    # -- guards --------------------------------------------------------------------------------

    def if_own_client_key(self, it: Happening) -> bool:
        return it.news == Opened(self.client_key)

    def if_ack_of_something_unsent(self, it: Happening) -> bool:
        return self.acks.refusal(it.number) is not None

    def if_closed_by_application(self, it: Happening) -> bool:
        return it.news == CanisterClosed(CloseReason.CLOSED_BY_APPLICATION)

    # -- actions -------------------------------------------------------------------------------

    def do_tell(self, it: Happening) -> None:
        if it.news is not None:
            self.events.append(it.news)

    def do_fail(self, it: Happening) -> None:
        self.events.append(Failed(it.text))

    def do_fail_ack(self, it: Happening) -> None:
        self.events.append(Failed(f"Ack message error: Error: {self.acks.refusal(it.number)}"))

    def do_fail_canister_closed(self, _it: Happening) -> None:
        # The SDK prints the reason as a JavaScript object; CanisterClosed says which it was.
        self.events.append(Failed("Received close message from canister. Reason: [object Object]"))

    def do_log(self, it: Happening) -> None:
        self.events.append(Logged(it.text))

    def do_log_foreign_key(self, _it: Happening) -> None:
        self.events.append(Logged("[onWsMessage] Service message error: Error: Client key does not match"))

    def do_send_ws_open(self, it: Happening) -> None:
        """ws_open, and the open timer once it is out."""
        if not isinstance(it.news, HandshakeReceived):
            return
        self.gateway_principal = it.news.gateway_principal
        try:
            frame = self.outbox.ws_open(self.gateway_principal, it.now_ns)
        except IcwsError as error:
            text = f"[onWsMessage] Handshake message error: Error: {error}"
            self._fire(Happening(ClientTrigger.OPEN_UNSENT, it.now_ns, text=text))
            return
        self._send(frame)
        self._open_due_ns = it.now_ns + OPEN_TIMEOUT_MS * NS_PER_MS

    def do_stop_open_timer(self, _it: Happening) -> None:
        self._open_due_ns = None

    def do_take_ack(self, it: Happening) -> None:
        expired = self.acks.ack(it.number, it.now_ns)
        if expired:
            self._fire(_ack_timeout(expired, it.now_ns))

    def do_send_keep_alive(self, it: Happening) -> None:
        last = self.inbox.last_sequence_num
        if not self._send_message(encode_service(KeepAliveMessage(last)), it.now_ns, is_service_message=True):
            self._fire(Happening(ClientTrigger.KEEP_ALIVE_UNSENT, it.now_ns, text="Keep alive message was not sent"))
        elif not self._is_ending():
            self.events.append(KeepAliveSent(last))

    def do_send_message(self, it: Happening) -> None:
        self._send_message(it.content, it.now_ns, is_service_message=False)

    def do_forget(self, _it: Happening) -> None:
        """The connection is gone. The SDK leaves its open timer running; see keep_processing_after_close."""
        self.acks.clear()

    # ------------------------------------------------------------------------------------------

    def _send_message(self, content: bytes, now_ns: int, *, is_service_message: bool) -> bool:
        message = self.outbox.number(content, now_ns, is_service_message=is_service_message)
        try:
            frame = self.outbox.ws_message(message, now_ns)
        except IcwsError as error:
            text = f"Message sending failed: Error: {error}"
            self._fire(Happening(ClientTrigger.MESSAGE_UNSENT, now_ns, text=text))
            return False
        self._send(frame)
        self.acks.add(message.sequence_num, now_ns)
        return True

    def _send(self, frame: bytes) -> None:
        # A WebSocket that is closing takes what it is given and drops it.
        if not self._is_ending():
            self.events.append(SendFrame(frame))


def _ack_timeout(overdue: tuple[int, ...], now_ns: int) -> Happening:
    numbers = ",".join(map(str, overdue))
    text = f"Ack message timeout. Not received ack for sequence numbers: {numbers}"
    return Happening(ClientTrigger.ACK_TIMEOUT, now_ns, text=text)


_S, _T = ClientState, ClientTrigger
_CLIENT_NONCE_BYTES = 8
# In a replay these still meet the real state; everything else meets the session as it was.
_OF_THE_CONNECTION = frozenset({_T.CLOSE, _T.CONNECTION_LOST, _T.CONNECTION_ERROR, _T.KEEP_ALIVE_UNSENT})


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """What IcWebSocketConfig holds, as far as the protocol needs it.

    ``root_key`` (DER): None until the network's status has answered; meanwhile mainnet's is used, as
    the SDK does. ``ack_interval_ms`` must equal the canister's. ``application_type``: when given,
    application messages are decoded, and one that does not fit ends the session as in the SDK.

    ``keep_processing_after_close``: go on with frames and timers after our own close, as the SDK does
    where the socket still delivers (for replays: nothing is sent any more and no second close is
    made). Its open timeout even outlives the connection.
    """

    canister_id: Principal
    root_key: bytes | None = None
    ack_interval_ms: int = ACK_INTERVAL_MS
    max_certificate_age_s: int = MAX_CERTIFICATE_AGE_S
    application_type: candid.Type | None = None
    keep_processing_after_close: bool = False


class ClientMachine:
    """One session of one client. ``entropy(n)`` gives n random bytes.

    For replays and tests, ``client_nonce`` (u64, else drawn from ``entropy``) and ``verify`` (else
    ``verify.check_message``) can be given; for clients that err, ``sign``, which makes a request's
    envelope. Raises IdentityError for an identity that cannot sign.
    """

    needs_key: ClassVar[bool] = True  # the SDK takes no anonymous identity
    session_class: ClassVar[type[ClientSession]] = ClientSession

    def __init__(
        self,
        config: ClientConfig,
        identity: Identity,
        *,
        entropy: Callable[[int], bytes],
        client_nonce: int | None = None,
        verify: Verifier | None = None,
        sign: Signer = sign_envelope,
    ) -> None:
        if self.needs_key and identity.principal.is_anonymous:
            raise IdentityError("Identity must be a SignIdentity: a canister refuses anonymous clients, use a key")
        if client_nonce is None:
            client_nonce = int.from_bytes(entropy(_CLIENT_NONCE_BYTES), "little")
        self.config = config
        self.client_key = ClientKey(identity.principal, client_nonce)
        self.taken: tuple[Transition[ClientState, ClientTrigger], ...] = ()  # rows taken by the last call
        self._root_key = config.root_key or MAINNET_ROOT_KEY
        self._progress = _S.HANDSHAKE  # how far the session has come, whatever became of the connection
        self._end: ClientState | None = None  # CLOSING or CLOSED
        self._session = self.session_class(
            self.client_key,
            Inbox(verify or self._check, config.application_type),
            Outbox(config.canister_id, self.client_key, identity, entropy, sign),
            AckQueue(config.ack_interval_ms + LATENCY_BOUND_MS),
            fire=self._fire,
            is_ending=lambda: self._end is not None,
        )
        self._rows: list[Transition[ClientState, ClientTrigger]] = []

    # -- what the owner may ask ----------------------------------------------------------------

    @property
    def state(self) -> ClientState:
        return self._end or self._progress

    @property
    def is_open(self) -> bool:
        return self.state is _S.OPEN

    @property
    def gateway_principal(self) -> Principal | None:
        """Who the gateway says it is; None before its handshake."""
        return self._session.gateway_principal

    @property
    def deadlines(self) -> dict[str, int]:
        """Running timers, soonest first: "open" and "ack", each with the ns at which it expires."""
        return self._session.deadlines

    @property
    def deadline_ns(self) -> int | None:
        """The instant of the next ``tick``; None: there is nothing to wait for."""
        return min(self.deadlines.values(), default=None)

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Sequence numbers sent and not yet acknowledged."""
        return self._session.acks.outstanding

    # -- what the owner does -------------------------------------------------------------------

    def set_root_key(self, root_key: bytes) -> None:
        """The network's root key (DER) has become known; it counts from the next frame on."""
        self._root_key = root_key

    def connected(self, now_ns: int) -> list[Event]:
        """The WebSocket is open. The SDK says nothing until the gateway has; its versions before 0.3.0 did."""
        return self._run(now_ns, lambda: self._connected(now_ns))

    def receive(self, data: bytes | str, now_ns: int) -> list[Event]:
        """A frame came in. A text frame (str) is as wrong as bytes that are no CBOR."""
        return self._run(now_ns, lambda: self._receive(data.encode() if isinstance(data, str) else data, now_ns))

    def send(self, content: bytes, now_ns: int) -> list[Event]:
        """Send an application message, encoded as Candid already.

        Raises StateError while the session is not open, ValueMismatchError for anything but bytes.
        Once our close is under way that is so too, where the SDK takes the message and loses it (in a
        replay this does the same, and so when a timer that is due ends the session in this very call).
        """
        if not isinstance(content, bytes):
            raise ValueMismatchError("content", f"takes bytes (encoded Candid), not {type(content).__name__}")
        is_replayed = self.config.keep_processing_after_close and self._end is _S.CLOSING
        if not self.is_open and not (is_replayed and self._progress is _S.OPEN):
            self.taken = ()
            raise StateError("Connection is not established yet")
        return self._run(now_ns, lambda: self._fire(Happening(_T.SEND, now_ns, content=content)))

    def close(self, now_ns: int) -> list[Event]:
        """End the session from this side. A second time changes nothing."""
        return self._run(now_ns, lambda: self._fire(Happening(_T.CLOSE, now_ns)))

    def connection_error(self, description: str, now_ns: int) -> list[Event]:
        """The socket reports an error (in the SDK's text "[object Event]" stands for any description)."""
        it = Happening(_T.CONNECTION_ERROR, now_ns, text=f"WebSocket error: {description}")
        return self._run(now_ns, lambda: self._fire(it))

    def connection_lost(self, code: int, reason: str, now_ns: int) -> list[Event]:
        """The socket is closed, by whomever; 1006 when there was no close frame."""
        it = Happening(_T.CONNECTION_LOST, now_ns, ConnectionClosed(code, reason))
        return self._run(now_ns, lambda: self._fire(it))

    def tick(self, now_ns: int) -> list[Event]:
        """Fire what is due."""
        return self._run(now_ns, lambda: None)

    # -- the driver ----------------------------------------------------------------------------

    def _run(self, now_ns: int, call: Callable[[], object]) -> list[Event]:
        """What was due by ``now_ns`` happens first, each at its own instant; then ``call``."""
        self._session.events, self._rows = [], []
        try:
            while (due_ns := self.deadline_ns) is not None and due_ns <= now_ns:
                self._expire(next(iter(self.deadlines)), due_ns)
            call()
        finally:
            self.taken = tuple(self._rows)
        return self._session.events

    def _expire(self, timer: str, due_ns: int) -> None:
        """A timer of ``deadlines`` has run out."""
        self._fire(self._session.expire(timer, due_ns))

    def _connected(self, now_ns: int) -> None:
        """What is done at once on a new connection."""

    def _fire(self, it: Happening) -> None:
        """Take the table's row for ``it``; where there is none, nothing happens."""
        is_replayed = self.config.keep_processing_after_close and it.trigger not in _OF_THE_CONNECTION
        state = self._progress if is_replayed else self.state
        row = TRANSITIONS.find(state, it.trigger, lambda guard: getattr(self._session, f"if_{guard}")(it))
        if row is None:
            return
        self._rows.append(row)
        was_connected = self._end is None
        self._enter(row.to)
        for action in row.actions:
            getattr(self._session, f"do_{action}")(it)
        if row.close is not None and row.close.code is not None and was_connected:
            self._session.events.append(CloseConnection(row.close.code, row.close.reason))
        if self._end is not None and not self.config.keep_processing_after_close:
            self._session.stop_timers()

    def _enter(self, state: ClientState) -> None:
        if state is _S.CLOSED or (state is _S.CLOSING and self._end is None):
            self._end = state
        elif state is not _S.CLOSING:
            self._progress = state

    def _receive(self, data: bytes, now_ns: int) -> None:
        is_heard = self._end is None or (self._end is _S.CLOSING and self.config.keep_processing_after_close)
        if not is_heard:
            return
        if self._progress is _S.HANDSHAKE:
            self._fire(self._session.inbox.handshake(data, now_ns))
            return
        verified, it = self._session.inbox.message(data, now_ns)
        if verified is not None:
            self._session.events.append(verified)
        self._fire(it)

    def _check(self, frame: CanisterMessage, now_ns: int, expected_sequence_num: int) -> list[Step]:
        return check_message(
            frame,
            canister_id=self.config.canister_id,
            root_key=self._root_key,
            now_ns=now_ns,
            max_age_s=self.config.max_certificate_age_s,
            client_key=self.client_key,
            expected_sequence_num=expected_sequence_num,
        )
