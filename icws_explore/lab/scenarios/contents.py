"""Scenarios in which a genuine message is useless: wrong recipient, wrong type, or a client that rejects it."""

from __future__ import annotations

from icws_explore.protocol.candid import NAT, encode
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.constants import LATENCY_BOUND_MS, MAINNET_ROOT_KEY
from icws_explore.protocol.principal import Principal

from .faults import GivesAway
from .nonconforming_clients import Js031, Js034
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import TEXT, goodbye, texts

ACK_TIMEOUT_0_3_1_MS = 450_000  # the default of ic-websocket-js 0.3.1


@register("ROOT_KEY", "the client trusts mainnet's root key on another network")
def root_key() -> Plan:
    mistaken = ClientPlan(root_key=MAINNET_ROOT_KEY, script=texts((5, "hello")))
    recorded = {"root_key": MAINNET_ROOT_KEY}
    return Plan("echo", duration_s=30, clients=(mistaken,), recorded=recorded, asks_status=True)


@register("SDK_REJECTS_VALID", "an ic-websocket-js 0.3.4 with @dfinity/agent 1.4.0, which rejects all certified data")
def sdk_rejects_valid() -> Plan:
    return Plan("echo", duration_s=30, clients=(ClientPlan(machine=Js034),))


@register("APP_TYPE_MISMATCH", "the canister answers the second message with a number where text is declared")
def app_type_mismatch() -> Plan:
    def on_message(context: AppContext, client: Principal, message: dict[str, str]) -> None:
        if message["text"] == "how many":
            context.send_bytes(client, encode([NAT], [7]))
        else:
            context.send(client, message)

    app = App("counts", TEXT, on_message=on_message)
    return Plan(app, duration_s=60, clients=(ClientPlan(script=texts((5, "hello"), (20, "how many"))),))


@register("CLIENT_KEY_FOREIGN", "the gateway sends one client a message that the canister made for another client")
def client_key_foreign() -> Plan:
    clients = (ClientPlan(), ClientPlan(at_s=1))
    return Plan("ticker", duration_s=90, clients=clients, faults=GivesAway())


@register(
    "UNKNOWN_CLOSE_VARIANT",
    "the canister closes the session of an ic-websocket-js 0.3.1, which does not know CloseMessage",
)
def unknown_close_variant() -> Plan:
    old = ClientPlan(
        machine=Js031,
        ack_interval_ms=ACK_TIMEOUT_0_3_1_MS - LATENCY_BOUND_MS,
        script=texts((5, "hello"), (20, "bye")),
    )
    return Plan(goodbye(), duration_s=60, clients=(old,))
