"""Ticker: the canister sends a message to every client at a fixed interval."""

from __future__ import annotations

from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App, AppContext

INTERVAL_MS = 10_000


def app(interval_ms: int = INTERVAL_MS) -> App:
    """Return the ticker application. ``interval_ms`` is protocol time; each message has a ``count`` one higher."""

    def tick(context: AppContext) -> None:
        context.state["count"] = context.state.get("count", 0) + 1
        context.broadcast({"count": context.state["count"], "timestamp": context.now_ns})

    def on_init(context: AppContext) -> None:
        context.every(interval_ms, tick)

    return App(
        name="ticker",
        message_type=parse_type("record { count : nat64; timestamp : nat64 }"),
        on_init=on_init,
        about=f"sends a message by itself every {interval_ms / 1000:g} seconds",
    )
