"""Gateways that forge, change, drop, reorder, hold back, or say nothing.

What gateways that lie, stall or stay silent do, and what happens to canisters behind them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.service_messages import AckMessage, decode_service

from ..faults import Delivery, Faults, Stage, tampered
from ..simulator.conditions import Network
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import Talker


class Muted(Faults):
    """The gateway says nothing, not even its handshake."""

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        del session, data
        return []


class Downward(Faults):
    """``change(number, data)`` gives what becomes of a session's canister message, counted from 1.

    ``late_ms(number)``, milliseconds, is by how much it is late.
    """

    def __init__(
        self, change: Callable[[int, bytes], list[bytes]], *, late_ms: Callable[[int], float] = lambda _number: 0.0
    ) -> None:
        self._change = change
        self._late_ms = late_ms
        self._seen: Counter[int] = Counter()

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        try:
            CanisterMessage.decode(data)
        except DecodeError:
            return [Delivery(data)]  # the handshake
        self._seen[session] += 1
        number = self._seen[session]
        return [Delivery(each, self._late_ms(number)) for each in self._change(number, data)]


class Stall(Faults):
    """Nothing reaches a client from ``from_s`` to ``to_s`` (seconds from the start), then all of it does."""

    def __init__(self, from_s: float, to_s: float) -> None:
        self._from_s, self._to_s = from_s, to_s
        self._stage: Stage | None = None
        self._start_ns = 0

    def begin(self, stage: Stage) -> None:
        self._stage, self._start_ns = stage, stage.now_ns

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        del session
        assert self._stage is not None
        passed_ns = self._stage.now_ns - self._start_ns
        if self._from_s * NS_PER_S <= passed_ns < self._to_s * NS_PER_S:
            return [Delivery(data, (self._to_s * NS_PER_S - passed_ns) / NS_PER_MS)]
        return [Delivery(data)]


class Jitter(Faults):
    """Every relayed call takes ``low_ms`` to ``high_ms`` longer: where order is not kept, some overtake others."""

    def __init__(self, low_ms: float, high_ms: float, *, seed: int = 1) -> None:
        self._low_ms, self._high_ms = low_ms, high_ms
        self._dice = random.Random(seed)

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        del session
        return [Delivery(envelope, self._dice.uniform(self._low_ms, self._high_ms))]


class Stopped(Faults):
    """The canister is stopped ``at_s`` seconds after the start."""

    def __init__(self, at_s: float) -> None:
        self._at_s = at_s

    def begin(self, stage: Stage) -> None:
        stage.at(self._at_s, stage.stop_canister)


class Upgrade(Faults):
    """The canister is upgraded ``at_s`` seconds after the start."""

    def __init__(self, at_s: float) -> None:
        self._at_s = at_s

    def begin(self, stage: Stage) -> None:
        stage.at(self._at_s, stage.upgrade_canister)


def is_ack(data: bytes) -> bool:
    """Whether that canister message is an AckMessage."""
    try:
        message = CanisterMessage.decode(data).message
        return message.is_service_message and isinstance(decode_service(message.content), AckMessage)
    except DecodeError:
        return False


def _altered(change: Callable[[int, CanisterMessage], CanisterMessage]) -> Downward:
    return Downward(lambda number, data: [change(number, CanisterMessage.decode(data)).encode()])


@register("NO_HANDSHAKE", "the gateway never says anything")
def no_handshake() -> Plan:
    return Plan("pingpong", duration_s=60, faults=Muted())


@register("BAD_CERTIFICATE", "the gateway forges the signature of the third message's certificate")
def bad_certificate() -> Plan:
    def forge(number: int, message: CanisterMessage) -> CanisterMessage:
        at = message.cert.index(b"signature") + 20
        cert = message.cert[:at] + bytes([message.cert[at] ^ 1]) + message.cert[at + 1 :]
        return replace(message, cert=cert) if number >= 3 else message

    return Plan("ticker", duration_s=120, faults=_altered(forge))


@register("STALE_CERTIFICATE", "from the fourth message on, the gateway holds each back for 310 s")
def stale_certificate() -> Plan:
    held = Downward(lambda _number, data: [data], late_ms=lambda number: 310_000 if number > 3 else 0)
    return Plan("ticker", duration_s=600, faults=held)


@register("BODY_HASH", "the gateway changes a byte of the third message's content")
def body_hash() -> Plan:
    changed = Downward(lambda number, data: [tampered(data) if number == 3 else data])
    return Plan("ticker", duration_s=120, faults=changed)


@register("SEQUENCE_GAP_DOWN", "the gateway drops the fourth message")
def sequence_gap_down() -> Plan:
    dropped = Downward(lambda number, data: [] if number == 4 else [data])
    return Plan("ticker", duration_s=120, faults=dropped)


@register("REORDERED_RELAY", "the client sends in bursts, and the gateway's calls overtake each other")
def reordered_relay() -> Plan:
    bursts = ClientPlan(script=Talker({"text": "now"}, every_ms=5_000, times=6))
    return Plan("echo", duration_s=120, clients=(bursts,), network=Network(ordered=False), faults=Jitter(200, 1_800))


@register("ACKS_WITHHELD", "the gateway drops the third ack and everything behind it")
def acks_withheld() -> Plan:
    acks: list[int] = []

    def keep(number: int, data: bytes) -> list[bytes]:
        acks.extend([number] if is_ack(data) else [])
        return [data] if len(acks) < 3 else []

    talker = ClientPlan(script=Talker({"text": "hello"}))
    return Plan("echo", duration_s=960, clients=(talker,), faults=Downward(keep))


@register("SLOW_CLIENT_STALL", "the gateway's loop stands still for 50 s")
def slow_client_stall() -> Plan:
    clients = tuple(ClientPlan(at_s=at_s) for at_s in (0, 3, 6))
    return Plan("ticker", duration_s=180, clients=clients, faults=Stall(60, 110))
