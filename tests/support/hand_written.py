"""Sessions written frame by frame, as an examiner writes them: from the protocol's text, with no machine of ours.

A `Place` is a canister behind a gateway, with a clock; a `Visit` one client's session there. Every method
is one thing that happens, at the place's present time. Proofs and signatures are real.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

from icws_explore.capture import Capture, ClockInfo, Direction, Frame, Op, SessionInfo
from icws_explore.protocol import candid, cbor, hashtree, leb128
from icws_explore.protocol.arguments import encode_message_args, encode_open_args, encode_result
from icws_explore.protocol.canister.certified_map import CertifiedMap
from icws_explore.protocol.certificate import CertificateIssuer
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope, call_content, ingress_expiry_ns, sign_envelope
from icws_explore.protocol.keys import DelegatedIdentity, Ed25519Identity, Identity, delegate
from icws_explore.protocol.messages import CanisterMessage, ClientKey, Handshake, WebsocketMessage, message_key
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import (
    AckMessage,
    CloseMessage,
    CloseReason,
    KeepAliveMessage,
    OpenMessage,
    ServiceMessage,
    encode_service,
)

BEGIN_S = 1_772_354_817.25
APP_TYPE = "record { text : text }"
_TYPE = candid.parse_type(APP_TYPE)


def secret(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def key_of(name: str) -> Ed25519Identity:
    return Ed25519Identity.from_secret(secret(name))


def delegated(expires_s: float, targets: Sequence[Principal] | None = None) -> DelegatedIdentity:
    """A session key whose delegation ends that many seconds after `BEGIN_S`."""
    root, session = key_of("root of carol"), key_of("session of carol")
    expiration_ns = round((BEGIN_S + expires_s) * NS_PER_S)
    link = delegate(root, session.public_key_der, expiration_ns=expiration_ns, targets=targets)
    return DelegatedIdentity(session, root.public_key_der, [link])


def canister(number: int) -> Principal:
    return Principal((0x8000000000100000 + number).to_bytes(8, "big") + b"\x01\x01")


def app(text: str) -> bytes:
    return candid.encode([_TYPE], [{"text": text}])


def flipped(data: bytes, index: int = -1) -> bytes:
    """With one bit changed."""
    index %= len(data)
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


class Place:
    """``nonce`` is the gateway's next; ``flavour`` the CDK's. ``now`` is in seconds since the epoch."""

    def __init__(self, *, root: str = "root", canister_number: int = 7, nonce: int = 0, flavour: str = "rust") -> None:
        ranges = [(canister(0), canister(999))]
        self.issuer = CertificateIssuer(secret(root), secret(f"{root} subnet"), ranges, "classic")
        self.root_key = self.issuer.root_key_der
        self.canister_id, self.gateway = canister(canister_number), key_of("gateway").principal
        self.nonce, self.certified, self.now, self.flavour = nonce, CertifiedMap(), BEGIN_S, flavour
        self.visits: list[Visit] = []
        self.http: list[Frame] = []

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def visit(self, name: str = "alice", **more: Any) -> Visit:
        visit = Visit(self, more.pop("identity", None) or key_of(name), **more)
        self.visits.append(visit)
        return visit

    def upgraded(self) -> None:
        """The canister forgets its clients, and counts from 0 again."""
        self.nonce, self.certified = 0, CertifiedMap()

    def wrapped(
        self,
        content: bytes,
        *,
        cert_time: float | None = None,
        signed_by: CertificateIssuer | None = None,
        of: Principal | None = None,
        certified_data: bytes | None = None,
    ) -> CanisterMessage:
        """What a poll gives for that message."""
        key = message_key(self.gateway, self.nonce)
        self.nonce += 1
        self.certified = self.certified.insert(key.encode(), hashlib.sha256(content).digest())
        time_ns = round((self.now - 0.6 if cert_time is None else cert_time) * NS_PER_S)
        of = of or self.canister_id
        data = self.certified.root_hash if certified_data is None else certified_data
        state = hashtree.build(
            {b"canister": {of.raw: {b"certified_data": data}}, b"time": leb128.encode_unsigned(time_ns)},
        )
        cert = (signed_by or self.issuer).certify(state, of)
        return CanisterMessage(key, content, cert, hashtree.encode(self.certified.witness([key.encode()])))

    def capture(self, recorder: str = "tap", *, visits: Sequence[Visit] | None = None, **info: Any) -> Capture:
        """As a "live" client, a "tap", a "pcap" or a "har" records it; a HAR has no ends and knows nothing."""
        visits = self.visits if visits is None else visits
        frames = list(self.http)
        for number, visit in enumerate(visits, 1):
            name = str(number) if len(visits) > 1 else None
            seen = (f for f in visit.frames if recorder != "har" or f.op != "close")
            frames.extend(replace(f, session=name) for f in seen)
        known: dict[str, Any] = {"gateway_url": "ws://127.0.0.1:8080", "origin": recorder, "clock": ClockInfo()}
        if recorder in ("live", "tap"):
            known |= {"network_url": "http://127.0.0.1:4943", "root_key": self.root_key}
        if recorder == "live":
            known |= {"canister_id": str(self.canister_id), "ack_interval_ms": 300_000, "app_type": APP_TYPE}
        return Capture(SessionInfo(**(known | info)), sorted(frames, key=lambda f: f.t))


class Visit:
    """``skew_s`` is how far the client's clock, which is the recorder's, is ahead."""

    def __init__(self, place: Place, identity: Identity, *, client_nonce: int = 0xC0FFEE, skew_s: float = 0.0) -> None:
        self.place, self.identity, self.skew_s = place, identity, skew_s
        self.client_key = ClientKey(identity.principal, client_nonce)
        self.frames: list[Frame] = []
        self.received = self.sent = 0  # the last sequence numbers
        self.accepted = 0  # of the client's messages, by the canister
        self.last_request: Envelope | None = None

    @property
    def t(self) -> float:
        return self.place.now + self.skew_s

    def frame(
        self, direction: Direction, op: Op, data: bytes = b"", code: int | None = None, reason: str | None = None
    ) -> Self:
        self.frames.append(Frame(self.t, direction, op, data, code, reason))
        return self

    def wait(self, seconds: float) -> Self:
        self.place.wait(seconds)
        return self

    # The gateway and the client

    def handshake(self, gateway: Principal | None = None) -> Self:
        return self.frame("in", "binary", Handshake(gateway or self.place.gateway).encode())

    def call(
        self,
        method: str,
        arg: bytes,
        *,
        expiry_s: float = 0.0,
        to: Principal | None = None,
        altered: Callable[[Envelope], Envelope] | None = None,
    ) -> Self:
        """``expiry_s`` is by how much the expiry is off."""
        expiry_ns = ingress_expiry_ns(round((self.t + expiry_s) * NS_PER_S))
        nonce = secret(f"{self.place.now} {self.client_key} {len(self.frames)}")[:16]
        to = to or self.place.canister_id
        content = call_content(to, method, arg, self.identity.principal, expiry_ns, nonce)
        envelope = sign_envelope(content, self.identity)
        self.last_request = envelope if altered is None else altered(envelope)
        return self.frame("out", "binary", self.last_request.encode_frame())

    def asks(self, **how: Any) -> Self:
        gateway = how.pop("gateway", self.place.gateway)
        return self.call("ws_open", encode_open_args(self.client_key.client_nonce, gateway), **how)

    def sends(
        self, content: bytes | ServiceMessage, *, number: int | None = None, lost: bool = False, **how: Any
    ) -> Self:
        """``lost``: the canister does not count it."""
        self.sent = self.sent + 1 if number is None else number
        service = not isinstance(content, bytes)
        body = encode_service(content) if not isinstance(content, bytes) else content
        message = WebsocketMessage(self.client_key, self.sent, round(self.t * NS_PER_S), service, body)
        self.accepted = self.accepted if lost else max(self.accepted, self.sent)
        return self.call("ws_message", encode_message_args(message), **how)

    def says(self, text: str = "hello", **how: Any) -> Self:
        return self.sends(app(text), **how)

    def keeps_alive(self, **how: Any) -> Self:
        return self.sends(KeepAliveMessage(self.received), **how)

    # The canister

    def hears(
        self,
        content: bytes | ServiceMessage | str = "hello",
        *,
        number: int | None = None,
        client_key: ClientKey | None = None,
        altered: Callable[[CanisterMessage], CanisterMessage] | None = None,
        dropped: bool = False,
        **proof: Any,
    ) -> Self:
        self.received = self.received + 1 if number is None else number
        service = not isinstance(content, (bytes, str))
        if isinstance(content, str):
            content = app(content)
        body = content if isinstance(content, bytes) else encode_service(content, inner_first=False)
        made_ns = round((self.place.now - 0.8) * NS_PER_S)
        message = WebsocketMessage(client_key or self.client_key, self.received, made_ns, service, body)
        wrapped = self.place.wrapped(message.encode(tagged=self.place.flavour == "rust"), **proof)
        if altered is not None:
            wrapped = altered(wrapped)
        return self if dropped else self.frame("in", "binary", wrapped.encode())

    def opens(self, **how: Any) -> Self:
        return self.hears(OpenMessage(self.client_key), **how)

    def is_acked(self, number: int | None = None, **how: Any) -> Self:
        return self.hears(AckMessage(self.accepted if number is None else number), **how)

    def is_closed(self, reason: CloseReason = CloseReason.WRONG_SEQUENCE_NUMBER, **how: Any) -> Self:
        return self.hears(CloseMessage(reason), **how)

    # Ends

    def leaves(self, code: int = 1000, reason: str = "") -> Self:
        return self.frame("out", "close", b"", code, reason)

    def gives_up(self, reason: str) -> Self:
        """As the SDK does."""
        return self.leaves(4000, reason)

    def is_cut(self, code: int | None = 1006) -> Self:
        return self.frame("in", "close", b"", code, "")

    # What usually happens

    def starts(self) -> Self:
        return self.handshake().wait(0.03).asks().wait(1.7).opens()

    def chats(self, times: int = 1, think_s: float = 6.0) -> Self:
        for number in range(1, times + 1):
            self.wait(think_s).says(f"message {number}").wait(1.9).hears(f"message {number}")
        return self

    def ack_round(self) -> Self:
        return self.is_acked().wait(0.01).keeps_alive()

    def answered(self, outcome: str | tuple[int, str] | None, *, after_s: float = 1.5) -> Self:
        """What the network said to the last request: Err (a text), Ok (None), or a reject's code and text."""
        assert self.last_request is not None
        leaves: dict[bytes, hashtree.Nested] = {b"status": b"replied"}
        if isinstance(outcome, tuple):
            code, text = outcome
            number = leb128.encode_unsigned(code)
            leaves = {b"status": b"rejected", b"reject_code": number, b"reject_message": text.encode()}
        else:
            leaves[b"reply"] = encode_result(outcome)
        now_ns = round(self.place.now * NS_PER_S)
        state = {b"request_status": {self.last_request.request_id: leaves}, b"time": leb128.encode_unsigned(now_ns)}
        cert = self.place.issuer.certify(hashtree.build(state), self.place.canister_id)
        body = cbor.dumps({"status": "replied", "certificate": cert}, tagged=True)
        target, name = f"POST /api/v3/canister/{self.place.canister_id}/call", f"http {len(self.place.http)}"
        asked = Frame(self.t + 0.01, "out", "request", self.last_request.encode(), None, target, name)
        self.place.http += [asked, Frame(self.t + after_s, "in", "response", body, 200, target, name)]
        return self
