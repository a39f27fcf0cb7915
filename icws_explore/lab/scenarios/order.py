"""Sequence numbers on the way up: what the canister misses, or gets the other way round."""

from __future__ import annotations

from typing import Final

from icws_explore.protocol.constants import MAX_INGRESS_BYTES

from .lines import texts
from .plan import ClientPlan, Plan
from .registry import register

TOO_LONG: Final = "x" * (MAX_INGRESS_BYTES + 1)


@register(
    "LOST_UP", "the client's second message is larger than a replica takes, and the gateway only logs the refusal"
)
def lost_up() -> Plan:
    script = texts((5, "one"), (25, TOO_LONG), (45, "three"))
    return Plan("echo", duration_s=120, clients=(ClientPlan(script=script),))
