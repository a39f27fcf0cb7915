"""A client that says given things at given times: most scenarios need no more talk than that.

What the canisters of scenarios do where nothing is wrong with their code: answer with the same, or part at "bye".

A client that says the same again and again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.principal import Principal

from ..simulator.scripts import Player, Script

TEXT: Final = parse_type("record { text : text }")  # the message type of the lab's echo, and of `lines.texts`


def echo(context: AppContext, client: Principal, message: Any) -> None:
    """The on_message of whoever says everything back, of whatever type."""
    context.send(client, message)


def goodbye() -> App:
    """An echo whose code closes the session of a client that says bye."""
    return App("goodbye", TEXT, on_message=_until_bye)


def _until_bye(context: AppContext, client: Principal, message: dict[str, str]) -> None:
    echo(context, client, message)
    if message["text"] == "bye":
        context.close(client)


class Lines(Script):
    """``lines`` are pairs: seconds of protocol time after opening, and a value of the application's message type."""

    def __init__(self, lines: Iterable[tuple[float, Any]]) -> None:
        self._lines = tuple(lines)

    def opened(self, client: Player) -> None:
        for at_s, value in self._lines:
            client.after(at_s * 1000, client.send, value)


def texts(*lines: tuple[float, str]) -> Lines:
    """`Lines` for applications whose messages are ``record { text : text }``, as the lab's echo has them."""
    return Lines((at_s, {"text": text}) for at_s, text in lines)


class Talker(Script):
    """Sends ``value`` every ``every_ms``, ``times`` at once."""

    def __init__(self, value: Any, *, every_ms: float = 20_000, times: int = 1) -> None:
        self._value, self._every_ms, self._times = value, every_ms, times

    def opened(self, client: Player) -> None:
        client.after(self._every_ms, self._talk, client)

    def _talk(self, client: Player) -> None:
        for _ in range(self._times):
            client.send(self._value)
        client.after(self._every_ms, self._talk, client)
