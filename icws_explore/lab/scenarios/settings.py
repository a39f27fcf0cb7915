"""Settings that do not go together: a clock that is wrong, intervals that are not each other's."""

from __future__ import annotations

from .plan import ClientPlan, Plan
from .registry import register
from .talker import Talker


@register("INGRESS_EXPIRY", "the client's clock is five minutes slow")
def ingress_expiry() -> Plan:
    return Plan("pingpong", duration_s=120, clients=(ClientPlan(skew_ms=-301_000.0),))


@register("ACK_INTERVAL_MISMATCH", "the client expects acks every 90 s, the canister sends them every 200 s")
def ack_interval_mismatch() -> Plan:
    hasty = ClientPlan(script=Talker({"text": "hello"}), ack_interval_ms=90_000)
    return Plan("echo", duration_s=600, clients=(hasty,), ack_interval_ms=200_000)
