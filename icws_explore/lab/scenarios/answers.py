"""What the canisters of scenarios do where nothing is wrong with their code: answer with the same, or part at "bye"."""

from __future__ import annotations

from typing import Any, Final

from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.principal import Principal

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
