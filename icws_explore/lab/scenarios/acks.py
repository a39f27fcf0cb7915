"""Scenarios about acks, keep-alives, and the sequence numbers of the client's messages."""

from __future__ import annotations

from functools import partial
from typing import Final

from icws_explore.protocol.constants import LATENCY_BOUND_MS, MAX_INGRESS_BYTES

from ..simulator.conditions import NetworkConditions
from ..simulator.scripts import Talker
from .nonconforming_canisters import AcksAhead, WithoutTimers
from .nonconforming_clients import FrozenTab, NeverAnswersAcks, SlowSigner
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import TEXT, echo, texts

OLD_ACK_TIMEOUT_MS: Final = 90_000  # ic-websocket-js up to 0.3.0
TOO_LONG: Final = "x" * (MAX_INGRESS_BYTES + 1)


@register("NO_ACKS", "a Motoko canister that does not call ws.init<system>(): messages arrive, but acks are never sent")
def no_acks() -> Plan:
    app = WithoutTimers("without timers", TEXT, on_message=echo)
    return Plan(app, duration_s=480, clients=(ClientPlan(script=texts((5, "one"), (40, "two"), (290, "three"))),))


@register("ACK_INTERVAL_MISMATCH", "the client expects acks every 90 s, but the canister sends them every 200 s")
def ack_interval_mismatch() -> Plan:
    impatient = ClientPlan(script=Talker({"text": "hello"}), ack_interval_ms=90_000)
    return Plan("echo", duration_s=600, clients=(impatient,), ack_interval_ms=200_000)


@register(
    "ACK_DEFAULTS_SKEW", "an ic-websocket-js up to 0.3.0 gives up after 90 s, but the canister's CDK acks every 300 s"
)
def ack_defaults_skew() -> Plan:
    old = ClientPlan(script=texts((5, "one"), (40, "two")), ack_interval_ms=OLD_ACK_TIMEOUT_MS - LATENCY_BOUND_MS)
    # This SDK has no ack interval to configure, so a developer who records it cannot state one.
    return Plan("echo", duration_s=180, clients=(old,), recorded={"ack_interval_ms": None})


@register("ACK_TOO_HIGH", "the canister acks six messages more than the client sent")
def ack_too_high() -> Plan:
    app = AcksAhead("acks ahead", TEXT, on_message=echo)
    return Plan(app, duration_s=360, clients=(ClientPlan(script=texts((5, "one"), (290, "two"))),))


@register("NO_KEEPALIVE", "a custom client keeps sending messages but does not answer acks with keep-alives")
def no_keepalive() -> Plan:
    silent = ClientPlan(script=texts((5, "one"), (315, "two")), machine=NeverAnswersAcks)
    return Plan("echo", duration_s=400, clients=(silent,))


@register(
    "KEEPALIVE_LATE", "the browser freezes the tab before the ack arrives and thaws it after the canister has closed"
)
def keepalive_late() -> Plan:
    frozen = ClientPlan(script=texts((5, "one")), machine=partial(FrozenTab, from_s=200, to_s=400))
    return Plan("echo", duration_s=440, clients=(frozen,))


@register(
    "LOST_UP", "the client's second message is larger than a replica accepts, and the gateway only logs the refusal"
)
def lost_up() -> Plan:
    script = texts((5, "one"), (25, TOO_LONG), (45, "three"))
    return Plan("echo", duration_s=120, clients=(ClientPlan(script=script),))


@register(
    "KEEPALIVE_RACE", "the client's key takes 8 s to sign, so the keep-alive overtakes the message that is being signed"
)
def keepalive_race() -> Plan:
    # A message every 7 s ensures that one is being signed when the ack arrives. Calls take longer than signing,
    # so the message still leaves before the canister closes because of the keep-alive's number.
    script = texts(*((at_s, f"message {at_s}") for at_s in range(3, 320, 7)))
    slow = ClientPlan(script=script, machine=partial(SlowSigner, signing_ms=8_000))
    return Plan("echo", duration_s=340, clients=(slow,), conditions=NetworkConditions(update_latency_ms=12_000))
