"""The canister side of IC WebSocket: what the CDK 0.4.1 does, in Rust or in Motoko.

Source: lib.rs and lib.mo. Each entry point takes the Candid argument and gives the Candid reply; an
argument that is not what it should be traps, as the generated code of either language does.
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
from ..constants import FIRST_GATEWAY_NONCE
from ..errors import DecodeError
from ..hashtree import encode as encode_tree
from ..messages import ClientKey, WebsocketMessage
from ..principal import Principal
from ..service_messages import CloseReason, KeepAliveMessage, OpenMessage, decode_service
from . import error_texts as texts
from .clients import Client
from .config import CdkConfig, Handlers
from .decode_words import why_no_service_message
from .sessions import Sessions
from .state import CdkState
from .system_api import SystemApi, Trap
from .timers import Timers

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
