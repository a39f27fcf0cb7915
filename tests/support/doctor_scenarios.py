"""For each of the doctor's ids a capture in which it is what is wrong: the lab's scenarios, the others by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from icws_explore.capture import Capture, Frame
from icws_explore.lab.scenarios import SCENARIOS as LAB_SCENARIOS
from icws_explore.protocol import candid
from icws_explore.protocol.arguments import encode_open_args
from icws_explore.protocol.certificate import CertificateIssuer
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope, call_content, ingress_expiry_ns, sign_envelope
from icws_explore.protocol.keys import AnonymousIdentity, DelegatedIdentity, Ed25519Identity, Identity, delegate
from icws_explore.protocol.messages import ClientKey, Handshake
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, CloseReason, KeepAliveMessage
from support.certified_canister import CANISTER_ID, GATEWAY
from support.session_captures import START_S, SessionScript
from support.timing_captures import never_opened, silent, slow_answer

SCENARIOS: dict[str, Callable[[], Capture]] = {}
TIMED_OUT = (4000, "Open connection timeout")
OPEN_TIMEOUT_S = 60.2
OTHER_CANISTER = Principal.from_text("bkyz2-fmaaa-aaaaa-qaaaq-cai")


def scenario(rule_id: str) -> Callable[[Callable[[], Capture]], Callable[[], Capture]]:
    def register(build: Callable[[], Capture]) -> Callable[[], Capture]:
        assert rule_id not in SCENARIOS
        SCENARIOS[rule_id] = build
        return build

    return register


def script() -> SessionScript:
    return SessionScript()


# The beginning


def opening(
    envelope: Callable[[Identity, int], Envelope], *, identity: Identity | None = None, until: float = OPEN_TIMEOUT_S
) -> Capture:
    """Handshake, a ws_open of one's own making, and 60 s of nothing. ``envelope(identity, now_ns)``."""
    session = script()
    session.frame(0, "in", Handshake(GATEWAY).encode())
    session.frame(0.1, "out", envelope(identity or session.identity, session.ns(0.1)).encode_frame())
    return session.closed(until, "out", *TIMED_OUT).capture


def ws_open(
    identity: Identity,
    now_ns: int,
    *,
    gateway: Principal | None = GATEWAY,
    expiry_ns: int | None = None,
    canister: Principal = CANISTER_ID,
) -> dict[str, Any]:
    expiry_ns = ingress_expiry_ns(now_ns) if expiry_ns is None else expiry_ns
    return call_content(canister, "ws_open", encode_open_args(77, gateway), identity.principal, expiry_ns, b"n" * 16)


@scenario("OLD_SDK_NEW_GATEWAY")
def old_sdk() -> Capture:
    return opening(lambda who, now_ns: sign_envelope(ws_open(who, now_ns, gateway=None), who))


@scenario("GATEWAY_PRINCIPAL_MISMATCH")
def gateway_mismatch() -> Capture:
    return opening(lambda who, now_ns: sign_envelope(ws_open(who, now_ns, gateway=CANISTER_ID), who))


@scenario("RAW_CLIENT")
def raw_client() -> Capture:
    session = script().frame(0, "in", Handshake(GATEWAY).encode())
    session.capture.frames.append(Frame(START_S + 1, "out", "text", b'{"hello": "gateway"}'))
    return session.closed(1.1, "in", 1005).capture


@scenario("PING_KILLS_SESSION")
def ping_kills() -> Capture:
    session = script().opened().client_says(5, "a").app_says(7, "b")
    session.capture.frames.append(Frame(START_S + 20, "out", "ping"))
    return session.closed(20.05, "in", 1006).capture


@scenario("ANONYMOUS")
def anonymous() -> Capture:
    return opening(lambda who, now_ns: sign_envelope(ws_open(who, now_ns), who), identity=AnonymousIdentity())


def canister_key() -> bytes:
    """A public key as Internet Identity has it: a canister and a seed in DER."""
    raw = bytes([len(CANISTER_ID.raw)]) + CANISTER_ID.raw + b"s" * 32
    algorithm = bytes.fromhex("300c060a2b0601040183b8430102")
    bits = b"\x03" + bytes([len(raw) + 1]) + b"\x00" + raw
    return b"\x30" + bytes([len(algorithm) + len(bits)]) + algorithm + bits


@scenario("DELEGATION_DROPPED")
def delegation_dropped() -> Capture:
    def envelope(who: Identity, now_ns: int) -> Envelope:
        content = ws_open(who, now_ns) | {"sender": Principal.self_authenticating(canister_key()).raw}
        return replace(sign_envelope(content, who), sender_pubkey=canister_key())

    return opening(envelope)


def delegated(**options: Any) -> Identity:
    root, session = Ed25519Identity.from_secret(b"\x01" * 32), Ed25519Identity.from_secret(b"\x02" * 32)
    link = delegate(root, session.public_key_der, **options)
    return DelegatedIdentity(session, root.public_key_der, [link])


@scenario("DELEGATION_EXPIRED")
def delegation_expired() -> Capture:
    who = delegated(expiration_ns=round((START_S - 30) * NS_PER_S))
    return opening(lambda who, now_ns: sign_envelope(ws_open(who, now_ns), who), identity=who)


@scenario("AGENT_V3_EXPIRY")
def agent_v3() -> Capture:
    return opening(lambda who, now_ns: sign_envelope(ws_open(who, now_ns, expiry_ns=300_000), who))


@scenario("BAD_SIGNATURE")
def bad_signature() -> Capture:
    def envelope(who: Identity, now_ns: int) -> Envelope:
        signed = sign_envelope(ws_open(who, now_ns), who)
        return replace(signed, content=signed.content | {"nonce": b"m" * 16})

    return opening(envelope)


SCENARIOS["OPEN_TIMEOUT"] = never_opened


@scenario("GATEWAY_NOT_REGISTERED")
def gateway_not_registered() -> Capture:
    capture = never_opened()
    return Capture(capture.info, [*capture.frames[:2], Frame(START_S + 2.4, "in", "close", code=1005)])


# Certificates and contents


@scenario("ROOT_KEY")
def root_key() -> Capture:
    capture = script().opened().closed(2.4, "out", 4000, "Error receiving message").capture
    other = CertificateIssuer(b"another network").root_key_der
    return Capture(replace(capture.info, root_key=other), capture.frames)


@scenario("WRONG_CANISTER")
def wrong_canister() -> Capture:
    return opening(lambda who, now_ns: sign_envelope(ws_open(who, now_ns, canister=OTHER_CANISTER), who))


@scenario("SDK_REJECTS_VALID")
def sdk_rejects_valid() -> Capture:
    return script().opened().closed(2.35, "out", 4000, "Error receiving message").capture


@scenario("APP_TYPE_MISMATCH")
def app_type_mismatch() -> Capture:
    session = script().opened().canister_says(5, candid.encode([candid.parse_type("nat")], [7]))
    return session.closed(5.05, "out", 4000, "Error receiving message").capture


@scenario("CLIENT_KEY_FOREIGN")
def client_key_foreign() -> Capture:
    session = script().opened().client_says(3, "a")
    session.app_says(5, "for somebody else", client_key=ClientKey(GATEWAY, 5))
    return session.app_says(8, "b").closed(20, "out", 1000).capture


@scenario("UNKNOWN_CLOSE_VARIANT")
def unknown_close_variant() -> Capture:
    session = (
        script().opened().client_says(3, "a").app_says(5, "b").canister_closes(9, CloseReason.CLOSED_BY_APPLICATION)
    )
    return session.closed(9.1, "out", 4000, "Service message error").capture


# Order


@scenario("KEEPALIVE_RACE")
def keepalive_race() -> Capture:
    session = script().opened().client_says(5, "a").canister_says(290, AckMessage(1))
    session.client_says(290.2, KeepAliveMessage(2), sequence_num=3).client_says(290.21, "b", sequence_num=2)
    return session.closed(290.22, "out", 4000, "Message sending failed").capture


@scenario("LOST_UP")
def lost_up() -> Capture:
    session = script().opened().client_says(5, "a").client_says(20, "x" * 2_200_000).client_says(40, "c")
    session.canister_closes(42, CloseReason.WRONG_SEQUENCE_NUMBER)
    return session.closed(42.1, "out", 4000, "Received close message from canister").capture


# Acks and keep-alives


@scenario("ACK_DEFAULTS_SKEW")
def ack_defaults_skew() -> Capture:
    session = script().opened().client_says(5, "a").app_says(7, "b").client_says(60, "c").app_says(62, "d")
    return session.closed(95.02, "out", 4000, "Ack message timeout").capture


@scenario("ACK_TOO_HIGH")
def ack_too_high() -> Capture:
    session = script().opened().client_says(5, "a").canister_says(290, AckMessage(7))
    return session.closed(290.1, "out", 4000, "Ack message error").capture


SCENARIOS["NO_KEEPALIVE"] = silent
SCENARIOS["KEEPALIVE_LATE"] = slow_answer


# The end


@scenario("CLOSED_BY_APPLICATION")
def closed_by_application() -> Capture:
    session = (
        script().opened().client_says(3, "a").app_says(5, "b").canister_closes(9, CloseReason.CLOSED_BY_APPLICATION)
    )
    return session.closed(9.1, "out", 4001, "ClosedByApplication").capture


@scenario("PROXY_IDLE")
def proxy_idle() -> Capture:
    return script().opened().client_says(5, "a").app_says(7, "b").closed(67.3, "in", 1006).capture


# Several sessions


@scenario("PRINCIPAL_TAKEOVER")
def principal_takeover() -> Capture:
    first, second = SessionScript(session="1"), SessionScript(session="2")
    second.client_key = second.canister.client_key = ClientKey(first.client_key.client_principal, 4)
    first.opened().client_says(4, "a").app_says(6, "b").client_says(40, "c")
    second.opened(30).client_says(44, "x").app_says(46, "y").closed(100, "out", 1000)
    first.closed(334, "out", 4000, "Ack message timeout")
    frames = sorted(first.capture.frames + second.capture.frames, key=lambda frame: frame.t)
    return Capture(first.capture.info, frames)


def _simulated(name: str) -> Callable[[], Capture]:
    return lambda: LAB_SCENARIOS[name].run(1).raw


BY_HAND = tuple(SCENARIOS)
for _name in LAB_SCENARIOS:
    SCENARIOS.setdefault(_name, _simulated(_name))  # those by hand are smaller, and rules are tested with them
