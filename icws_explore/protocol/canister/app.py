"""Applications on a CDK: handlers that take Python values, made into a canister.

The values of messages follow their Candid type (see `protocol.candid`). An application must keep its
memory in ``AppContext.state``, because a trap rolls that back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

from ..candid import Func, Type, decode, decode_typed, encode
from ..constants import NS_PER_MS
from ..errors import DecodeError, ValueMismatchError
from ..principal import Principal
from .cdk import WebSocketCdk
from .config import CdkConfig, Flavour, Handlers
from .interface import candid_interface
from .state import CdkState
from .system_api import CanisterFactory, MethodNotFound, SystemApi, Trap


class AppContext:
    """What a handler can use: clients, memory, timers and the time.

    ``state`` is the application's memory. Dicts, lists and sets in it are copied for rollback. Objects of
    other classes are shared, and must not be changed in place.
    """

    def __init__(self, system: SystemApi, cdk: WebSocketCdk, message_type: Type) -> None:
        self.state: dict[str, Any] = {}
        self._system = system
        self._cdk = cdk
        self._types = (message_type,)

    @property
    def now_ns(self) -> int:
        """The canister's time, in ns since the epoch."""
        return self._system.time_ns()

    @property
    def canister_id(self) -> Principal:
        return self._system.canister_id()

    @property
    def clients(self) -> tuple[Principal, ...]:
        """The connected clients, in the order in which they opened."""
        return self._cdk.clients

    def send(self, client: Principal, message: Any) -> str | None:
        """Send a value of the application's message type. Returns None, or the text of the CDK's error.

        Raises Trap for a value that does not fit the type.
        """
        return self.send_bytes(client, self._encode(message))

    def send_bytes(self, client: Principal, content: bytes) -> str | None:
        """Send bytes as they are, whether or not they are Candid of the message type."""
        return self._cdk.send(client, content)

    def broadcast(self, message: Any) -> None:
        """Send the same value to every client. Raises Trap for a value that does not fit the type."""
        content = self._encode(message)
        for client in self.clients:
            self.send_bytes(client, content)

    def close(self, client: Principal) -> str | None:
        """Close a client's session (CloseMessage ClosedByApplication). Returns None, or the text of the CDK's error."""
        return self._cdk.close(client)

    def every(self, interval_ms: int, callback: Callable[[AppContext], None]) -> int:
        """Call ``callback`` every ``interval_ms`` of protocol time from now on. Returns the timer's id."""
        return self._system.set_timer_interval(interval_ms * NS_PER_MS, lambda: callback(self))

    def after(self, delay_ms: int, callback: Callable[[AppContext], None]) -> int:
        """Call ``callback`` once, after ``delay_ms`` of protocol time. Returns the timer's id."""
        return self._system.set_timer(delay_ms * NS_PER_MS, lambda: callback(self))

    def cancel(self, timer_id: int) -> None:
        self._system.clear_timer(timer_id)

    def print(self, text: str) -> None:
        """Write a line to the canister's log."""
        self._system.print(text)

    def set_certified_data(self, data: bytes) -> None:
        """Overwrite the CDK's certified data. Its messages then do not verify until it sends again."""
        self._system.set_certified_data(data)

    def trap(self, text: str) -> NoReturn:
        """Abort this call: its changes are undone, and its caller gets a reject."""
        raise Trap(text)

    def _encode(self, message: Any) -> bytes:
        try:
            return encode(self._types, [message])
        except ValueMismatchError as error:
            raise Trap(f"the message does not fit its Candid type: {error}") from error


@dataclass(frozen=True, slots=True)
class AppMethod:
    """A method beside the four of the CDK.

    ``run`` takes the context, the caller and one value for each argument. It returns the method's result: None for
    none, a tuple for several. A query's changes to ``AppContext.state`` are undone.
    """

    type: Func
    run: Callable[..., Any]

    def __call__(self, context: AppContext, caller: Principal, arg: bytes) -> bytes:
        """Run it with encoded arguments. Raises Trap for arguments or a result that do not fit."""
        try:
            values = decode(arg, list(self.type.args))
        except DecodeError as error:
            raise Trap(f"the arguments cannot be decoded: {error}") from error
        result = self.run(context, caller, *values)
        results = () if not self.type.results else result if len(self.type.results) > 1 else (result,)
        try:
            return encode(list(self.type.results), results)
        except ValueMismatchError as error:
            raise Trap(f"the result does not fit its Candid type: {error}") from error


@dataclass(frozen=True, slots=True)
class App:
    """An application: its message type, its handlers, and the CDK that it uses by default.

    ``on_init`` runs at installation and after every upgrade. The CDK calls the other handlers. ``methods`` are the
    canister's methods beside those of the CDK. ``about`` says what its canister does, after the words "The canister".
    """

    name: str
    message_type: Type
    on_open: Callable[[AppContext, Principal], None] | None = None
    on_message: Callable[[AppContext, Principal, Any], None] | None = None
    on_close: Callable[[AppContext, Principal], None] | None = None
    on_init: Callable[[AppContext], None] | None = None
    flavour: Flavour = "rust"
    methods: Mapping[str, AppMethod] = field(default_factory=dict, hash=False)
    about: str = ""

    def factory(self, config: CdkConfig | None = None) -> CanisterFactory:
        """The factory that a host installs. ``config`` None: the CDK's defaults, in the application's flavour."""
        chosen = config or CdkConfig(flavour=self.flavour)
        return lambda system: AppCanister(system, self, chosen)

    def make_cdk(self, system: SystemApi, handlers: Handlers, config: CdkConfig) -> WebSocketCdk:
        """The CDK that it runs on. A subclass returns another one for a canister that deviates."""
        return WebSocketCdk(system, handlers, config)


class AppCanister:
    """A `CanisterCode` that exports the four ``ws_`` methods, for an App."""

    def __init__(self, system: SystemApi, app: App, config: CdkConfig) -> None:
        self._app = app
        self._system = system
        self._is_motoko = config.flavour == "motoko"
        self._cdk = app.make_cdk(system, self._handlers(), config)
        self._context = AppContext(system, self._cdk, app.message_type)
        self._updates = {
            "ws_open": self._cdk.ws_open,
            "ws_message": self._cdk.ws_message,
            "ws_close": self._cdk.ws_close,
        }
        self._queries = {"ws_get_messages": self._cdk.ws_get_messages}

    @cached_property  # a replica asks at every certificate
    def candid_interface(self) -> str:
        return candid_interface(
            self._app.message_type, {name: method.type for name, method in self._app.methods.items()}
        )

    @property
    def cdk(self) -> WebSocketCdk:
        """The CDK, for tests and simulations that look inside."""
        return self._cdk

    def init(self) -> None:
        self._cdk.init()
        if self._app.on_init is not None:
            self._app.on_init(self._context)

    def update(self, method: str, arg: bytes) -> bytes:
        entry = self._updates.get(method) or self._queries.get(method)
        if entry is not None:
            return entry(arg)
        own = self._app.methods.get(method)
        if own is None:
            raise MethodNotFound("update", method)
        return own(self._context, self._system.caller(), arg)

    def query(self, method: str, arg: bytes) -> bytes:
        entry = self._queries.get(method)
        if entry is not None:
            return entry(arg)
        own = self._app.methods.get(method)
        if own is None or not own.type.is_query:
            raise MethodNotFound("query", method)
        return own(self._context, self._system.caller(), arg)

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
        """Decode as the public examples do: in Rust they unwrap, in Motoko they ignore Candid of another type."""
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
    """A copy of dicts, lists and sets, as far as they are reached through dicts and lists; the rest is shared."""
    if isinstance(value, dict):
        own = copy(value)  # not dict(value), so that a defaultdict stays a defaultdict
        for key, each in value.items():
            own[key] = _copied(each)
        return own
    if isinstance(value, list):
        return [_copied(each) for each in value]
    if isinstance(value, (set, bytearray, deque)):
        return copy(value)
    return value
