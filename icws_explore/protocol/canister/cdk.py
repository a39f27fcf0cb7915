"""The CDK 0.4.1 of a WebSocket canister, for Rust or for Motoko.

`WebSocketCdk` has the four entry points and the CDK's functions for applications. Source: lib.rs and
lib.mo. Each entry point takes the Candid of the argument and returns the Candid of the reply. A wrong
argument traps, as in the generated code of both languages.

`Sessions` is what entry points and timers share: sending, removing, calling handlers. The Motoko CDK
awaits every call of a handler, and an await is a commit point: what was done before it stays, even if
the handler traps. In the Rust CDK a trap undoes the whole call.

`Timers` are the two timers of a CDK: one sends acks at every interval, the other checks keep-alives after
each. Source: timers.rs and Timers.mo. Both are global to the canister, so a client gets its first ack 0 to 1
interval after it opened. From its first ack on a client is checked every time. It is removed if its last
keep-alive message (or its opening) is older than the timeout.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..arguments import (
    PollMessage,
    PollResult,
    decode_close_args,
    decode_message_args,
    decode_open_args,
    decode_poll_args,
    encode_poll_result,
    encode_result,
)
from ..candid import decode_typed
from ..constants import FIRST_GATEWAY_NONCE, NS_PER_MS
from ..errors import DecodeError
from ..hashtree import encode as encode_tree
from ..messages import ClientKey, WebsocketMessage
from ..principal import Principal
from ..service_messages import (
    AckMessage,
    CloseMessage,
    CloseReason,
    KeepAliveMessage,
    OpenMessage,
    ServiceMessage,
    decode_service,
    encode_service,
)
from . import error_texts as texts
from .config import CdkConfig, Handlers
from .error_texts import candid_error
from .state import CdkState, Client
from .system_api import SystemApi, Trap

PRINT_PREFIX = "[IC-WEBSOCKET-CDK]: "


class Sessions:
    """The clients' sessions of one canister: the parts of state.rs and State.mo that need the replica."""

    def __init__(self, system: SystemApi, config: CdkConfig, handlers: Handlers) -> None:
        self.system = system
        self.config = config
        self.handlers = handlers
        self.state = CdkState(config)

    @property
    def is_motoko(self) -> bool:
        return self.config.flavour == "motoko"

    def awaits(self) -> None:
        """The Motoko CDK has an await here."""
        if self.is_motoko:
            self.system.commit()

    def open(self, key: ClientKey, gateway: Principal) -> Client:
        """Register a client, and its gateway if that is new. Source: state.rs, add_client."""
        self.state.gateways.client_came(gateway)
        return self.state.clients.add(key, gateway, self.system.time_ns())

    def send(self, client: Client, content: bytes, *, is_service_message: bool = False) -> None:
        self.state.enqueue(client, content, is_service_message=is_service_message, now_ns=self.system.time_ns())
        self._certify()

    def send_service(self, client: Client, message: ServiceMessage) -> None:
        self.send(client, encode_service(message, inner_first=self.is_motoko), is_service_message=True)

    def remove(self, client: Client, reason: CloseReason | None) -> None:
        """Remove a client and call on_close. With a ``reason`` it is sent a CloseMessage first."""
        if reason is not None:
            self.send_service(client, CloseMessage(reason))
        self.state.clients.remove(client.key)
        self.state.gateways.client_left(client.gateway, self.system.time_ns())
        self.call(self.handlers.on_close, client.key.client_principal)

    def remove_expired_gateways(self) -> None:
        keys = self.state.gateways.remove_expired(self.system.time_ns(), self.config.send_ack_interval_ms * NS_PER_MS)
        if keys is not None:
            self.state.delete(keys)
            self._certify()

    def call(self, handler: Callable[..., None] | None, *args: object) -> None:
        """Call a handler of the application. Raises the handler's Trap."""
        self.awaits()
        if handler is not None:
            handler(*args)

    def print(self, text: str) -> None:
        self.system.print(PRINT_PREFIX + text)

    def _certify(self) -> None:
        self.system.set_certified_data(self.state.certified.root_hash)


class Timers:
    """The timers' ids are part of the sessions' state, so that rolling back also undoes a start."""

    def __init__(self, sessions: Sessions, ack_number: Callable[[Client], int]) -> None:
        self._sessions = sessions
        self._ack_number = ack_number
        self._system = sessions.system

    def start(self) -> None:
        """Send acks from now on, the first one interval later. Running timers are replaced."""
        self.cancel()
        interval_ns = self._sessions.config.send_ack_interval_ms * NS_PER_MS
        self._sessions.state.ack_timer = self._system.set_timer_interval(interval_ns, self._acks_are_due)

    def cancel(self) -> None:
        state = self._sessions.state
        for timer in (state.ack_timer, state.keep_alive_timer):
            if timer is not None:
                self._system.clear_timer(timer)
        state.ack_timer = state.keep_alive_timer = None

    def _acks_are_due(self) -> None:
        state = self._sessions.state
        for client in state.clients.in_ack_order():
            self._sessions.send_service(client, AckMessage(self._ack_number(client)))
            state.clients.acked(client.key)
        self._sessions.print("[ack-to-clients-timer-cb]: Sent ack messages to all clients")

        timeout_ns = self._sessions.config.keep_alive_timeout_ms * NS_PER_MS
        state.keep_alive_timer = self._system.set_timer(timeout_ns, self._keep_alives_are_due)

    def _keep_alives_are_due(self) -> None:
        sessions = self._sessions
        timeout_ms = sessions.config.keep_alive_timeout_ms
        sessions.awaits()
        sessions.remove_expired_gateways()
        for client in sessions.state.clients.waiting():
            # The on_close of an earlier client may have closed this client, or let it open again.
            current = sessions.state.clients.get(client.key)
            late = client if current is None and not sessions.is_motoko else current
            if late is None or self._system.time_ns() - late.last_keep_alive_ns <= timeout_ms * NS_PER_MS:
                continue
            sessions.awaits()
            if current is not None:  # the Rust CDK prints the line also for a client that has left meanwhile
                sessions.remove(current, CloseReason.KEEP_ALIVE_TIMEOUT)
            shown = f"{timeout_ms:_} ms" if sessions.is_motoko else f"{timeout_ms}ms"
            sessions.print(
                f"[check-keep-alive-timer-cb]: Client {client.key} has not sent a keep alive message "
                f"in the last {shown} and has been removed"
            )
        sessions.print("[check-keep-alive-timer-cb]: Checked keep alive messages for all clients")


_T = TypeVar("_T")


class WebSocketCdk:
    """The CDK in one canister. Call init() once before everything else, and again after an upgrade.

    Every method may raise Trap. The host of the canister then rolls back.
    """

    def __init__(self, system: SystemApi, handlers: Handlers | None = None, config: CdkConfig | None = None) -> None:
        config = config or CdkConfig()
        handlers = handlers or Handlers()
        self._config = config
        if config.forget_init and config.flavour == "rust":
            # In Rust, init passes handlers and parameters to the CDK. In Motoko, the constructors do.
            config, handlers = CdkConfig(forget_init=True), Handlers()
        self._sessions = Sessions(system, config, handlers)
        self._timers = Timers(self._sessions, self.ack_number)

    def init(self) -> None:
        """Check the parameters and restart the timers. With ``forget_init`` it does nothing."""
        config = self._config
        if config.forget_init:
            return
        if config.enforce_minimum and config.send_ack_interval_ms <= config.keep_alive_timeout_ms:
            raise Trap(texts.INTERVAL_TOO_SHORT)
        self._timers.start()

    def ws_open(self, arg: bytes) -> bytes:
        """Open a session for the caller; an update."""
        args = _argument(decode_open_args, arg)
        if args.gateway_principal is None:
            raise Trap("failed to decode call arguments: field gateway_principal is missing")
        self._sessions.awaits()
        key = ClientKey(self._sessions.system.caller(), args.client_nonce)
        return encode_result(self._open(key, args.gateway_principal))

    def ws_close(self, arg: bytes) -> bytes:
        """End a client's session, called by its gateway; an update."""
        key = _argument(decode_close_args, arg)
        self._sessions.awaits()
        return encode_result(self._close_by_gateway(key, self._sessions.system.caller()))

    def ws_message(self, arg: bytes) -> bytes:
        """Receive a message of the caller; an update."""
        message = _argument(decode_message_args, arg)
        self._sessions.awaits()
        return encode_result(self._receive(message, self._sessions.system.caller()))

    def ws_get_messages(self, arg: bytes) -> bytes:
        """Return up to ``max_messages`` of the calling gateway's queue, with one witness for all; a query."""
        nonce = _argument(decode_poll_args, arg)
        gateway = self._sessions.state.gateways.get(self._sessions.system.caller())
        if gateway is None:
            return self._polled(PollResult((), b"", b"", True))
        messages, is_end_of_queue = gateway.poll(nonce, self._sessions.config.max_messages)
        if not messages:
            return self._polled(PollResult((), b"", b"", True))
        certificate = self._sessions.system.data_certificate()
        if certificate is None:
            raise Trap("no data certificate: ws_get_messages was not called as a query")
        witness = self._sessions.state.certified.witness([message.key.encode() for message in messages])
        return self._polled(PollResult(tuple(messages), certificate, encode_tree(witness), is_end_of_queue))

    def send(self, client: Principal, content: bytes) -> str | None:
        """Queue an application message (Candid). Returns None, or the text of the Err."""
        self._sessions.awaits()
        registered = self._sessions.state.clients.of(client)
        if registered is None:
            return texts.principal_not_connected(client)
        self._sessions.send(registered, content)
        self._sessions.awaits()
        return None

    def close(self, client: Principal) -> str | None:
        """Send CloseMessage ClosedByApplication, remove the client, call on_close. Returns None, or the Err's text."""
        self._sessions.awaits()
        registered = self._sessions.state.clients.of(client)
        if registered is None:
            return texts.principal_not_connected(client)
        self._sessions.remove(registered, CloseReason.CLOSED_BY_APPLICATION)
        self._sessions.awaits()
        return None

    def messages_from(self, gateway: Principal, nonce: int) -> list[PollMessage]:
        """The messages queued for a gateway from ``nonce`` on, as its next polls would return them."""
        registered = self._sessions.state.gateways.get(gateway)
        return [] if registered is None else registered.poll(nonce, len(registered.queue))[0]

    def next_nonce(self, gateway: Principal) -> int:
        """The nonce of the next message for a gateway."""
        registered = self._sessions.state.gateways.get(gateway)
        return FIRST_GATEWAY_NONCE if registered is None else registered.next_nonce

    def has_news(self, gateway: Principal, nonce: int) -> bool:
        """Whether a poll from ``nonce`` on would return messages; for simulators that skip idle polls."""
        return self.next_nonce(gateway) > nonce

    def ack_number(self, client: Client) -> int:
        """The number in the next AckMessage to a client: the sequence number of its last message."""
        return client.expected_sequence_num - 1

    @property
    def clients(self) -> tuple[Principal, ...]:
        """The clients with an open session, in the order in which they opened."""
        return tuple(client.key.client_principal for client in self._sessions.state.clients)

    def snapshot(self) -> CdkState:
        return self._sessions.state.copy()

    def restore(self, state: CdkState) -> None:
        self._sessions.state = state.copy()

    def _polled(self, result: PollResult) -> bytes:
        return encode_poll_result(result, inner_first=self._sessions.is_motoko)

    def _open(self, key: ClientKey, gateway: Principal) -> str | None:
        sessions = self._sessions
        if key.client_principal.is_anonymous:
            return texts.ANONYMOUS_NOT_ALLOWED
        old = sessions.state.clients.of(key.client_principal)
        if old is not None and old.key == key:
            return texts.already_connected(key)
        if old is not None:
            sessions.remove(old, None)
        client = sessions.open(key, gateway)
        sessions.send_service(client, OpenMessage(key))
        sessions.call(sessions.handlers.on_open, key.client_principal)
        return None

    def _close_by_gateway(self, key: ClientKey, gateway: Principal) -> str | None:
        state = self._sessions.state
        if state.gateways.get(gateway) is None:
            return texts.gateway_not_registered(gateway)
        client = state.clients.get(key)
        if client is None:
            return texts.key_not_connected(key)
        if client.gateway != gateway:
            return texts.not_registered_to_gateway(key, gateway)
        self._sessions.remove(client, None)
        return None

    def _receive(self, message: WebsocketMessage, caller: Principal) -> str | None:
        sessions = self._sessions
        client = sessions.state.clients.of(caller)
        if client is None:
            return texts.principal_not_connected(caller)
        if message.client_key != client.key:
            return texts.key_mismatch(message.client_key)
        expected = client.expected_sequence_num
        if message.sequence_num != expected:
            sessions.remove(client, CloseReason.WRONG_SEQUENCE_NUMBER)
            return texts.wrong_sequence_num(expected, message.sequence_num)
        client = sessions.state.clients.change(client, expected_sequence_num=expected + 1)
        if message.is_service_message:
            return self._receive_service(client, message.content)
        sessions.call(sessions.handlers.on_message, caller, message.content)
        return None

    def _receive_service(self, client: Client, content: bytes) -> str | None:
        sessions = self._sessions
        sessions.awaits()
        try:
            message = decode_service(content)
        except DecodeError:
            return texts.undecodable_service_message(self._reason(content))
        if not isinstance(message, KeepAliveMessage):
            return texts.INVALID_SERVICE_MESSAGE
        sessions.state.clients.change(client, last_keep_alive_ns=sessions.system.time_ns())
        return None

    def _reason(self, content: bytes) -> str:
        """Why a service message cannot be decoded. Motoko's from_candid traps unless it is Candid of another type."""
        if not self._sessions.is_motoko:
            return candid_error(content)
        try:
            decode_typed(content)
        except DecodeError as fault:
            raise Trap(f"IDL error: {fault}") from fault
        return "unknown"


def _argument(decode: Callable[[bytes], _T], arg: bytes) -> _T:
    try:
        return decode(arg)
    except DecodeError as error:
        raise Trap(f"failed to decode call arguments: {error}") from error
