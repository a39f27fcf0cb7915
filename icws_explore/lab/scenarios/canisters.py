"""Scenarios about the canister: it traps, loses its certified data, is stopped or upgraded, or ends a session."""

from __future__ import annotations

import hashlib

from icws_explore.protocol import candid
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.principal import Principal

from ..replica.subnet import LabKeys
from ..simulator.scripts import Talker
from .faults import Stopped, Upgrade
from .nonconforming_canisters import WithoutTimers
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import TEXT, echo, goodbye, texts

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


@register("CERTIFIED_DATA_CLASH", "other code of the canister sets its own certified data after the third reply")
def certified_data_clash() -> Plan:
    def on_message(context: AppContext, client: Principal, message: str) -> None:
        context.state["seen"] = context.state.get("seen", 0) + 1
        context.send(client, message)
        if context.state["seen"] == 3:
            context.set_certified_data(hashlib.sha256(b"the assets of a web page").digest())

    app = App("shared", candid.parse_type("text"), on_message=on_message)
    return Plan(app, duration_s=120, clients=(ClientPlan(script=Talker("hello")),))


@register("POLLER_DEAD", "the canister is stopped, so it rejects the gateway's polls permanently")
def poller_dead() -> Plan:
    clients = tuple(ClientPlan(at_s=at_s) for at_s in (0, 3, 6))
    return Plan("ticker", duration_s=120, clients=clients, faults=Stopped(90))


@register("UPGRADE_WIPE", "the canister is upgraded while clients are connected at two gateways")
def upgrade_wipe() -> Plan:
    clients = tuple(
        ClientPlan(at_s=at_s, gateway=gateway, script=Talker(HELLO)) for at_s, gateway in ((0, 0), (3, 1), (6, 0))
    )
    return Plan("echo", duration_s=760, clients=clients, gateways=2, faults=Upgrade(400))


@register("HANDLERS_LOST", "the canister is upgraded between two sessions, and post_upgrade does not call init")
def handlers_lost() -> Plan:
    before = ClientPlan(script=texts((5, "one"), (20, "two")), leaves_s=40)
    after = ClientPlan(script=texts((5, "one"), (20, "two"), (35, "three")), at_s=90)
    mute = WithoutTimers("without init", TEXT)
    return Plan("echo", duration_s=240, clients=(before, after), faults=Upgrade(60, mute))


@register("STALE_NONCE", "the canister is upgraded while its gateway keeps running, and then another client connects")
def stale_nonce() -> Plan:
    clients = tuple(ClientPlan(at_s=at_s, script=Talker(HELLO)) for at_s in (0, 3, 450))
    return Plan("echo", duration_s=760, clients=clients, faults=Upgrade(400))


@register("CLOSED_BY_APPLICATION", "the canister's code closes the session when the client says bye")
def closed_by_application() -> Plan:
    return Plan(goodbye(), duration_s=60, clients=(ClientPlan(script=texts((5, "hello"), (20, "bye"))),))


def _same_person(keys: LabKeys, start_ns: int) -> Identity:
    del start_ns
    return keys.identity("a person with two tabs")


@register(
    "PRINCIPAL_TAKEOVER", "two tabs share one identity: the second tab's ws_open makes the canister forget the first"
)
def principal_takeover() -> Plan:
    first = ClientPlan(identity=_same_person, script=texts((5, "one"), (60, "two")))
    second = ClientPlan(identity=_same_person, script=texts((5, "three"), (40, "four")), at_s=30)
    return Plan("echo", duration_s=420, clients=(first, second))
