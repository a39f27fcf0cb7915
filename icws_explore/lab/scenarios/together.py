"""Sessions that get into each other's way."""

from __future__ import annotations

from icws_explore.protocol.keys import Identity

from ..replica.keys import LabKeys
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import texts


def _same_person(keys: LabKeys, start_ns: int) -> Identity:
    del start_ns
    return keys.identity("a person with two tabs")


@register(
    "PRINCIPAL_TAKEOVER", "two tabs with one identity: the second one's ws_open makes the canister forget the first"
)
def principal_takeover() -> Plan:
    first = ClientPlan(identity=_same_person, script=texts((5, "one"), (60, "two")))
    second = ClientPlan(identity=_same_person, script=texts((5, "three"), (40, "four")), at_s=30)
    return Plan("echo", duration_s=420, clients=(first, second))
