"""A canister in Python, in place of the .wasm that your build makes: the tests beside it run with either."""

from __future__ import annotations

MESSAGE_TYPE = "record { text : text; timestamp : nat64 }"
METHODS = {"count": "() -> (nat64) query"}


def ping(context, client):
    context.send(client, {"text": "ping", "timestamp": context.now_ns})


def on_open(context, client):
    ping(context, client)


def on_message(context, client, message):
    context.state["count"] = context.state.get("count", 0) + 1
    text = message["text"]
    if text == "trap":
        context.trap("asked to trap")
    elif text == "close":
        context.close(client)
    elif text == "three":
        for _ in range(3):
            ping(context, client)
    elif text != "quiet":
        context.print(f"Received message: {text}")
        ping(context, client)


def on_close(context, client):
    context.print(f"Client {client} disconnected")


def count(context, caller):
    return context.state.get("count", 0)
