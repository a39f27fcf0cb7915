"""Sessions that do not open, or that end, for what the client is: old SDKs, clients of somebody's own, bad requests."""

from __future__ import annotations

from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope, check_envelope
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.keys import AnonymousIdentity, Identity, delegate_to
from icws_explore.protocol.messages import Handshake
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import first_failure

from ..faults import Delivery, Faults, Stage
from ..identities import identity_of_kind
from ..replica.subnet import LAST_CANISTER, LabKeys, canister_principal
from .nonconforming_canisters import ListsGateways
from .nonconforming_clients import (
    AgentV3,
    AgentV3Unread,
    BareSocket,
    Js021,
    Js022,
    NamesAnotherGateway,
    Pings,
    RenewsTheExpiry,
    Unsigned,
)
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import TEXT, echo, texts

UNTIL_S = 90.0  # behind the open timeout
ROUND_TRIP_S = 0.2


class Gateway105(Faults):
    """Gateways up to 1.0.5: they do not introduce themselves, and drop a client whose request the replica refuses.

    Source: client_connection_handler.rs of 1.0.5, where an error of update_signed ends the handler's loop.
    """

    def __init__(self) -> None:
        self._stage: Stage | None = None

    def begin(self, stage: Stage) -> None:
        self._stage = stage

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        del session
        try:
            Handshake.decode(data)
        except DecodeError:
            return [Delivery(data)]
        return []

    def client_frame(self, session: int, data: bytes) -> list[Delivery]:
        stage = self._stage
        assert stage is not None
        steps = check_envelope(Envelope.decode_frame(data), now_ns=stage.now_ns)
        if first_failure(steps) is None:
            return [Delivery(data)]
        stage.after(ROUND_TRIP_S, lambda: stage.drop(session, 1006))
        return []


class LosesCalls(Faults):
    """What a gateway sends to the network does not get there."""

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        del session, envelope
        return []


def _one(client: ClientPlan, *, faults: Faults | None = None) -> Plan:
    return Plan("echo", duration_s=UNTIL_S, clients=(client,), faults=faults or Faults())


@register("OLD_SDK_NEW_GATEWAY", "an ic-websocket-js 0.2.2, which knows no handshake, at a gateway that sends one")
def old_sdk_new_gateway() -> Plan:
    return _one(ClientPlan(machine=Js022))


@register("RAW_CLIENT", "a bare WebSocket that says hello in JSON")
def raw_client() -> Plan:
    return _one(ClientPlan(machine=BareSocket))


@register("PING_KILLS_SESSION", "a WebSocket library that pings every 20 s under an otherwise good client")
def ping_kills_session() -> Plan:
    return _one(ClientPlan(machine=Pings, script=texts((5, "hello"))))


@register("DELEGATION_DROPPED", "an ic-websocket-js 0.2.1 with Internet Identity, at a gateway of its time")
def delegation_dropped() -> Plan:
    def logged_in(keys: LabKeys, start_ns: int) -> Identity:
        return identity_of_kind("internet-identity", keys, "a user", now_ns=start_ns)

    return _one(ClientPlan(machine=Js021, identity=logged_in), faults=Gateway105())


@register("DELEGATION_EXPIRED", "a log-in that ended half a minute before the client connected")
def delegation_expired() -> Plan:
    def logged_out(keys: LabKeys, start_ns: int) -> Identity:
        root, session = keys.identity("a user"), keys.identity("a session of a user")
        return delegate_to(root, session, expiration_ns=start_ns - 30 * NS_PER_S)

    return _one(ClientPlan(identity=logged_out))


@register("ANONYMOUS", "a client of somebody's own that signs nothing")
def anonymous() -> Plan:
    def nobody(keys: LabKeys, start_ns: int) -> Identity:
        del keys, start_ns
        return AnonymousIdentity()

    return _one(ClientPlan(machine=Unsigned, identity=nobody))


@register("GATEWAY_PRINCIPAL_MISMATCH", "a client that names the gateway of its configuration, not the handshake's")
def gateway_principal_mismatch() -> Plan:
    return _one(ClientPlan(machine=NamesAnotherGateway))


@register("GATEWAY_NOT_REGISTERED", "a canister on CDK 0.3.0 whose list of gateways lacks this one")
def gateway_not_registered() -> Plan:
    listed = (Principal.self_authenticating(b"the gateway that the canister was made for"),)
    app = ListsGateways("lists gateways", TEXT, on_message=echo, listed=listed)
    return Plan(app, duration_s=UNTIL_S, clients=(ClientPlan(),))


@register("OPEN_TIMEOUT", "the client's ws_open is lost between gateway and network")
def open_timeout() -> Plan:
    return _one(ClientPlan(), faults=LosesCalls())


@register(
    "AGENT_V3_EXPIRY",
    "two ic-websocket-js with @dfinity/agent 3: one sends a duration as ingress_expiry, the other cannot read",
)
def agent_v3_expiry() -> Plan:
    clients = (ClientPlan(machine=AgentV3), ClientPlan(machine=AgentV3Unread, at_s=5))
    return Plan("echo", duration_s=UNTIL_S, clients=clients)


@register("BAD_SIGNATURE", "a client that puts off a request's expiry after signing it")
def bad_signature() -> Plan:
    return _one(ClientPlan(machine=RenewsTheExpiry))


@register("WRONG_CANISTER", "the client is configured with the id of a canister that is not there")
def wrong_canister() -> Plan:
    return _one(ClientPlan(canister_id=canister_principal(LAST_CANISTER - 1)))
