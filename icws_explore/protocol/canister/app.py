"""Applications on a CDK: handlers that speak Python values, made into a canister.

The values of messages follow their Candid type (protocol/candid says how). What an application
remembers belongs into ``AppContext.state``, because that is what a trap rolls back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any, NoReturn

from ..candid import Type, decode, decode_typed, encode
from ..constants import NS_PER_MS
from ..errors import DecodeError, ValueMismatchError
from ..principal import Principal
from .cdk import WebSocketCdk
from .config import CdkConfig, Flavour, Handlers
from .interface import candid_interface
from .state import CdkState
from .system_api import CanisterFactory, MethodNotFound, SystemApi, Trap


class AppContext:
    """What a handler can do: talk to clients, remember, set timers, look at the time.

    ``state`` is the application's memory. Dicts, lists and sets in it are copied for rollback; objects
    of other classes are shared and must not be changed in place.
    """

    def __init__(self, system: SystemApi, cdk: WebSocketCdk, message_type: Type) -> None:
        self.state: dict[str, Any] = {}
        self._system = system
        self._cdk = cdk
        self._types = (message_type,)

    @property
    def now_ns(self) -> int:
        """The canister's time, nanoseconds since the epoch."""
        return self._system.time_ns()

    @property
    def canister_id(self) -> Principal:
        return self._system.canister_id()

    @property
    def clients(self) -> tuple[Principal, ...]:
        """Who is connected, in the order of opening."""
        return self._cdk.clients

    def send(self, client: Principal, message: Any) -> str | None:
        """Send a value of the application's message type. None, or why not, as the CDK's ``send`` says it.

        A value that does not fit the type traps.
        """
        return self.send_bytes(client, self._encode(message))

    def send_bytes(self, client: Principal, content: bytes) -> str | None:
        """Send bytes as they are, Candid of the message type or not."""
        return self._cdk.send(client, content)

    def broadcast(self, message: Any) -> None:
        """Send the same value to every client."""
        content = self._encode(message)
        for client in self.clients:
            self.send_bytes(client, content)

    def close(self, client: Principal) -> str | None:
        """Close a client's session (CloseMessage ClosedByApplication). None, or why not."""
        return self._cdk.close(client)

    def every(self, interval_ms: int, callback: Callable[[AppContext], None]) -> int:
        """Call back at every interval of protocol time from now on. The timer's id."""
        return self._system.set_timer_interval(interval_ms * NS_PER_MS, lambda: callback(self))

    def after(self, delay_ms: int, callback: Callable[[AppContext], None]) -> int:
        """Call back once. The timer's id."""
        return self._system.set_timer(delay_ms * NS_PER_MS, lambda: callback(self))

    def cancel(self, timer_id: int) -> None:
        self._system.clear_timer(timer_id)

    def print(self, text: str) -> None:
        """Into the canister's log."""
        self._system.print(text)

    def set_certified_data(self, data: bytes) -> None:
        """Overwrite what the CDK has certified: from then on its messages do not verify, until it sends again."""
        self._system.set_certified_data(data)

    def trap(self, text: str) -> NoReturn:
        """Give up this call: its changes are undone and its caller gets a reject."""
        raise Trap(text)

    def _encode(self, message: Any) -> bytes:
        try:
            return encode(self._types, [message])
        except ValueMismatchError as error:
            raise Trap(f"the message does not fit its Candid type: {error}") from error


@dataclass(frozen=True, slots=True)
class App:
    """An application: its message type, its handlers, and the CDK it is written for by default.

    ``on_init`` runs at installation and after every upgrade; the others as the CDK calls them.
    """

    name: str
    message_type: Type
    on_open: Callable[[AppContext, Principal], None] | None = None
    on_message: Callable[[AppContext, Principal, Any], None] | None = None
    on_close: Callable[[AppContext, Principal], None] | None = None
    on_init: Callable[[AppContext], None] | None = None
    flavour: Flavour = "rust"

    def factory(self, config: CdkConfig | None = None) -> CanisterFactory:
        """What a host installs. Without ``config``: the CDK's defaults, in the application's own flavour."""
        chosen = config or CdkConfig(flavour=self.flavour)
        return lambda system: AppCanister(system, self, chosen)

    def make_cdk(self, system: SystemApi, handlers: Handlers, config: CdkConfig) -> WebSocketCdk:
        """What it runs on. A subclass that returns another one is a canister that is not as it should be."""
        return WebSocketCdk(system, handlers, config)


class AppCanister:
    """A `CanisterCode` that exports the four ws_ methods and leaves the rest to an App."""

    def __init__(self, system: SystemApi, app: App, config: CdkConfig) -> None:
        self._app = app
        self._is_motoko = config.flavour == "motoko"
        self._cdk = app.make_cdk(system, self._handlers(), config)
        self._context = AppContext(system, self._cdk, app.message_type)
        self._updates = {
            "ws_open": self._cdk.ws_open,
            "ws_message": self._cdk.ws_message,
            "ws_close": self._cdk.ws_close,
        }
        self._queries = {"ws_get_messages": self._cdk.ws_get_messages}

    @property
    def candid_interface(self) -> str:
        return candid_interface(self._app.message_type)

    @property
    def cdk(self) -> WebSocketCdk:
        """Its CDK, for who looks in from outside the protocol."""
        return self._cdk

    def init(self) -> None:
        self._cdk.init()
        if self._app.on_init is not None:
            self._app.on_init(self._context)

    def update(self, method: str, arg: bytes) -> bytes:
        entry = self._updates.get(method) or self._queries.get(method)
        if entry is None:
            raise MethodNotFound("update", method)
        return entry(arg)

    def query(self, method: str, arg: bytes) -> bytes:
        entry = self._queries.get(method)
        if entry is None:
            raise MethodNotFound("query", method)
        return entry(arg)

    def snapshot(self) -> tuple[CdkState, dict[str, Any]]:
        return self._cdk.snapshot(), _copied(self._context.state)

    def restore(self, state: tuple[CdkState, dict[str, Any]]) -> None:
        cdk, memory = state
        self._cdk.restore(cdk)
        self._context.state = _copied(memory)

    def _handlers(self) -> Handlers:
        app = self._app

        def on_open(client: Principal) -> None:
            if app.on_open is not None:
                app.on_open(self._context, client)

        def on_message(client: Principal, content: bytes) -> None:
            if app.on_message is not None:
                self._receive(app.on_message, client, content)

        def on_close(client: Principal) -> None:
            if app.on_close is not None:
                app.on_close(self._context, client)

        return Handlers(on_open, on_message, on_close)

    def _receive(
        self, handler: Callable[[AppContext, Principal, Any], None], client: Principal, content: bytes
    ) -> None:
        """As the public examples do: Rust unwraps, Motoko passes over Candid of another type."""
        try:
            (message,) = decode(content, [self._app.message_type])
        except DecodeError as error:
            if not self._is_motoko or not _is_candid(content):
                raise Trap(f"the message cannot be decoded: {error}") from error
            self._context.print("Could not deserialize message")
            return
        handler(self._context, client, message)


def _is_candid(content: bytes) -> bool:
    try:
        decode_typed(content)
    except DecodeError:
        return False
    return True


def _copied(value: Any) -> Any:
    """``value`` with its own dicts, lists and sets, reached through dicts and lists; the rest is shared."""
    if isinstance(value, dict):
        own = copy(value)  # not dict(value): a defaultdict stays one
        for key, each in value.items():
            own[key] = _copied(each)
        return own
    if isinstance(value, list):
        return [_copied(each) for each in value]
    if isinstance(value, (set, bytearray, deque)):
        return copy(value)
    return value
