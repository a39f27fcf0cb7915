"""Ping-pong, as the public ic_websocket_example: a ping when a session opens, and one for each message."""

from __future__ import annotations

from typing import Any

from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.principal import Principal


def _ping(context: AppContext, client: Principal) -> None:
    context.send(client, {"text": "ping", "timestamp": context.now_ns})


def _on_message(context: AppContext, client: Principal, message: Any) -> None:
    context.print(f"Received message: {message}")
    _ping(context, client)


def _on_close(context: AppContext, client: Principal) -> None:
    context.print(f"Client {client} disconnected")


def app() -> App:
    """Return the ping-pong application."""
    return App(
        name="pingpong",
        message_type=parse_type("record { text : text; timestamp : nat64 }"),
        on_open=_ping,
        on_message=_on_message,
        on_close=_on_close,
        about="sends a ping when you connect, and one for each message",
    )
