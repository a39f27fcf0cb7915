"""Sequence numbers on the way up: what the canister misses, or gets the other way round."""

from __future__ import annotations

from functools import partial
from typing import Final

from icws_explore.protocol.constants import MAX_INGRESS_BYTES

from ..simulator.conditions import Network
from .odd_timing import SlowSigner
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import texts

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
