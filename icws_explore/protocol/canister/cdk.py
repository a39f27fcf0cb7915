"""The canister side of IC WebSocket: what the CDK 0.4.1 does, in Rust or in Motoko.

Source: lib.rs and lib.mo. Each entry point takes the Candid argument and gives the Candid reply; an
argument that is not what it should be traps, as the generated code of either language does.

What the entry points and the timers of a CDK share: sending, removing, calling handlers.

Under the Motoko CDK every call of a handler is awaited, and an await is a commit point: what was
done before it stays even if the handler traps. Under the Rust CDK a trap undoes the whole call.

The two timers of a CDK: acks at every interval, and the keep-alive check behind each.

Source: timers.rs and Timers.mo. Both are global to the canister: the first ack comes 0 to one
interval after a client opened. A client that got an ack once is checked every time; it is removed
if its last keep-alive message (or its opening) is then older than the timeout.
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
from .error_texts import why_no_service_message
from .state import CdkState, Client
from .system_api import SystemApi, Trap

PRINT_PREFIX = "[IC-WEBSOCKET-CDK]: "


class Sessions:
    """The clients' sessions of one canister: state.rs and State.mo as far as they need the replica."""

    def __init__(self, system: SystemApi, config: CdkConfig, handlers: Handlers) -> None:
        self.system = system
        self.config = config
        self.handlers = handlers
        self.state = CdkState(config)

    @property
    def is_motoko(self) -> bool:
        return self.config.flavour == "motoko"

    def awaits(self) -> None:
        """The Motoko CDK awaits something here."""
        if self.is_motoko:
            self.system.commit()

    def open(self, key: ClientKey, gateway: Principal) -> Client:
        """Register a client, and its gateway if it is new (state.rs, add_client)."""
        self.state.gateways.client_came(gateway)
        return self.state.clients.add(key, gateway, self.system.time_ns())

    def send(self, client: Client, content: bytes, *, is_service_message: bool = False) -> None:
        self.state.enqueue(client, content, is_service_message=is_service_message, now_ns=self.system.time_ns())
        self._certify()

    def send_service(self, client: Client, message: ServiceMessage) -> None:
        self.send(client, encode_service(message, inner_first=self.is_motoko), is_service_message=True)

    def remove(self, client: Client, reason: CloseReason | None) -> None:
        """Forget a client and call on_close; with a reason it is sent a CloseMessage first."""
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
        """Call a handler of the application; its Trap goes through."""
        self.awaits()
        if handler is not None:
            handler(*args)

    def print(self, text: str) -> None:
        self.system.print(PRINT_PREFIX + text)

    def _certify(self) -> None:
        self.system.set_certified_data(self.state.certified.root_hash)


class Timers:
    """The timers' ids are part of the sessions' state, so that a rolled back start is forgotten."""

    def __init__(self, sessions: Sessions, ack_number: Callable[[Client], int]) -> None:
        self._sessions = sessions
        self._ack_number = ack_number
        self._system = sessions.system

    def start(self) -> None:
        """Ack from now on, one interval later for the first time; timers that run are replaced."""
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
            # An on_close before this one may have closed this client too, or it may have opened anew.
            current = sessions.state.clients.get(client.key)
            late = client if current is None and not sessions.is_motoko else current
            if late is None or self._system.time_ns() - late.last_keep_alive_ns <= timeout_ms * NS_PER_MS:
                continue
            sessions.awaits()
            if current is not None:  # the Rust CDK says so of a client that has gone meanwhile too
                sessions.remove(current, CloseReason.KEEP_ALIVE_TIMEOUT)
            shown = f"{timeout_ms:_} ms" if sessions.is_motoko else f"{timeout_ms}ms"
            sessions.print(
                f"[check-keep-alive-timer-cb]: Client {client.key} has not sent a keep alive message "
                f"in the last {shown} and has been removed"
            )
        sessions.print("[check-keep-alive-timer-cb]: Checked keep alive messages for all clients")


_T = TypeVar("_T")


class WebSocketCdk:
    """One canister's IC WebSocket. Call init() once before the rest, and again after an upgrade.

    Every method may raise Trap, which the host of the canister answers by rolling back.
    """

    def __init__(self, system: SystemApi, handlers: Handlers | None = None, config: CdkConfig | None = None) -> None:
        config = config or CdkConfig()
        handlers = handlers or Handlers()
        self._config = config
        if config.forget_init and config.flavour == "rust":
            # In Rust it is init that hands over handlers and parameters; in Motoko the constructors do.
            config, handlers = CdkConfig(forget_init=True), Handlers()
        self._sessions = Sessions(system, config, handlers)
        self._timers = Timers(self._sessions, self.ack_number)

    def init(self) -> None:
        """Check the parameters and start the timers anew; with ``forget_init`` nothing happens."""
        config = self._config
        if config.forget_init:
            return
        if config.enforce_minimum and config.send_ack_interval_ms <= config.keep_alive_timeout_ms:
            raise Trap(texts.INTERVAL_TOO_SHORT)
        self._timers.start()

    def ws_open(self, arg: bytes) -> bytes:
        args = _argument(decode_open_args, arg)
        if args.gateway_principal is None:
            raise Trap("failed to decode call arguments: field gateway_principal is missing")
        self._sessions.awaits()
        key = ClientKey(self._sessions.system.caller(), args.client_nonce)
        return encode_result(self._open(key, args.gateway_principal))

    def ws_close(self, arg: bytes) -> bytes:
        key = _argument(decode_close_args, arg)
        self._sessions.awaits()
        return encode_result(self._close_by_gateway(key, self._sessions.system.caller()))

    def ws_message(self, arg: bytes) -> bytes:
        message = _argument(decode_message_args, arg)
        self._sessions.awaits()
        return encode_result(self._receive(message, self._sessions.system.caller()))

    def ws_get_messages(self, arg: bytes) -> bytes:
        """A query: up to ``max_messages`` of the calling gateway's queue, with one witness for them."""
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
        """Queue an application message, which must be Candid already. None, or the text of the Err."""
        self._sessions.awaits()
        registered = self._sessions.state.clients.of(client)
        if registered is None:
            return texts.principal_not_connected(client)
        self._sessions.send(registered, content)
        self._sessions.awaits()
        return None

    def close(self, client: Principal) -> str | None:
        """Send CloseMessage ClosedByApplication, forget the client, call on_close. None, or the text of the Err."""
        self._sessions.awaits()
        registered = self._sessions.state.clients.of(client)
        if registered is None:
            return texts.principal_not_connected(client)
        self._sessions.remove(registered, CloseReason.CLOSED_BY_APPLICATION)
        self._sessions.awaits()
        return None

    def messages_from(self, gateway: Principal, nonce: int) -> list[PollMessage]:
        """What is queued for a gateway from ``nonce`` on, as its next polls would get it. Changes nothing."""
        registered = self._sessions.state.gateways.get(gateway)
        return [] if registered is None else registered.poll(nonce, len(registered.queue))[0]

    def next_nonce(self, gateway: Principal) -> int:
        """The nonce that the next message for a gateway gets."""
        registered = self._sessions.state.gateways.get(gateway)
        return FIRST_GATEWAY_NONCE if registered is None else registered.next_nonce

    def has_news(self, gateway: Principal, nonce: int) -> bool:
        """Whether a poll from ``nonce`` on would bring anything but an empty answer, for who skips idle polls."""
        return self.next_nonce(gateway) > nonce

    def ack_number(self, client: Client) -> int:
        """What the next AckMessage to a client says: the last sequence number that came from it."""
        return client.expected_sequence_num - 1

    @property
    def clients(self) -> tuple[Principal, ...]:
        """Who has a session open, in the order of opening."""
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
        """Why a service message cannot be read; Motoko's from_candid traps unless it is Candid of another type."""
        if not self._sessions.is_motoko:
            return why_no_service_message(content)
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
