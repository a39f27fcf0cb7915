"""Healthy dapps: the lab's example apps and some more, each with the script of its clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from icws_explore.lab.simulator import Chat, Echo, Pong, Script, ScriptedClient, Talker, Uniform
from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.principal import Principal

GREETINGS = 30
LARGE = "x" * 100_000


class Leaving(Script):
    """Does what ``other`` does and closes the session ``after_ms`` milliseconds after it has opened."""

    def __init__(self, other: Script, after_ms: float) -> None:
        self._other, self._after_ms = other, after_ms

    def opened(self, client: ScriptedClient) -> None:
        client.after(self._after_ms, client.close)
        self._other.opened(client)

    def received(self, client: ScriptedClient, value: Any) -> None:
        self._other.received(client, value)


def _tally() -> App:
    """Return an app that adds numbers and broadcasts at intervals. Its message type uses most of Candid."""

    def on_message(context: AppContext, client: Principal, message: dict[str, Any]) -> None:
        context.state["sum"] = context.state.get("sum", 0) + message["Add"]["by"]
        context.send(client, {"Sum": {"of": context.state["sum"], "who": client, "raw": bytes(3), "note": None}})

    def on_init(context: AppContext) -> None:
        context.every(45_000, lambda timer: timer.broadcast({"Tick": None}))

    message_type = """variant {
      Add : record { by : nat }; Tick;
      Sum : record { of : int; who : principal; raw : blob; note : opt vec float64 };
    }"""
    return App("tally", parse_type(message_type), on_init=on_init, on_message=on_message)


def _greeter() -> App:
    """Return an app that sends each new client many messages: more than fit into one small poll."""

    def on_open(context: AppContext, client: Principal) -> None:
        for number in range(GREETINGS):
            context.send(client, f"greeting {number}")

    return App("greeter", parse_type("text"), on_open=on_open)


def _farewell() -> App:
    """Return an app that closes a client's session after its first message."""

    def on_message(context: AppContext, client: Principal, message: str) -> None:
        context.send(client, f"{message} to you, too")
        context.close(client)

    return App("farewell", parse_type("text"), on_message=on_message)


# Each function makes a new app and the script of its clients. Call it for every run.
DAPPS: dict[str, Callable[[], tuple[App | str, Script]]] = {
    "pingpong": lambda: ("pingpong", Pong()),
    "pingpong at once": lambda: ("pingpong", Pong(Uniform(300, 6_000))),
    "echo": lambda: ("echo", Echo()),
    "echo by slow people": lambda: ("echo", Echo(Uniform(60_000, 200_000))),
    "echo in bursts": lambda: ("echo", Talker({"text": "now"}, 30_000, times=8)),
    "echo of much": lambda: ("echo", Talker({"text": LARGE}, 120_000)),
    "chat": lambda: ("chat", Chat()),
    "ticker": lambda: ("ticker", Script()),
    "silence": lambda: (App("silence", parse_type("null")), Script()),
    "tally": lambda: (_tally(), Talker({"Add": {"by": 3}}, 20_000)),
    "greeter": lambda: (_greeter(), Script()),
    "farewell": lambda: (_farewell(), Talker("goodbye", 40_000)),
}
