"""A session as the events of its protocol, each with what it says apart from what always differs.

Two runs of the same dapp never share keys, nonces, times and certificates. An `Event` therefore holds a frame and
a ``token``, which is equal where two frames say the same: times inside application messages, the session's own
principals and random ids are replaced by words. What a number means depends on the session so far, so it is not in
the token: ``step`` is by how much the sequence number rose in its direction, ``number`` is what an ack or a
keep-alive confirms.

Events are in streams (``stream``). Within a stream the protocol keeps the order; acks and keep-alives have streams
of their own, because a timer decides where among the messages they stand.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from icws_explore.capture import Direction
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, KeepAliveMessage, OpenMessage

from ..decode import DecodedFrame, value_text
from ..doctor.facts import SessionFacts

Stream = Literal["in", "out", "ack", "keep_alive", "end"]

TIME: Final = "‹time›"
RANDOM: Final = "‹id›"
_NEAR_S: Final = 86_400  # a number within a day of its message is a time
_UNITS: Final = (1, 10**3, 10**6, 10**9)  # per second
_MAX_DEPTH: Final = 64
_RANDOM: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
_QUIET_OPS: Final = ("ping", "pong")  # a transport's, and no recorder records them all


@dataclass(frozen=True, slots=True)
class Event:
    """A frame of a session. ``at_s`` is in seconds since the session's first frame.

    ``made_s`` is when the canister made the message, by its clock, in seconds since the epoch.
    """

    decoded: DecodedFrame
    at_s: float
    stream: Stream
    token: Hashable
    step: int | None = None
    number: int | None = None
    made_s: float | None = None

    @property
    def frame(self) -> int:
        """The number of the frame in its recording."""
        return self.decoded.number

    @property
    def direction(self) -> Direction:
        return self.decoded.frame.direction

    @property
    def what(self) -> str:
        """The event in words for a sentence."""
        text = self.decoded.summary
        match self.decoded.kind:
            case "handshake":
                return "the gateway's handshake"
            case "open_request":
                return "ws_open"
            case "open":
                return "the OpenMessage"
            case "ack":
                return "an AckMessage"
            case "keep_alive":
                return "a keep-alive"
            case "close":
                return f"the CloseMessage ({text})"
            case "app":
                return f"the canister's message {text}"
            case "message":
                return f"the client's message {text}"
            case _:
                return text


class SessionEvents:
    """The events of a session up to its first close."""

    def __init__(self, facts: SessionFacts) -> None:
        self.facts = facts
        self.events: tuple[Event, ...] = tuple(self._events())

    @property
    def name(self) -> str | None:
        return self.facts.name

    def _events(self) -> Iterator[Event]:
        began = self.facts.began
        last: dict[Direction, int] = {}
        for decoded in self.facts.frames:
            if decoded.frame.op in _QUIET_OPS:
                continue
            direction, sequence = decoded.frame.direction, decoded.sequence_num
            step = None
            if sequence is not None:
                step = sequence - last.get(direction, sequence - 1 if self._starts_late else 0)
                last[direction] = sequence
            made = None
            if decoded.message is not None and direction == "in":
                made = decoded.message.timestamp_ns / NS_PER_S
            yield Event(
                decoded,
                decoded.frame.t - began,
                _stream(decoded),
                self._token(decoded),
                step,
                _number(decoded),
                made,
            )

    @cached_property
    def _starts_late(self) -> bool:
        """Whether the recording began in mid-session."""
        return self.facts.open_request is None and self.facts.opened is None

    def _token(self, decoded: DecodedFrame) -> Hashable:
        match decoded.kind:
            case "handshake" | "ack" | "keep_alive":
                return decoded.kind, self._is_own_key(decoded)
            case "open_request":
                assert decoded.open_args is not None
                named = decoded.open_args.gateway_principal
                return decoded.kind, self.facts.gateway is None or named == self.facts.gateway
            case "open":
                assert isinstance(decoded.service, OpenMessage)
                own = self.facts.client_key
                return decoded.kind, own is None or decoded.service.client_key == own, self._is_own_key(decoded)
            case "close":
                assert isinstance(decoded.service, CloseMessage)
                return decoded.kind, str(decoded.service.reason)
            case "app" | "message":
                assert decoded.message is not None
                near_s = decoded.message.timestamp_ns / NS_PER_S
                said = self._alike(decoded.value, near_s) if decoded.has_value else decoded.message.content
                return decoded.kind, decoded.has_value, said, self._is_own_key(decoded)
            case "control":
                return "end" if decoded.frame.op == "close" else decoded.frame.op
            case _:
                data = decoded.frame.data if decoded.frame.op == "text" else str(decoded.error)
                return decoded.kind, decoded.frame.direction, data

    def _is_own_key(self, decoded: DecodedFrame) -> bool:
        own = self.facts.client_key
        return own is None or decoded.message is None or decoded.message.client_key == own

    @cached_property
    def _own(self) -> Mapping[Principal, str]:
        key, gateway, canister = self.facts.client_key, self.facts.gateway, self.facts.canister_id
        named = (
            (None if key is None else key.client_principal, "‹client›"),
            (gateway, "‹gateway›"),
            (canister, "‹canister›"),
        )
        return {principal: word for principal, word in named if principal is not None}

    def _alike(self, value: Any, near_s: float, depth: int = 0) -> Hashable:
        """``value`` without what differs in every run, as something that can be compared and hashed."""
        if depth > _MAX_DEPTH:
            return value_text(value)
        match value:
            case bool() | None | bytes():
                return value
            case int() | float():
                return TIME if _is_time(value, near_s) else value
            case str():
                text = _RANDOM.sub(RANDOM, value)
                for principal, word in self._own.items():
                    text = text.replace(principal.text, word)
                return text
            case Principal():
                return self._own.get(value, value)
            case dict():
                return tuple((key, self._alike(item, near_s, depth + 1)) for key, item in value.items())
            case list() | tuple():
                return tuple(self._alike(item, near_s, depth + 1) for item in value)
            case _:
                return repr(value)


def _is_time(value: float, near_s: float) -> bool:
    return any(abs(value / unit - near_s) < _NEAR_S for unit in _UNITS) if value > 0 else False


def _stream(decoded: DecodedFrame) -> Stream:
    if decoded.kind == "ack":
        return "ack"
    if decoded.kind == "keep_alive":
        return "keep_alive"
    return "end" if decoded.frame.op == "close" else decoded.frame.direction


def _number(decoded: DecodedFrame) -> int | None:
    if isinstance(decoded.service, (AckMessage, KeepAliveMessage)):
        return decoded.service.last_incoming_sequence_num
    return None
