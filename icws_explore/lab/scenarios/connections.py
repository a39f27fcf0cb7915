"""Scenarios about connections that something between client and gateway ends, and a gateway that goes away."""

from __future__ import annotations

from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import NS_PER_MS

from ..simulator.scripts import Talker
from .custom_machines import Silent
from .faults import DropsAfter, DropsAt
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import texts

HELLO = {"text": "hello"}
LIFETIME_S = 120.0


@register("GATEWAY_RESTART", "the gateway is restarted while three clients are connected")
def gateway_restart() -> Plan:
    clients = tuple(ClientPlan(at_s=at_s, script=Talker(HELLO)) for at_s in (0, 3, 6))
    return Plan("echo", duration_s=120, clients=clients, faults=DropsAt(70, sessions=range(3)))


@register("LIFETIME_LIMIT", "a load balancer ends every connection after two minutes, however busy it is")
def lifetime_limit() -> Plan:
    clients = tuple(ClientPlan(at_s=at_s, script=Talker(HELLO, every_ms=7_000)) for at_s in (0, 50))
    return Plan("echo", duration_s=240, clients=clients, faults=DropsAfter(LIFETIME_S))


@register("CONNECTION_LOST", "the client's network fails once")
def connection_lost() -> Plan:
    client = ClientPlan(script=texts((5, "one"), (20, "two")))
    return Plan("echo", duration_s=90, clients=(client,), faults=DropsAt(57, sessions=[0]))


@register("UNEXPLAINED_END", "the gateway's side closes with 1011 and gives no reason")
def unexplained_end() -> Plan:
    client = ClientPlan(script=texts((5, "one"), (20, "two")))
    faults = DropsAt(40, sessions=[0], code=CloseCode.INTERNAL_ERROR)
    return Plan("echo", duration_s=90, clients=(client,), faults=faults)


@register("SUBPROTOCOL", "a browser drops the connection because the gateway confirms no subprotocol")
def subprotocol() -> Plan:
    return Plan("echo", duration_s=30, clients=(ClientPlan(machine=Silent),), faults=DropsAfter(1 / NS_PER_MS))
