"""Sequence numbers on the way up: what the canister misses, or gets the other way round.

Acks and keep-alives: none, too late, or for what was never sent.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from icws_explore.protocol.constants import LATENCY_BOUND_MS, MAX_INGRESS_BYTES

from ..simulator.conditions import Network
from .nonconforming_canisters import AcksAhead, WithoutTimers
from .nonconforming_clients import FrozenTab, NeverAnswersAcks, SlowSigner
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import TEXT, echo, texts

OLD_ACK_TIMEOUT_MS: Final = 90_000  # ic-websocket-js up to 0.3.0


@register("NO_ACKS", "a Motoko canister without ws.init<system>(): messages come and go, acks never do")
def no_acks() -> Plan:
    app = WithoutTimers("without timers", TEXT, on_message=echo)
    return Plan(app, duration_s=480, clients=(ClientPlan(script=texts((5, "one"), (40, "two"), (290, "three"))),))


@register(
    "ACK_DEFAULTS_SKEW", "an ic-websocket-js up to 0.3.0 gives up after 90 s; the canister's CDK acks every 300 s"
)
def ack_defaults_skew() -> Plan:
    old = ClientPlan(script=texts((5, "one"), (40, "two")), ack_interval_ms=OLD_ACK_TIMEOUT_MS - LATENCY_BOUND_MS)
    # That SDK has no interval to configure, so whoever records it knows of none.
    return Plan("echo", duration_s=180, clients=(old,), recorded={"ack_interval_ms": None})


@register("ACK_TOO_HIGH", "the canister acks six messages more than the client has sent")
def ack_too_high() -> Plan:
    app = AcksAhead("acks ahead", TEXT, on_message=echo)
    return Plan(app, duration_s=360, clients=(ClientPlan(script=texts((5, "one"), (290, "two"))),))


@register("NO_KEEPALIVE", "a client of somebody's own goes on talking, but answers no ack with a keep-alive")
def no_keepalive() -> Plan:
    mute = ClientPlan(script=texts((5, "one"), (315, "two")), machine=NeverAnswersAcks)
    return Plan("echo", duration_s=400, clients=(mute,))


@register("KEEPALIVE_LATE", "the browser freezes the tab when the ack comes, and thaws it when the canister has closed")
def keepalive_late() -> Plan:
    frozen = ClientPlan(script=texts((5, "one")), machine=partial(FrozenTab, from_s=200, to_s=400))
    return Plan("echo", duration_s=440, clients=(frozen,))


TOO_LONG: Final = "x" * (MAX_INGRESS_BYTES + 1)


@register(
    "LOST_UP", "the client's second message is larger than a replica takes, and the gateway only logs the refusal"
)
def lost_up() -> Plan:
    script = texts((5, "one"), (25, TOO_LONG), (45, "three"))
    return Plan("echo", duration_s=120, clients=(ClientPlan(script=script),))


@register("KEEPALIVE_RACE", "a key that takes 8 s to sign: the keep-alive overtakes the message that is being signed")
def keepalive_race() -> Plan:
    # A message every 7 s, so that one is being signed whenever the ack comes; and calls that take longer than
    # that, so that the message still leaves before the canister closes for the keep-alive's number.
    script = texts(*((at_s, f"message {at_s}") for at_s in range(3, 320, 7)))
    slow = ClientPlan(script=script, machine=partial(SlowSigner, signing_ms=8_000))
    return Plan("echo", duration_s=340, clients=(slow,), network=Network(update_latency_ms=12_000))
