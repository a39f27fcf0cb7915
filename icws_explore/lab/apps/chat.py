"""Chat, as the public Motoko example: the canister sends every message to all clients, also to its sender.

A client joins with the message JoinedChat, not by opening a session. While a user types, the client sends messages
with ``isTyping`` and an empty text.
"""

from __future__ import annotations

from typing import Any

from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.principal import Principal

_MESSAGE_TYPE = """\
variant {
  GroupMessage : record { name : text; message : text; isTyping : bool };
  JoinedChat : text;
}"""


def _on_message(context: AppContext, _client: Principal, message: Any) -> None:
    context.broadcast(message)


def _on_close(context: AppContext, client: Principal) -> None:
    context.print(f"Client {client} disconnected")


def app() -> App:
    """Return the chat application."""
    return App(
        name="chat",
        message_type=parse_type(_MESSAGE_TYPE),
        on_message=_on_message,
        on_close=_on_close,
        flavour="motoko",
        about="sends each message to every connected client, also back",
    )
