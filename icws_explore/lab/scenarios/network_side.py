"""Scenarios that show in HTTP: between gateway and network, in a page's calls, or in place of a WebSocket."""

from __future__ import annotations

from http import HTTPStatus

from icws_explore.protocol.canister import App
from icws_explore.protocol.keys import Identity

from ..faults import Faults
from ..replica.subnet import LabKeys
from ..simulator.conditions import NetworkConditions
from ..simulator.scripts import Talker
from .custom_machines import JsonRpc
from .faults import Frozen, Muted, Refuses, WrongGatewayClock
from .nonconforming_canisters import Greets, InspectsCalls, NeverReplies
from .plan import ClientPlan, PageCallPlan, Plan
from .registry import register
from .scripts import TEXT, echo, texts

UNTIL_S = 90.0  # after the open time-out
GATEWAY_AHEAD_S = 600.0  # more than an ingress_expiry may be in the future


def _recorded(app: str | App, faults: Faults | None = None, *, ordered: bool = True) -> Plan:
    """One client whose gateway's calls to the network are recorded.

    Unless they are ``ordered``, the gateway waits for their outcomes, and these are recorded too.
    """
    return Plan(
        app,
        duration_s=UNTIL_S,
        clients=(ClientPlan(script=texts((5, "one"), (20, "two"))),),
        conditions=NetworkConditions(ordered=ordered),
        faults=faults or Faults(),
        records_network=True,
    )


@register("OUT_OF_CYCLES", "the canister has used up its cycles")
def out_of_cycles() -> Plan:
    return _recorded("echo", Frozen(0))


@register("INSPECT_MESSAGE", "the canister's inspect_message refuses the methods of the CDK")
def inspect_message() -> Plan:
    return _recorded(InspectsCalls("inspects", TEXT, on_message=echo, accepted=("greet",)))


@register("NO_REPLY", "the canister's ws_message does not reply")
def no_reply() -> Plan:
    return _recorded(NeverReplies("silent", TEXT, on_message=echo), ordered=False)


@register("POLLS_REFUSED", "the boundary node refuses the gateway's polls with HTTP 429")
def polls_refused() -> Plan:
    return _recorded("echo", Refuses("query", HTTPStatus.TOO_MANY_REQUESTS, "rate limit exceeded"))


@register("GATEWAY_CLOCK", "the clock of the gateway's machine is ten minutes fast")
def gateway_clock() -> Plan:
    return _recorded("echo", WrongGatewayClock(GATEWAY_AHEAD_S))


@register("CALLER_MISMATCH", "a page opens its socket as a random identity, and calls the canister as its user")
def caller_mismatch() -> Plan:
    def user(keys: LabKeys, start_ns: int) -> Identity:
        del start_ns
        return keys.identity("the user of a page")

    return Plan(
        Greets("greets", TEXT, on_message=echo),
        duration_s=60,
        clients=(ClientPlan(script=Talker({"text": "hello"})),),
        records_network=True,
        page_calls=(PageCallPlan(10, user, "greet"),),
    )


@register("SOCKET_NEVER_OPENED", "a proxy in front of the gateway answers 404 in place of a WebSocket")
def socket_never_opened() -> Plan:
    return Plan("echo", duration_s=30, faults=Refuses("upgrade", HTTPStatus.NOT_FOUND, "not found"))


@register("NO_IC_WEBSOCKET", "the only socket of the recording speaks JSON-RPC to another server")
def no_ic_websocket() -> Plan:
    return Plan("echo", duration_s=30, clients=(ClientPlan(machine=JsonRpc),), faults=Muted(), as_har=True)
