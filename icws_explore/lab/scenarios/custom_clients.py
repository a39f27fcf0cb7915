"""Scenarios about custom clients, and about pages that use the SDK in a wrong way."""

from __future__ import annotations

from icws_explore.protocol import candid
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.keys import Identity

from ..faults import tampered
from ..identities import identity_of_kind
from ..replica.subnet import LabKeys
from ..simulator.conditions import NetworkConditions
from ..simulator.scripts import Script, ScriptedClient, Talker
from .custom_machines import (
    AnswersAcksWithAcks,
    CannotSign,
    ChangesKey,
    CountsFromZero,
    FixedNonce,
    Ic4j,
    IdleManager,
    IgnoresProofs,
    LimitsFrames,
    NamesAnotherClient,
    OpensTwice,
    RepeatsRequests,
    ResendsNumber,
    ReusesExpiry,
    RoundsNonce,
)
from .faults import Downward, DropsAt
from .plan import ClientPlan, Plan
from .registry import register
from .scripts import texts

UNTIL_S = 380.0  # after the ack time-out
OLD_TYPE = candid.parse_type("record { message : text }")  # of declarations from before a field was renamed


def _plan(machine: type[ClientMachine], *lines: tuple[float, str], duration_s: float = UNTIL_S) -> Plan:
    """One client that says ``lines`` to an echo."""
    return Plan("echo", duration_s=duration_s, clients=(ClientPlan(machine=machine, script=texts(*lines)),))


@register("CLIENT_KEY_MISMATCH", "a custom client puts another principal into its messages' client_key")
def client_key_mismatch() -> Plan:
    return _plan(NamesAnotherClient, (5, "one"), (60, "two"))


@register("NONCE_MISMATCH", "a custom client rounds its nonce to a JavaScript Number")
def nonce_mismatch() -> Plan:
    return _plan(RoundsNonce, (5, "one"), (60, "two"))


def _fixed(keys: LabKeys, start_ns: int) -> Identity:
    del start_ns
    return keys.identity("a client with one nonce")


@register("NONCE_REUSED", "a custom client has a fixed nonce, and connects again while its first session is open")
def nonce_reused() -> Plan:
    clients = tuple(
        ClientPlan(machine=FixedNonce, identity=_fixed, at_s=at_s, script=texts((5, "one"))) for at_s in (0, 30)
    )
    conditions = NetworkConditions(ordered=False)  # calls are answered with their outcome
    return Plan("echo", duration_s=120, clients=clients, conditions=conditions, records_network=True)


@register(
    "IGNORES_PROOFS",
    "a client that ignores failed proofs gets a message that the gateway has changed",
    beside=("BODY_HASH",),
)
def ignores_proofs() -> Plan:
    changed = Downward(lambda number, data: [tampered(data) if number == 3 else data])
    clients = (ClientPlan(machine=IgnoresProofs, script=texts((5, "one"), (20, "two"), (35, "three"))),)
    return Plan("echo", duration_s=60, clients=clients, faults=changed)


@register("SIGNER_CHANGED", "a custom client signs its messages with another key than its ws_open")
def signer_changed() -> Plan:
    return _plan(ChangesKey, (5, "one"), (60, "two"))


@register("FIRST_NUMBER", "a custom client numbers its messages from 0")
def first_number() -> Plan:
    return _plan(CountsFromZero, (5, "one"), duration_s=60)


@register("NUMBER_SENT_TWICE", "a custom client sends its second message again, in a new request")
def number_sent_twice() -> Plan:
    return _plan(ResendsNumber, (5, "one"), (20, "two"), duration_s=60)


@register("REQUEST_SENT_TWICE", "a custom client sends each message's request twice")
def request_sent_twice() -> Plan:
    return _plan(RepeatsRequests, (5, "one"), (20, "two"), duration_s=60)


@register("WS_OPEN_TWICE", "a custom client sends ws_open twice")
def ws_open_twice() -> Plan:
    return _plan(OpensTwice, (5, "one"), duration_s=60)


@register("EXPIRY_REUSED", "a custom client uses the ingress_expiry of its ws_open for all requests")
def expiry_reused() -> Plan:
    return _plan(ReusesExpiry, (5, "one"), (200, "two"), (320, "three"), (340, "four"), duration_s=700)


@register("ACK_ANSWERED_WITH_ACK", "a custom client answers an AckMessage with an AckMessage")
def ack_answered_with_ack() -> Plan:
    return _plan(AnswersAcksWithAcks, (5, "one"), duration_s=400)


@register("SDK_FAILED_LOCALLY", "the client's key fails to sign its ws_open")
def sdk_failed_locally() -> Plan:
    return _plan(CannotSign, duration_s=30)


@register("FRAME_TOO_LARGE", "the client's WebSocket library refuses frames above its limit")
def frame_too_large() -> Plan:
    return _plan(LimitsFrames, (5, "short"), (20, "x" * 2_000), duration_s=60)


@register("INDEFINITE_CBOR", "an ic4j client writes CBOR of indefinite length")
def indefinite_cbor() -> Plan:
    return _plan(Ic4j, (5, "one"), (20, "two"), duration_s=60)


@register("CLOSED_AT_128", "an ic4j client fails at the canister's message 128")
def closed_at_128() -> Plan:
    clients = (ClientPlan(machine=Ic4j, script=Talker({"text": "again"}, every_ms=2_000, times=4)),)
    return Plan("echo", duration_s=200, clients=clients)


@register("PAGE_IDLE_RELOAD", "a page with an IdleManager reloads ten minutes after the client's last message")
def page_idle_reload() -> Plan:
    def logged_in(keys: LabKeys, start_ns: int) -> Identity:
        return identity_of_kind("delegation", keys, "a user", now_ns=start_ns)

    clients = (ClientPlan(machine=IdleManager, identity=logged_in, script=texts((5, "one"), (20, "two"))),)
    return Plan("echo", duration_s=660, clients=clients)


class _OldDeclarations(Script):
    """Sends a message of the type that the canister's interface had before."""

    def opened(self, client: ScriptedClient) -> None:
        for at_s in (5.0, 20.0):
            client.after(at_s * 1000, client.send_bytes, candid.encode([OLD_TYPE], [{"message": "hello"}]))


@register("STALE_DECLARATIONS", "the client encodes its messages by declarations that are out of date")
def stale_declarations() -> Plan:
    return Plan("echo", duration_s=60, clients=(ClientPlan(script=_OldDeclarations()),))


@register("SOCKETS_PER_RENDER", "a page opens a socket each time it renders, and is closed after two minutes")
def sockets_per_render() -> Plan:
    clients = tuple(ClientPlan(at_s=3.0 * number) for number in range(7))
    return Plan("pingpong", duration_s=150, clients=clients, faults=DropsAt(120, sessions=range(7)))
