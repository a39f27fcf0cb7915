"""Ticker: the canister talks on its own, to every client at every interval."""

from __future__ import annotations

from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App, AppContext

INTERVAL_MS = 10_000


def app(interval_ms: int = INTERVAL_MS) -> App:
    """``interval_ms`` is protocol time; ``count`` in the messages goes up by one at every tick."""

    def tick(context: AppContext) -> None:
        context.state["count"] = context.state.get("count", 0) + 1
        context.broadcast({"count": context.state["count"], "timestamp": context.now_ns})

    def on_init(context: AppContext) -> None:
        context.every(interval_ms, tick)

    return App(
        name="ticker",
        message_type=parse_type("record { count : nat64; timestamp : nat64 }"),
        on_init=on_init,
    )
