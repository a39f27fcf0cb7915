"""What simulated clients do: `Script`, the client that it controls, and scripts for the lab's apps and for any app.

::

    class Shouter(Script):
        def received(self, client, value):
            client.after(500, client.send, {"text": value["text"].upper()})

    icws.simulate("echo", population=icws.Population(script=Shouter()))

One script serves all clients. Keep what belongs to one client in ``client.memory``, and draw random numbers from
``client.rng``, so that the same seed gives the same run.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from icws_explore.protocol import candid
from icws_explore.protocol.canister import App
from icws_explore.protocol.client.events import CanisterClosed, ClientEvent, Failed, MessageReceived, Opened
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.errors import ArgumentTypeError, ArgumentValueError
from icws_explore.protocol.principal import Principal

from ..apps import APPS
from ..wasm import WasmApp
from .delays import DelayLike, Uniform, delay

if TYPE_CHECKING:
    from icws_explore.live.scheduler import Scheduler

THINK_MS: Final = Uniform(5_000, 15_000)


class Script:
    """A client that only listens. Override the methods to make it do something."""

    def opened(self, client: ScriptedClient) -> None:
        """Called when the session has opened."""

    def received(self, client: ScriptedClient, value: Any) -> None:
        """Called for each application message; ``value`` is its Candid value as Python data."""


class ScriptedClient(ABC):
    """A client that follows a script, in a simulation or over a real socket.

    ``number`` counts the clients from 0, ``rng`` and ``memory`` are for the script, ``failures`` are the errors that
    the session reported.
    """

    def __init__(
        self,
        number: int,
        machine: ClientMachine,
        script: Script,
        *,
        rng: random.Random,
        scheduler: Scheduler,
        message_type: candid.Type | None,
    ) -> None:
        self.number = number
        self.machine = machine
        self.rng = rng
        self.memory: dict[str, Any] = {}
        self.failures: list[str] = []
        self._script = script
        self._scheduler = scheduler
        self._message_type = message_type

    @property
    def principal(self) -> Principal:
        """The client's principal."""
        return self.machine.client_key.client_principal

    @property
    def is_open(self) -> bool:
        """Whether the session is open."""
        return self.machine.is_open

    @property
    @abstractmethod
    def now_ns(self) -> int:
        """The client's own clock, in ns since the epoch."""

    def after(self, wait_ms: DelayLike, action: Callable[..., None], *args: Any) -> None:
        """Call ``action(*args)`` after ``wait_ms`` (milliseconds or a Delay) if the session is still open then."""
        at_ns = self._scheduler.now_ns + delay(wait_ms).draw_ns(self.rng)
        self._scheduler.at(at_ns, self._if_open, action, args)

    def send(self, value: Any) -> None:
        """Send a value of the application's message type. Does nothing unless open. Raises ValueMismatchError."""
        if self.is_open:
            assert self._message_type is not None
            self.send_bytes(candid.encode([self._message_type], [value]))

    @abstractmethod
    def send_bytes(self, content: bytes) -> None:
        """Send encoded Candid. Does nothing unless open."""

    @abstractmethod
    def close(self) -> None:
        """Close the session with code 1000, as a user does."""

    def _if_open(self, action: Callable[..., None], args: tuple[Any, ...]) -> None:
        if self.is_open:
            action(*args)

    def _follow(self, event: ClientEvent) -> None:
        """Pass an event of the machine on to the script, or note a failure."""
        match event:
            case Opened():
                self._script.opened(self)
            case MessageReceived(value=value):
                self._script.received(self, value)
            case Failed(text):
                self.failures.append(text)
            case CanisterClosed(reason=why):
                self.failures.append(f"the canister closed the session: {why}")


@dataclass(frozen=True, slots=True)
class Pong(Script):
    """For the app pingpong: answers each ping after ``think_ms``."""

    think_ms: DelayLike = THINK_MS

    def received(self, client: ScriptedClient, value: Any) -> None:
        client.after(self.think_ms, client.send, {"text": "pong", "timestamp": value["timestamp"]})


@dataclass(frozen=True, slots=True)
class Echo(Script):
    """For the app echo: sends a message, waits for its echo, and sends the next one after ``think_ms``."""

    think_ms: DelayLike = THINK_MS

    def opened(self, client: ScriptedClient) -> None:
        client.after(self.think_ms, client.send, {"text": "message 1"})

    def received(self, client: ScriptedClient, value: Any) -> None:
        number = int(value["text"].rsplit(maxsplit=1)[-1]) + 1
        client.after(self.think_ms, client.send, {"text": f"message {number}"})


@dataclass(frozen=True, slots=True)
class Chat(Script):
    """For the app chat: joins, then sends a message every ``think_ms``, whatever the other clients send."""

    think_ms: DelayLike = field(default=Uniform(20_000, 60_000))

    def __post_init__(self) -> None:
        _check_pause("think_ms", self.think_ms)

    def opened(self, client: ScriptedClient) -> None:
        client.send({"JoinedChat": _name(client)})
        client.after(self.think_ms, self._talk, client)

    def _talk(self, client: ScriptedClient) -> None:
        number = client.memory["sent"] = client.memory.get("sent", 0) + 1
        text = f"message {number}"
        client.send({"GroupMessage": {"name": _name(client), "message": text, "isTyping": False}})
        client.after(self.think_ms, self._talk, client)


def _name(client: ScriptedClient) -> str:
    return f"client {client.number + 1}"


@dataclass(frozen=True, slots=True)
class Talker(Script):
    """For any app: sends ``value`` repeatedly, ``times`` copies every ``every_ms`` (milliseconds or a Delay)."""

    value: Any
    every_ms: DelayLike = 20_000
    times: int = 1

    def __post_init__(self) -> None:
        _check_pause("every_ms", self.every_ms)

    def opened(self, client: ScriptedClient) -> None:
        client.after(self.every_ms, self._talk, client)

    def _talk(self, client: ScriptedClient) -> None:
        for _ in range(self.times):
            client.send(self.value)
        client.after(self.every_ms, self._talk, client)


def _check_pause(name: str, pause_ms: DelayLike) -> None:
    """Refuse clients that send without end at the same moment. Raises ArgumentValueError."""
    if delay(pause_ms).mean_ms <= 0:
        raise ArgumentValueError(f"{name} must be more than 0: it is the time between two messages of a client")


LISTEN: Final = "listen"
SCRIPTS: Final[dict[str, Callable[[DelayLike | None], Script]]] = {
    "pingpong": lambda think: Pong() if think is None else Pong(think),
    "echo": lambda think: Echo() if think is None else Echo(think),
    "chat": lambda think: Chat() if think is None else Chat(think),
}
SCRIPT_NAMES: Final = (LISTEN, *SCRIPTS)


def script_for(app: App, script: Script | str | None, think_ms: DelayLike | None) -> Script:
    """Return ``script`` itself, the one of that name, or if it is None the app's own.

    The names are those of the apps that have a script, and "listen". Clients of an app without a script of its own only
    listen. So do those of a compiled canister: a message type says nothing about what its clients send.

    Raises ArgumentTypeError if ``script`` is neither a Script nor text. Raises ArgumentValueError for a name whose
    messages are of another type than the app's, and for ``think_ms`` with a script that does not take it.
    """
    if script is None:
        has_own = app.name in SCRIPTS and not isinstance(app, WasmApp) and _takes(app, app.name)
        script = app.name if has_own else LISTEN
    if isinstance(script, str) and script != LISTEN:
        _check_type(app, script)
        return SCRIPTS[script](think_ms)
    if not isinstance(script, (Script, str)):
        raise ArgumentTypeError(f"script must be an object of a class that extends Script, not {type(script).__name__}")
    if think_ms is not None:
        raise ArgumentValueError(
            "think_ms goes with the script of an app, but these clients only listen or have a script of their own; "
            "leave it out"
        )
    return Script() if isinstance(script, str) else script


def _check_type(app: App, script: str) -> None:
    """Raises ArgumentValueError unless the app takes the messages of the script of this name."""
    if not _takes(app, script):
        raise ArgumentValueError(
            f"the script {script} sends messages of type {candid.type_text(APPS[script]().message_type)}, "
            f"but the canister takes {candid.type_text(app.message_type)}; choose another script"
        )


def _takes(app: App, script: str) -> bool:
    return candid.same_type(app.message_type, APPS[script]().message_type)
