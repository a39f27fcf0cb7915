"""Canisters that trap, whose certified data is overwritten, that are stopped, or upgraded with clients in them."""

from __future__ import annotations

import hashlib

from icws_explore.protocol import candid
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.principal import Principal

from .gateways import Stopped, Upgrade
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import Talker, echo

HELLO = {"text": "hello"}


@register("ON_OPEN_TRAP", "on_open traps for every client but the first")
def on_open_trap() -> Plan:
    def on_open(context: AppContext, client: Principal) -> None:
        if context.state.setdefault("first", client) != client:
            context.trap("not today")

    app = App("choosy", candid.parse_type("text"), on_open=on_open, on_message=echo)
    clients = tuple(ClientPlan(at_s=at_s, script=Talker("hello")) for at_s in (0, 30))
    return Plan(app, duration_s=180, clients=clients)


@register("ON_MESSAGE_TRAP", "on_message traps at the third message")
def on_message_trap() -> Plan:
    def on_message(context: AppContext, client: Principal, message: str) -> None:
        context.state["seen"] = context.state.get("seen", 0) + 1
        if context.state["seen"] == 3:
            context.trap("the third one")
        context.send(client, message)

    app = App("third", candid.parse_type("text"), on_message=on_message)
    return Plan(app, duration_s=180, clients=(ClientPlan(script=Talker("hello")),))


@register("CERTIFIED_DATA_CLASH", "other code of the canister certifies its own data behind the third answer")
def certified_data_clash() -> Plan:
    def on_message(context: AppContext, client: Principal, message: str) -> None:
        context.state["seen"] = context.state.get("seen", 0) + 1
        context.send(client, message)
        if context.state["seen"] == 3:
            context.set_certified_data(hashlib.sha256(b"the assets of a web page").digest())

    app = App("shared", candid.parse_type("text"), on_message=on_message)
    return Plan(app, duration_s=120, clients=(ClientPlan(script=Talker("hello")),))


@register("POLLER_DEAD", "the canister is stopped, so that polls are rejected for good")
def poller_dead() -> Plan:
    clients = tuple(ClientPlan(at_s=at_s) for at_s in (0, 3, 6))
    return Plan("ticker", duration_s=120, clients=clients, faults=Stopped(90))


@register("UPGRADE_WIPE", "the canister is upgraded with clients at two gateways")
def upgrade_wipe() -> Plan:
    clients = tuple(
        ClientPlan(at_s=at_s, gateway=gateway, script=Talker(HELLO)) for at_s, gateway in ((0, 0), (3, 1), (6, 0))
    )
    return Plan("echo", duration_s=760, clients=clients, gateways=2, faults=Upgrade(400))


@register("STALE_NONCE", "the canister is upgraded while its gateway runs on, and one more client comes")
def stale_nonce() -> Plan:
    clients = tuple(ClientPlan(at_s=at_s, script=Talker(HELLO)) for at_s in (0, 3, 450))
    return Plan("echo", duration_s=760, clients=clients, faults=Upgrade(400))
