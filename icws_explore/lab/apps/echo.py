"""Echo: the canister sends every message back unchanged."""

from __future__ import annotations

from typing import Any

from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.principal import Principal


def _on_message(context: AppContext, client: Principal, message: Any) -> None:
    context.send(client, message)


def app() -> App:
    """Return the echo application."""
    return App(
        name="echo",
        message_type=parse_type("record { text : text }"),
        on_message=_on_message,
        about="sends each message back",
    )
