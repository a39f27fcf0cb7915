"""What simulated clients do: a script for each of the lab's apps, and the shape of one's own.

::

    class Shouter(Script):
        def received(self, client, value):
            client.after(500, client.send, {"text": value["text"].upper()})

    icws.simulate(app="echo", clients=Shouter())

One script serves all clients; what belongs to one of them goes into ``client.memory``, and chance is
``client.dice``, so that a seed gives the same run again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from icws_explore.protocol.errors import LabError
from icws_explore.protocol.principal import Principal

from .delays import Delay, DelayLike, Uniform

THINK_MS: Final = Uniform(5_000, 15_000)


class Player(Protocol):
    """Who acts a script: a client of a simulation, or one over a real socket. ``number`` counts from 0."""

    number: int
    dice: random.Random
    memory: dict[str, Any]

    @property
    def principal(self) -> Principal:
        """Who it is."""

    @property
    def is_open(self) -> bool:
        """Whether the session is open."""

    @property
    def now_ns(self) -> int:
        """Its own clock, ns since the epoch."""

    def after(self, wait_ms: DelayLike, action: Callable[..., None], *args: Any) -> None:
        """Call ``action(*args)`` after a wait (milliseconds, or a Delay), unless the session has ended by then."""

    def send(self, value: Any) -> None:
        """Send a value of the application's message type. Raises ValueMismatchError; nothing unless open."""

    def send_bytes(self, content: bytes) -> None:
        """Send encoded Candid. Nothing unless open."""

    def close(self) -> None:
        """Close the session as a user does: code 1000."""


class Script:
    """Only listens. ``value`` is the application's message as Python data."""

    def opened(self, client: Player) -> None:
        """The session is open."""

    def received(self, client: Player, value: Any) -> None:
        """An application message has come."""


@dataclass(frozen=True, slots=True)
class Pong(Script):
    """pingpong: answers each ping after thinking about it."""

    think_ms: DelayLike = THINK_MS

    def received(self, client: Player, value: Any) -> None:
        client.after(self.think_ms, client.send, {"text": "pong", "timestamp": value["timestamp"]})


@dataclass(frozen=True, slots=True)
class Echo(Script):
    """echo: says something, waits for it to come back, thinks, says the next thing."""

    think_ms: DelayLike = THINK_MS

    def opened(self, client: Player) -> None:
        client.after(self.think_ms, client.send, {"text": "message 1"})

    def received(self, client: Player, value: Any) -> None:
        number = int(value["text"].rsplit(maxsplit=1)[-1]) + 1
        client.after(self.think_ms, client.send, {"text": f"message {number}"})


@dataclass(frozen=True, slots=True)
class Chat(Script):
    """chat: joins, and says something from time to time, whatever the others say."""

    think_ms: DelayLike = field(default=Uniform(20_000, 60_000))

    def opened(self, client: Player) -> None:
        client.send({"JoinedChat": _name(client)})
        client.after(self.think_ms, self._talk, client)

    def _talk(self, client: Player) -> None:
        number = client.memory["said"] = client.memory.get("said", 0) + 1
        text = f"message {number}"
        client.send({"GroupMessage": {"name": _name(client), "message": text, "isTyping": False}})
        client.after(self.think_ms, self._talk, client)


def _name(client: Player) -> str:
    return f"client {client.number + 1}"


SCRIPTS: Final[dict[str, Callable[[DelayLike | None], Script]]] = {
    "pingpong": lambda think: Pong() if think is None else Pong(think),
    "echo": lambda think: Echo() if think is None else Echo(think),
    "chat": lambda think: Chat() if think is None else Chat(think),
}


def script_for(app: str, clients: Script | None, think_ms: DelayLike | None) -> Script:
    """``clients`` itself, else the app's own script; an app without one is only listened to. Raises LabError."""
    if clients is None:
        return SCRIPTS[app](think_ms) if app in SCRIPTS else Script()
    if not isinstance(clients, Script):
        raise LabError(f"clients is {type(clients).__name__}; give an object of a class that extends Script")
    if think_ms is not None:
        raise LabError("think_ms is for the apps' own scripts; yours decides for itself")
    return clients


__all__ = ["SCRIPTS", "THINK_MS", "Chat", "Delay", "Echo", "Pong", "Script", "script_for"]
