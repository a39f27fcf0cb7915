"""Scenarios in which the gateway, or a proxy in front of it, misbehaves: it is silent, forges, drops or delays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from icws_explore.protocol.messages import CanisterMessage

from ..faults import tampered
from ..simulator.conditions import NetworkConditions
from ..simulator.scripts import Talker
from .faults import Downward, IdleProxy, Jitter, Muted, Stall, is_ack
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import texts


def _altered(change: Callable[[int, CanisterMessage], CanisterMessage]) -> Downward:
    return Downward(lambda number, data: [change(number, CanisterMessage.decode(data)).encode()])


@register("NO_HANDSHAKE", "the gateway sends nothing at all")
def no_handshake() -> Plan:
    return Plan("pingpong", duration_s=60, faults=Muted())


@register("BAD_CERTIFICATE", "the gateway forges the certificate's signature from the third message on")
def bad_certificate() -> Plan:
    def forge(number: int, message: CanisterMessage) -> CanisterMessage:
        at = message.cert.index(b"signature") + 20
        cert = message.cert[:at] + bytes([message.cert[at] ^ 1]) + message.cert[at + 1 :]
        return replace(message, cert=cert) if number >= 3 else message

    return Plan("ticker", duration_s=120, faults=_altered(forge))


@register("STALE_CERTIFICATE", "the gateway holds back each message from the fourth on for 310 s")
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


@register("SEQUENCE_DUPLICATE_DOWN", "the gateway sends the fourth message twice")
def sequence_duplicate_down() -> Plan:
    doubled = Downward(lambda number, data: [data, data] if number == 4 else [data])
    return Plan("ticker", duration_s=120, faults=doubled)


@register("SEQUENCE_SWAP_DOWN", "the gateway sends the fourth message after the fifth")
def sequence_swap_down() -> Plan:
    held: list[bytes] = []

    def swap(number: int, data: bytes) -> list[bytes]:
        if number == 4:
            held.append(data)
            return []
        return [data, held.pop()] if held else [data]

    return Plan("ticker", duration_s=120, faults=Downward(swap))


@register(
    "REORDERED_RELAY", "the client sends bursts of messages, and the calls that the gateway relays overtake each other"
)
def reordered_relay() -> Plan:
    bursts = ClientPlan(script=Talker({"text": "now"}, every_ms=5_000, times=6))
    conditions = NetworkConditions(ordered=False)
    return Plan("echo", duration_s=120, clients=(bursts,), conditions=conditions, faults=Jitter(200, 1_800))


@register("ACKS_WITHHELD", "the gateway drops the third ack and every message after it")
def acks_withheld() -> Plan:
    acks: list[int] = []

    def keep(number: int, data: bytes) -> list[bytes]:
        acks.extend([number] if is_ack(data) else [])
        return [data] if len(acks) < 3 else []

    talker = ClientPlan(script=Talker({"text": "hello"}))
    return Plan("echo", duration_s=960, clients=(talker,), faults=Downward(keep))


@register("SLOW_CLIENT_STALL", "the gateway sends nothing to any client for 50 s")
def slow_client_stall() -> Plan:
    clients = tuple(ClientPlan(at_s=at_s) for at_s in (0, 3, 6))
    return Plan("ticker", duration_s=180, clients=clients, faults=Stall(60, 110))


@register("PROXY_IDLE", "a proxy in front of the gateway cuts connections that were idle for 60 s")
def proxy_idle() -> Plan:
    clients = (ClientPlan(script=texts((5, "hello"), (30, "still here"))),)
    return Plan("echo", duration_s=150, clients=clients, faults=IdleProxy())
