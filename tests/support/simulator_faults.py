"""Faults for the simulator's tests: drop or delay messages by what they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from icws_explore.lab.faults import Delivery, Faults
from icws_explore.protocol.arguments import decode_message_args
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.messages import CanisterMessage, WebsocketMessage
from icws_explore.protocol.service_messages import AckMessage, KeepAliveMessage, decode_service

Predicate = Callable[[Any], bool]


@dataclass
class Withholding(Faults):
    """The gateway does not relay what a predicate holds for.

    A predicate gets the service message, the WebsocketMessage of an application message, or the method name of another
    call. ``up_delay_ms`` delays the calls that are relayed.
    """

    up: Predicate = lambda _: False
    down: Predicate = lambda _: False
    up_delay_ms: float = 0.0

    def relay(self, direction: Any, data: bytes) -> list[Delivery]:
        if direction == "down":
            return self._down(data)
        envelope = Envelope.decode(data)
        what = envelope.method_name if envelope.method_name != "ws_message" else content_of(_message(envelope))
        return [] if self.up(what) else [Delivery(data, self.up_delay_ms)]

    def _down(self, data: bytes) -> list[Delivery]:
        if b"gateway_principal" in data:
            return [Delivery(data)]
        return [] if self.down(content_of(CanisterMessage.decode(data).message)) else [Delivery(data)]


def _message(envelope: Envelope) -> WebsocketMessage:
    return decode_message_args(envelope.arg or b"")


def content_of(message: WebsocketMessage) -> Any:
    return decode_service(message.content) if message.is_service_message else message


def is_ack(what: Any) -> bool:
    return isinstance(what, AckMessage)


def is_keep_alive(what: Any) -> bool:
    return isinstance(what, KeepAliveMessage)
