"""For each of the doctor's ids a capture in which it is what is wrong: simulated with a fault, or written by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from icws_explore.capture import Capture, Frame
from icws_explore.lab.faults import Delivery, tampered
from icws_explore.lab.simulator import Network, Script, SimulatorFaults, Uniform, simulate
from icws_explore.protocol import candid
from icws_explore.protocol.arguments import encode_open_args
from icws_explore.protocol.cdk import App, AppContext
from icws_explore.protocol.certificate import CertificateIssuer
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope, call_content, ingress_expiry_ns, sign_envelope
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.gateway_events import Rejected
from icws_explore.protocol.identity import AnonymousIdentity, DelegatedIdentity, Ed25519Identity, Identity, delegate
from icws_explore.protocol.messages import CanisterMessage, ClientKey, Handshake, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, CloseReason, KeepAliveMessage, decode_service
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


def inner(data: bytes) -> WebsocketMessage | None:
    try:
        return CanisterMessage.decode(data).message
    except DecodeError:
        return None


def is_ack(data: bytes) -> bool:
    message = inner(data)
    return (
        message is not None and message.is_service_message and isinstance(decode_service(message.content), AckMessage)
    )


class Down(SimulatorFaults):
    """Passes each canister message to ``change(number, data)``, counted from 1 for each session."""

    def __init__(self, change: Callable[[int, bytes], list[bytes]]) -> None:
        self._change = change
        self._counts: dict[int, int] = {}

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        if inner(data) is None:
            return [Delivery(data)]
        self._counts[session] = number = self._counts.get(session, 0) + 1
        return [Delivery(each) for each in self._change(number, data)]


# The beginning


@scenario("NO_HANDSHAKE")
def no_handshake() -> Capture:
    class Mute(SimulatorFaults):
        def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
            return []

    return simulate(duration="30s", faults=Mute()).raw


def opening(
    envelope: Callable[[Identity, int], Envelope], *, identity: Identity | None = None, until: float = OPEN_TIMEOUT_S
) -> Capture:
    """Handshake, a ws_open of one's own making, and 60 s of nothing. ``envelope(identity, now_ns)``."""
    it = script()
    it.frame(0, "in", Handshake(GATEWAY).encode())
    it.frame(0.1, "out", envelope(identity or it.identity, it.ns(0.1)).encode_frame())
    return it.closed(until, "out", *TIMED_OUT).capture


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
    it = script().frame(0, "in", Handshake(GATEWAY).encode())
    it.capture.frames.append(Frame(START_S + 1, "out", "text", b'{"hello": "gateway"}'))
    return it.closed(1.1, "in", 1005).capture


@scenario("PING_KILLS_SESSION")
def ping_kills() -> Capture:
    it = script().opened().client_says(5, "a").app_says(7, "b")
    it.capture.frames.append(Frame(START_S + 20, "out", "ping"))
    return it.closed(20.05, "in", 1006).capture


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


@scenario("INGRESS_EXPIRY")
def slow_clock() -> Capture:
    return simulate(duration="2m", skew_ms=-301_000.0).raw


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


@scenario("ON_OPEN_TRAP")
def on_open_trap() -> Capture:
    principals: list[Principal] = []

    def on_open(context: AppContext, client: Principal) -> None:
        principals.append(client)
        if client != principals[0]:
            context.trap("not today")
        context.send(client, "welcome")

    def on_message(context: AppContext, client: Principal, message: str) -> None:
        context.send(client, message)

    app = App("choosy", candid.parse_type("text"), on_open=on_open, on_message=on_message)
    return simulate(app, duration="3m", sessions=2, clients=Talker(), arrivals=lambda n: 30.0 * n).raw


class Talker(Script):
    """Says something every ``every_ms``; values of type text."""

    def __init__(self, every_ms: float = 20_000) -> None:
        self.every_ms = every_ms

    def opened(self, client: Any) -> None:
        client.after(self.every_ms, self.talk, client)

    def talk(self, client: Any) -> None:
        client.send("hello")
        client.after(self.every_ms, self.talk, client)


# Certificates and contents


@scenario("ROOT_KEY")
def root_key() -> Capture:
    capture = script().opened().closed(2.4, "out", 4000, "Error receiving message").capture
    other = CertificateIssuer(b"another network").root_key_der
    return Capture(replace(capture.info, root_key=other), capture.frames)


@scenario("WRONG_CANISTER")
def wrong_canister() -> Capture:
    return opening(lambda who, now_ns: sign_envelope(ws_open(who, now_ns, canister=OTHER_CANISTER), who))


def changed_from(first: int, change: Callable[[CanisterMessage], CanisterMessage]) -> SimulatorFaults:
    def apply(number: int, data: bytes) -> list[bytes]:
        return [change(CanisterMessage.decode(data)).encode() if number >= first else data]

    return Down(apply)


@scenario("BAD_CERTIFICATE")
def bad_certificate() -> Capture:
    def forge(message: CanisterMessage) -> CanisterMessage:
        at = message.cert.index(b"signature") + 20
        return replace(message, cert=message.cert[:at] + bytes([message.cert[at] ^ 1]) + message.cert[at + 1 :])

    return simulate("ticker", duration="2m", faults=changed_from(3, forge)).raw


@scenario("CERTIFIED_DATA_CLASH")
def certified_data_clash() -> Capture:
    kept: list[bytes] = []

    def swap(message: CanisterMessage) -> CanisterMessage:
        kept.append(message.cert)
        return replace(message, cert=kept[0]) if len(kept) > 1 else message

    return simulate("ticker", duration="2m", faults=changed_from(2, swap)).raw


@scenario("STALE_CERTIFICATE")
def stale_certificate() -> Capture:
    class Hold(SimulatorFaults):
        seen = 0

        def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
            self.seen += inner(data) is not None
            return [Delivery(data, 310_000 if self.seen > 3 else 0)]

    return simulate("ticker", duration="10m", faults=Hold()).raw


@scenario("BODY_HASH")
def body_hash() -> Capture:
    return simulate("ticker", duration="2m", faults=Down(lambda n, data: [tampered(data) if n == 3 else data])).raw


@scenario("SDK_REJECTS_VALID")
def sdk_rejects_valid() -> Capture:
    return script().opened().closed(2.35, "out", 4000, "Error receiving message").capture


@scenario("APP_TYPE_MISMATCH")
def app_type_mismatch() -> Capture:
    it = script().opened().canister_says(5, candid.encode([candid.parse_type("nat")], [7]))
    return it.closed(5.05, "out", 4000, "Error receiving message").capture


@scenario("CLIENT_KEY_FOREIGN")
def client_key_foreign() -> Capture:
    it = script().opened().client_says(3, "a")
    it.app_says(5, "for somebody else", client_key=ClientKey(GATEWAY, 5))
    return it.app_says(8, "b").closed(20, "out", 1000).capture


@scenario("UNKNOWN_CLOSE_VARIANT")
def unknown_close_variant() -> Capture:
    it = script().opened().client_says(3, "a").app_says(5, "b").canister_closes(9, CloseReason.CLOSED_BY_APPLICATION)
    return it.closed(9.1, "out", 4000, "Service message error").capture


# Order


@scenario("SEQUENCE_GAP_DOWN")
def sequence_gap_down() -> Capture:
    return simulate("ticker", duration="2m", faults=Down(lambda n, data: [] if n == 4 else [data])).raw


@scenario("KEEPALIVE_RACE")
def keepalive_race() -> Capture:
    it = script().opened().client_says(5, "a").canister_says(290, AckMessage(1))
    it.client_says(290.2, KeepAliveMessage(2), sequence_num=3).client_says(290.21, "b", sequence_num=2)
    return it.closed(290.22, "out", 4000, "Message sending failed").capture


@scenario("LOST_UP")
def lost_up() -> Capture:
    it = script().opened().client_says(5, "a").client_says(20, "x" * 2_200_000).client_says(40, "c")
    it.canister_closes(42, CloseReason.WRONG_SEQUENCE_NUMBER)
    return it.closed(42.1, "out", 4000, "Received close message from canister").capture


class Burst(Script):
    def opened(self, client: Any) -> None:
        client.after(3_000, self.talk, client)

    def talk(self, client: Any) -> None:
        for number in range(6):
            client.send({"text": f"message {number}"})
        client.after(5_000, self.talk, client)


@scenario("REORDERED_RELAY")
def reordered_relay() -> Capture:
    network = Network(update_latency_ms=Uniform(200, 1_800), ordered=False)
    return simulate("echo", duration="2m", network=network, clients=Burst()).raw


@scenario("ON_MESSAGE_TRAP")
def on_message_trap() -> Capture:
    def on_message(context: AppContext, client: Principal, message: str) -> None:
        seen.append(message)
        if len(seen) == 3:
            context.trap("the third one")
        context.send(client, message)

    seen: list[str] = []
    app = App("third", candid.parse_type("text"), on_message=on_message)
    return simulate(app, duration="3m", clients=Talker()).raw


# Acks and keep-alives


@scenario("NO_ACKS")
def no_acks() -> Capture:
    return simulate("echo", duration="8m", ack_interval_ms=3_600_000, client_ack_interval_ms=300_000).raw


@scenario("ACK_INTERVAL_MISMATCH")
def ack_interval_mismatch() -> Capture:
    return simulate("echo", duration="10m", ack_interval_ms=200_000, client_ack_interval_ms=90_000).raw


@scenario("ACK_DEFAULTS_SKEW")
def ack_defaults_skew() -> Capture:
    it = script().opened().client_says(5, "a").app_says(7, "b").client_says(60, "c").app_says(62, "d")
    return it.closed(95.02, "out", 4000, "Ack message timeout").capture


@scenario("ACKS_WITHHELD")
def acks_withheld() -> Capture:
    class Silent(SimulatorFaults):
        seen = 0

        def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
            self.seen += is_ack(data)
            return [] if self.seen > 2 else [Delivery(data)]

    return simulate("echo", duration="20m", faults=Silent()).raw


@scenario("ACK_TOO_HIGH")
def ack_too_high() -> Capture:
    it = script().opened().client_says(5, "a").canister_says(290, AckMessage(7))
    return it.closed(290.1, "out", 4000, "Ack message error").capture


SCENARIOS["NO_KEEPALIVE"] = silent
SCENARIOS["KEEPALIVE_LATE"] = slow_answer


# The end


@scenario("CLOSED_BY_APPLICATION")
def closed_by_application() -> Capture:
    it = script().opened().client_says(3, "a").app_says(5, "b").canister_closes(9, CloseReason.CLOSED_BY_APPLICATION)
    return it.closed(9.1, "out", 4001, "ClosedByApplication").capture


@scenario("PROXY_IDLE")
def proxy_idle() -> Capture:
    return script().opened().client_says(5, "a").app_says(7, "b").closed(67.3, "in", 1006).capture


# Several sessions


@scenario("POLLER_DEAD")
def poller_dead() -> Capture:
    class Reject(SimulatorFaults):
        def begin(self, world: Any) -> None:
            self.world, self.after = world, world.timeline.now_ns + 90 * NS_PER_S

        def poll_answer(self, gateway: int, outcome: Any) -> tuple[Any, float]:
            is_late = self.world.timeline.now_ns > self.after
            return (Rejected(5, "canister stopped") if is_late else outcome), 0.0

    return simulate(duration="2m", sessions=3, faults=Reject()).raw


@scenario("PRINCIPAL_TAKEOVER")
def principal_takeover() -> Capture:
    first, second = SessionScript(session="1"), SessionScript(session="2")
    second.client_key = second.canister.client_key = ClientKey(first.client_key.client_principal, 4)
    first.opened().client_says(4, "a").app_says(6, "b").client_says(40, "c")
    second.opened(30).client_says(44, "x").app_says(46, "y").closed(100, "out", 1000)
    first.closed(334, "out", 4000, "Ack message timeout")
    frames = sorted(first.capture.frames + second.capture.frames, key=lambda frame: frame.t)
    return Capture(first.capture.info, frames)


class Upgrade(SimulatorFaults):
    """The canister is upgraded ``at_s`` after the start."""

    def __init__(self, at_s: float) -> None:
        self._at_s = at_s

    def begin(self, world: Any) -> None:
        world.timeline.at(world.timeline.now_ns + round(self._at_s * NS_PER_S), world.replica.upgrade)


@scenario("UPGRADE_WIPE")
def upgrade_wipe() -> Capture:
    return simulate("echo", duration="20m", sessions=3, gateways=2, faults=Upgrade(400)).raw


@scenario("STALE_NONCE")
def stale_nonce() -> Capture:
    def arrivals(number: int) -> float:
        return [0.0, 3.0, 450.0][number]

    return simulate("echo", duration="20m", sessions=3, arrivals=arrivals, faults=Upgrade(400)).raw


@scenario("SLOW_CLIENT_STALL")
def slow_client_stall() -> Capture:
    class Stall(SimulatorFaults):
        def begin(self, world: Any) -> None:
            self.world, start_ns = world, world.timeline.now_ns
            self.span = start_ns + 60 * NS_PER_S, start_ns + 85 * NS_PER_S

        def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
            now_ns = self.world.timeline.now_ns
            held = self.span[0] <= now_ns < self.span[1]
            return [Delivery(data, (self.span[1] - now_ns) / 1e6 if held else 0.0)]

    return simulate("ticker", duration="3m", sessions=3, faults=Stall()).raw
