"""Scenarios in which a session does not open, or ends because of what the client is or sends.

The causes are old SDKs, custom clients, wrong settings, and requests that the replica refuses.
"""

from __future__ import annotations

from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.keys import AnonymousIdentity, Identity, delegate_to
from icws_explore.protocol.principal import Principal

from ..faults import Faults
from ..identities import identity_of_kind
from ..replica.subnet import LAST_CANISTER, LabKeys, canister_principal
from .faults import Gateway105, LosesCalls
from .nonconforming_canisters import ListsGateways
from .nonconforming_clients import (
    AgentV3,
    AgentV3Unread,
    BareSocket,
    ExtendsExpiry,
    Js021,
    Js022,
    NamesWrongGateway,
    Pings,
    Unsigned,
)
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import TEXT, echo, texts

DURATION_S = 90.0  # longer than the open timeout of 60 s


def _one(client: ClientPlan, *, faults: Faults | None = None) -> Plan:
    return Plan("echo", duration_s=DURATION_S, clients=(client,), faults=faults or Faults())


@register("OLD_SDK_NEW_GATEWAY", "an ic-websocket-js 0.2.2, which knows no handshake, at a gateway that sends one")
def old_sdk_new_gateway() -> Plan:
    return _one(ClientPlan(machine=Js022))


@register("RAW_CLIENT", "a plain WebSocket that sends JSON in a text frame")
def raw_client() -> Plan:
    return _one(ClientPlan(machine=BareSocket))


@register("PING_KILLS_SESSION", "a conforming client on a WebSocket library that sends a ping every 20 s")
def ping_kills_session() -> Plan:
    return _one(ClientPlan(machine=Pings, script=texts((5, "hello"))))


@register("DELEGATION_DROPPED", "an ic-websocket-js 0.2.1 with Internet Identity, at a gateway of the same time")
def delegation_dropped() -> Plan:
    def logged_in(keys: LabKeys, start_ns: int) -> Identity:
        return identity_of_kind("internet-identity", keys, "a user", now_ns=start_ns)

    return _one(ClientPlan(machine=Js021, identity=logged_in), faults=Gateway105())


@register("DELEGATION_EXPIRED", "a login that expired 30 s before the client connects")
def delegation_expired() -> Plan:
    def logged_out(keys: LabKeys, start_ns: int) -> Identity:
        root, session = keys.identity("a user"), keys.identity("a session of a user")
        return delegate_to(root, session, expiration_ns=start_ns - 30 * NS_PER_S)

    return _one(ClientPlan(identity=logged_out))


@register("INGRESS_EXPIRY", "the client's clock is five minutes slow")
def ingress_expiry() -> Plan:
    return Plan("pingpong", duration_s=120, clients=(ClientPlan(skew_ms=-301_000.0),))


@register("ANONYMOUS", "a custom client that signs nothing")
def anonymous() -> Plan:
    def nobody(keys: LabKeys, start_ns: int) -> Identity:
        del keys, start_ns
        return AnonymousIdentity()

    return _one(ClientPlan(machine=Unsigned, identity=nobody))


@register("GATEWAY_PRINCIPAL_MISMATCH", "a client that names the gateway of its configuration, not of the handshake")
def gateway_principal_mismatch() -> Plan:
    return _one(ClientPlan(machine=NamesWrongGateway))


@register("GATEWAY_NOT_REGISTERED", "a canister on CDK 0.3.0 whose list of gateways lacks this one")
def gateway_not_registered() -> Plan:
    listed = (Principal.self_authenticating(b"the gateway that the canister was made for"),)
    app = ListsGateways("lists gateways", TEXT, on_message=echo, listed=listed)
    return Plan(app, duration_s=DURATION_S, clients=(ClientPlan(),))


@register("OPEN_TIMEOUT", "the client's ws_open is lost between gateway and network")
def open_timeout() -> Plan:
    return _one(ClientPlan(), faults=LosesCalls())


@register(
    "AGENT_V3_EXPIRY",
    "two ic-websocket-js with @dfinity/agent 3: one sends a duration as ingress_expiry, the other cannot read frames",
)
def agent_v3_expiry() -> Plan:
    clients = (ClientPlan(machine=AgentV3), ClientPlan(machine=AgentV3Unread, at_s=5))
    return Plan("echo", duration_s=DURATION_S, clients=clients)


@register("BAD_SIGNATURE", "a client that extends a request's expiry after signing it")
def bad_signature() -> Plan:
    return _one(ClientPlan(machine=ExtendsExpiry))


@register("WRONG_CANISTER", "the client is configured with the id of a canister that does not exist")
def wrong_canister() -> Plan:
    return _one(ClientPlan(canister_id=canister_principal(LAST_CANISTER - 1)))
