"""Acks and keep-alives: none, too late, or for what was never sent."""

from __future__ import annotations

from functools import partial
from typing import Final

from icws_explore.protocol.constants import LATENCY_BOUND_MS

from .answers import TEXT, echo
from .nonconforming_canisters import AcksAhead, WithoutTimers
from .odd_timing import FrozenTab, NeverAnswersAcks
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import texts

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
