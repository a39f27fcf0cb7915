"""The ordinary parts of scenarios: what clients send and when, and canisters that answer as expected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.principal import Principal

from ..simulator.scripts import Script, ScriptedClient

TEXT: Final = parse_type("record { text : text }")  # the message type of the lab's echo app, and of `texts`


class Lines(Script):
    """Sends given messages at given times.

    ``lines`` are pairs: seconds of protocol time after the session has opened, and a value of the application's
    message type.
    """

    def __init__(self, lines: Iterable[tuple[float, Any]]) -> None:
        self._lines = tuple(lines)

    def opened(self, client: ScriptedClient) -> None:
        for at_s, value in self._lines:
            client.after(at_s * 1000, client.send, value)


def texts(*lines: tuple[float, str]) -> Lines:
    """Return `Lines` for applications whose messages are of the type `TEXT`."""
    return Lines((at_s, {"text": text}) for at_s, text in lines)


def echo(context: AppContext, client: Principal, message: Any) -> None:
    """An on_message handler that sends every message back, whatever its type."""
    context.send(client, message)


def goodbye() -> App:
    """Return an echo app that closes the session of a client that sends "bye"."""
    return App("goodbye", TEXT, on_message=_echo_until_bye)


def _echo_until_bye(context: AppContext, client: Principal, message: dict[str, str]) -> None:
    echo(context, client, message)
    if message["text"] == "bye":
        context.close(client)
