"""What really happened in a simulation, in true time: to compare an analysis with.

A client's capture knows only its own clock and its own end. Here every message has all its stations,
on both sides, in nanoseconds since the epoch by the one clock that is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from icws_explore.protocol.arguments import decode_message_args
from icws_explore.protocol.certificate import decode_cached
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import CanisterMessage, ClientKey, WebsocketMessage
from icws_explore.protocol.request_id import request_id
from icws_explore.protocol.service_messages import (
    AckMessage,
    CloseMessage,
    KeepAliveMessage,
    OpenMessage,
    decode_service,
)

from .event_log import CallTrail, Trail

if TYPE_CHECKING:
    import pandas as pd

    from .client import SimClient

Kind = Literal["open_request", "message", "keep_alive", "open", "app", "ack", "close"]


@dataclass(frozen=True, slots=True)
class MessageTruth:
    """One message and when it was where; None: it never was. Times are ns since the epoch, true time.

    ``up``, from the client: ``sent_ns`` by the client, ``relayed_ns`` by the gateway, ``arrived_ns`` at
    the replica, ``executed_ns`` by the canister, with ``fate`` "accepted" or the words of the refusal.
    ``down``, from the canister: ``executed_ns`` when the canister made it, ``certified_ns`` the time of
    the certificate that it was polled with, ``polled_ns`` at the gateway, ``received_ns`` at the client.
    ``sequence_num`` is None for ws_open. ``number`` is the one inside an ack or a keep-alive: the last
    sequence number that its sender had received.
    """

    session: int
    direction: Literal["up", "down"]
    kind: Kind
    sequence_num: int | None = None
    number: int | None = None
    sent_ns: int | None = None
    relayed_ns: int | None = None
    arrived_ns: int | None = None
    executed_ns: int | None = None
    certified_ns: int | None = None
    polled_ns: int | None = None
    received_ns: int | None = None
    fate: str = ""


@dataclass(frozen=True, slots=True)
class SessionTruth:
    """One session. ``skew_ms``: how far the client's clock is ahead. ``session`` is its name in the capture."""

    number: int
    session: str | None
    client_key: ClientKey
    gateway: int
    skew_ms: float
    connected_ns: int
    opened_ns: int | None
    close_code: int | None
    close_reason: str
    failures: tuple[str, ...]


class Truth:
    """``sessions`` in the order of their numbers, ``messages`` in the order of being made."""

    def __init__(self, sessions: tuple[SessionTruth, ...], messages: tuple[MessageTruth, ...]) -> None:
        self.sessions = sessions
        self.messages = messages

    @property
    def acks(self) -> tuple[MessageTruth, ...]:
        """The canister's AckMessages."""
        return self.of("ack")

    @property
    def keep_alives(self) -> tuple[MessageTruth, ...]:
        """The clients' KeepAliveMessages; ``executed_ns`` is when the canister saw each."""
        return self.of("keep_alive")

    def of(self, kind: Kind, session: int | None = None) -> tuple[MessageTruth, ...]:
        """The messages of one kind, of all sessions or of one."""
        return tuple(m for m in self.messages if m.kind == kind and session in (None, m.session))

    def acked_ns(self, message: MessageTruth) -> int | None:
        """When the client got the first ack that covers its ``message``; None: never."""
        if message.sequence_num is None or message.direction != "up":
            return None
        acks = self._acks_received.get(message.session, [])
        return next((at_ns for at_ns, number in acks if number >= message.sequence_num), None)

    @cached_property
    def _acks_received(self) -> dict[int, list[tuple[int, int]]]:
        """By session: when each ack was received, and up to where it goes."""
        received: dict[int, list[tuple[int, int]]] = {}
        for ack in sorted(self.acks, key=lambda ack: ack.received_ns or 0):
            if ack.received_ns is not None and ack.number is not None:
                received.setdefault(ack.session, []).append((ack.received_ns, ack.number))
        return received

    def table(self) -> pd.DataFrame:
        """A row a message; the columns are the fields of MessageTruth (ns, nullable integers)."""
        import pandas as pd

        names = [each.name for each in fields(MessageTruth)]
        table = pd.DataFrame([{name: getattr(m, name) for name in names} for m in self.messages], columns=names)
        numbers = [name for name in names if name.endswith("_ns") or name in ("sequence_num", "number")]
        return table.astype(dict.fromkeys(numbers, "Int64"))

    def __repr__(self) -> str:
        return f"<Truth of {len(self.sessions)} sessions: {len(self.messages)} messages>"


def tell(trail: Trail, clients: list[SimClient], labels: list[str | None]) -> Truth:
    """Join what was noted on the way: calls by request id, canister messages by key."""
    numbers = {client.machine.client_key: client.number for client in clients}
    messages = [*_up(trail), *_down(trail, numbers)]
    messages.sort(key=lambda m: m.sent_ns or m.executed_ns or 0)
    sessions = tuple(_session(client, label) for client, label in zip(clients, labels, strict=True))
    return Truth(sessions, tuple(messages))


def _session(client: SimClient, label: str | None) -> SessionTruth:
    return SessionTruth(
        client.number,
        label,
        client.machine.client_key,
        client.gateway.number,
        client.setup.skew_ns / NS_PER_MS,
        client.setup.start_ns,
        client.opened_ns,
        client.close_code,
        client.close_reason,
        tuple(client.failures),
    )


def _up(trail: Trail) -> Iterator[MessageTruth]:
    lost = {_id(Envelope.decode(envelope)): relayed_ns for relayed_ns, envelope in trail.lost}
    for session, sent_ns, frame in trail.sent:
        try:
            envelope = Envelope.decode_frame(frame)
        except DecodeError:
            continue  # not a request at all: no gateway relays it
        name = _id(envelope)
        call = trail.calls.get(name)
        if call is None and name in lost:
            call = CallTrail(lost[name], fate="lost or refused")
        stations: dict[str, Any] = {"sent_ns": sent_ns}
        if call is not None:
            stations |= {n: getattr(call, n) for n in ("relayed_ns", "arrived_ns", "executed_ns", "fate")}
        if envelope.method_name == "ws_open":
            yield MessageTruth(session, "up", "open_request", **stations)
            continue
        message = decode_message_args(envelope.arg or b"")
        kind, number = _kind(message, "message")
        yield MessageTruth(session, "up", kind, message.sequence_num, number, **stations)


def _id(envelope: Envelope) -> bytes:
    return request_id(envelope.relayed().content)


def _down(trail: Trail, numbers: dict[ClientKey, int]) -> Iterator[MessageTruth]:
    # An upgraded canister gives its keys out once more: whatever has one of them comes behind its making.
    polled: dict[str, list[tuple[int, int | None]]] = {}
    for at_ns, frame in trail.polled:
        message = _canister_message(frame)
        if message is not None:
            polled.setdefault(message.key, []).append((at_ns, decode_cached(message.cert).time_ns))
    received: dict[str, list[int]] = {}
    for _, at_ns, frame in trail.received:
        if (message := _canister_message(frame)) is not None:
            received.setdefault(message.key, []).append(at_ns)
    for executed_ns, key, client_key, content in trail.queued:
        if client_key not in numbers:
            continue
        inner = WebsocketMessage.decode(content)
        kind, number = _kind(inner, "app")
        polls = (poll for poll in polled.get(key, ()) if poll[0] >= executed_ns)
        polled_ns, certified_ns = next(polls, (None, None))
        yield MessageTruth(
            numbers[client_key],
            "down",
            kind,
            inner.sequence_num,
            number,
            executed_ns=executed_ns,
            certified_ns=certified_ns,
            polled_ns=polled_ns,
            received_ns=next((at_ns for at_ns in received.get(key, ()) if at_ns >= executed_ns), None),
        )


def _canister_message(frame: bytes) -> CanisterMessage | None:
    """None for a handshake, and for what a fault made of a message."""
    try:
        return CanisterMessage.decode(frame)
    except DecodeError:
        return None


def _kind(message: WebsocketMessage, of_the_application: Kind) -> tuple[Kind, int | None]:
    if not message.is_service_message:
        return of_the_application, None
    match decode_service(message.content):
        case AckMessage(number):
            return "ack", number
        case KeepAliveMessage(number):
            return "keep_alive", number
        case OpenMessage():
            return "open", None
        case CloseMessage():
            return "close", None
