"""`Truth`: what really happened in a simulation, in true time, to compare an analysis with.

A client's recording knows only the client's clock and the client's side. The truth has the times of each message at
every station on both sides, in nanoseconds since the epoch by the simulation's true clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from icws_explore.analysis.decode import Kind, describe_service
from icws_explore.protocol.arguments import decode_message_args
from icws_explore.protocol.certificate import decode_cached
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import CanisterMessage, ClientKey, WebsocketMessage
from icws_explore.protocol.request_id import request_id
from icws_explore.protocol.service_messages import decode_service

from .event_log import CallRecord, EventLog

if TYPE_CHECKING:
    import pandas as pd

    from .client import SimClient


@dataclass(frozen=True, slots=True)
class MessageTruth:
    """One message and its true times, in ns since the epoch. None: it did not get there.

    A message from the client (direction "up") is sent by the client at ``sent_ns``, relayed by the gateway at
    ``relayed_ns``, at the replica at ``arrived_ns`` and executed by the canister at ``executed_ns``. Its ``fate`` is
    "accepted", or the error text of a refusal.

    A message from the canister (direction "down") is made at ``executed_ns``, at the gateway at ``polled_ns`` with a
    certificate of the time ``certified_ns``, and at the client at ``received_ns``.

    ``sequence_num`` is None for ws_open. ``number`` is the number in an ack or a keep-alive: the last sequence number
    that its sender had received.
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
    """One session. ``session`` is its name in the recording, ``skew_ms`` how far its client's clock is ahead."""

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
    """``sessions`` are in the order of their numbers, ``messages`` in the order in which they were made."""

    def __init__(self, sessions: tuple[SessionTruth, ...], messages: tuple[MessageTruth, ...]) -> None:
        self.sessions = sessions
        self.messages = messages

    @property
    def acks(self) -> tuple[MessageTruth, ...]:
        """The canister's AckMessages."""
        return self.of("ack")

    @property
    def keep_alives(self) -> tuple[MessageTruth, ...]:
        """The clients' KeepAliveMessages; ``executed_ns`` is when the canister executed each."""
        return self.of("keep_alive")

    def of(self, kind: Kind, session: int | None = None) -> tuple[MessageTruth, ...]:
        """Return the messages of one kind, of one session or of all."""
        return tuple(m for m in self.messages if m.kind == kind and session in (None, m.session))

    def acked_ns(self, message: MessageTruth) -> int | None:
        """Return when the client received the first ack that covers its ``message`` (ns since the epoch), or None."""
        if message.sequence_num is None or message.direction != "up":
            return None
        acks = self._acks_received.get(message.session, [])
        return next((at_ns for at_ns, number in acks if number >= message.sequence_num), None)

    @cached_property
    def _acks_received(self) -> dict[int, list[tuple[int, int]]]:
        """By session: when each ack was received, and the sequence number in it."""
        received: dict[int, list[tuple[int, int]]] = {}
        for ack in sorted(self.acks, key=lambda ack: ack.received_ns or 0):
            if ack.received_ns is not None and ack.number is not None:
                received.setdefault(ack.session, []).append((ack.received_ns, ack.number))
        return received

    def table(self) -> pd.DataFrame:
        """Return one row per message; the columns are the fields of MessageTruth (ns as nullable integers)."""
        import pandas as pd

        names = [each.name for each in fields(MessageTruth)]
        table = pd.DataFrame([{name: getattr(m, name) for name in names} for m in self.messages], columns=names)
        numbers = [name for name in names if name.endswith("_ns") or name in ("sequence_num", "number")]
        return table.astype(dict.fromkeys(numbers, "Int64"))

    def __repr__(self) -> str:
        return f"<Truth: sessions={len(self.sessions)}, messages={len(self.messages)}>"


def truth_of(event_log: EventLog, clients: Sequence[SimClient]) -> Truth:
    """Join the notes of the event log: calls by request id, canister messages by key."""
    numbers = {client.machine.client_key: client.number for client in clients}
    messages = [*_up(event_log), *_down(event_log, numbers)]
    messages.sort(key=lambda m: m.sent_ns or m.executed_ns or 0)
    return Truth(tuple(map(_session, clients)), tuple(messages))


def _session(client: SimClient) -> SessionTruth:
    return SessionTruth(
        client.number,
        client.label,
        client.machine.client_key,
        client.gateway.number,
        client.setup.skew_ns / NS_PER_MS,
        client.setup.start_ns,
        client.opened_ns,
        client.close_code,
        client.close_reason,
        tuple(client.failures),
    )


def _up(event_log: EventLog) -> Iterator[MessageTruth]:
    lost = {_id(Envelope.decode(envelope)): relayed_ns for relayed_ns, envelope in event_log.lost}
    for session, sent_ns, frame in event_log.sent:
        try:
            envelope = Envelope.decode_frame(frame)
        except DecodeError:
            continue  # not a request, so no gateway relays it
        call_id = _id(envelope)
        call = event_log.calls.get(call_id)
        if call is None and call_id in lost:
            call = CallRecord(lost[call_id], fate="lost or refused")
        times: dict[str, Any] = {"sent_ns": sent_ns}
        if call is not None:
            times |= {n: getattr(call, n) for n in ("relayed_ns", "arrived_ns", "executed_ns", "fate")}
        if envelope.method_name == "ws_open":
            yield MessageTruth(session, "up", "open_request", **times)
            continue
        message = decode_message_args(envelope.arg or b"")
        kind, number = _kind(message, "message")
        yield MessageTruth(session, "up", kind, message.sequence_num, number, **times)


def _id(envelope: Envelope) -> bytes:
    return request_id(envelope.relayed().content)


def _down(event_log: EventLog, numbers: dict[ClientKey, int]) -> Iterator[MessageTruth]:
    # An upgraded canister uses its message keys again, so a message can only match what happened after it was made.
    polled: dict[str, list[tuple[int, int | None]]] = {}
    for at_ns, frame in event_log.polled:
        message = _canister_message(frame)
        if message is not None:
            polled.setdefault(message.key, []).append((at_ns, decode_cached(message.cert).time_ns))
    received: dict[str, list[int]] = {}
    for _, at_ns, frame in event_log.received:
        if (message := _canister_message(frame)) is not None:
            received.setdefault(message.key, []).append(at_ns)
    for executed_ns, key, client_key, content in event_log.queued:
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
    """Return None for a handshake, and for a message that a fault has made unreadable."""
    try:
        return CanisterMessage.decode(frame)
    except DecodeError:
        return None


def _kind(message: WebsocketMessage, application_kind: Kind) -> tuple[Kind, int | None]:
    if not message.is_service_message:
        return application_kind, None
    service = decode_service(message.content)
    kind, _ = describe_service(service)
    return kind, getattr(service, "last_incoming_sequence_num", None)
