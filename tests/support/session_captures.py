"""Captures for the views' tests: whole sessions with real signatures, at times that a test chooses."""

from __future__ import annotations

from typing import Any

from icws_explore.capture import Capture, ClockInfo, Frame, SessionInfo
from icws_explore.protocol import candid
from icws_explore.protocol.arguments import encode_message_args, encode_open_args
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import call_content, ingress_expiry_ns, sign_envelope
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.messages import ClientKey, Handshake, WebsocketMessage
from icws_explore.protocol.service_messages import (
    AckMessage,
    CloseMessage,
    CloseReason,
    KeepAliveMessage,
    OpenMessage,
    ServiceMessage,
    encode_service,
)
from support.certified_canister import CANISTER_ID, GATEWAY, CertifiedCanister

START_S = 1_763_895_600.0  # 2025-11-23 11:00:00 UTC
APP_TYPE = "record { text : text; timestamp : nat64 }"


class SessionScript:
    """Writes a capture frame by frame; every time is in seconds since its start."""

    def __init__(self, *, clock: ClockInfo | None = None, session: str | None = None) -> None:
        self.identity = Ed25519Identity.from_secret(b"\x07" * 32)
        self.client_key = ClientKey(self.identity.principal, 15_291_472_863_218_049)
        self.canister = CertifiedCanister(self.client_key)
        self.session = session
        self.sent = 0
        self.app_type = candid.parse_type(APP_TYPE)
        self.capture = Capture(
            SessionInfo(
                gateway_url="ws://127.0.0.1:8080",
                network_url="http://127.0.0.1:4943",
                canister_id=CANISTER_ID.text,
                root_key=self.canister.root_key,
                client_principal=self.identity.principal.text,
                ack_interval_ms=300_000,
                app_type=APP_TYPE,
                clock=clock or ClockInfo("scaled", 60.0),
                origin="live",
                started_at="2025-11-23T11:00:00.000Z",
            )
        )

    def ns(self, at: float) -> int:
        return round((START_S + at) * NS_PER_S)

    def frame(self, at: float, direction: Any, data: bytes) -> SessionScript:
        self.capture.frames.append(Frame(START_S + at, direction, "binary", data, session=self.session))
        return self

    def closed(self, at: float, direction: Any = "out", code: int = 1000, reason: str = "") -> SessionScript:
        frame = Frame(START_S + at, direction, "close", code=code, reason=reason, session=self.session)
        self.capture.frames.append(frame)
        return self

    def opened(self, at: float = 0.0, latency: float = 2.3) -> SessionScript:
        """Handshake, ws_open, OpenMessage."""
        self.frame(at, "in", Handshake(GATEWAY).encode())
        self._call(at + 0.1, "ws_open", encode_open_args(self.client_key.client_nonce, GATEWAY))
        return self.canister_says(at + latency, OpenMessage(self.client_key))

    def app_says(self, at: float, text: str, **changes: Any) -> SessionScript:
        return self.canister_says(at, self._value(text, at), **changes)

    def canister_says(
        self, at: float, what: ServiceMessage | bytes, *, delay: float = 0.8, **changes: Any
    ) -> SessionScript:
        """Made ``delay`` seconds before it is received ``at``."""
        return self.frame(at, "in", self.canister.says(what, self.ns(at - delay), **changes))

    def client_says(self, at: float, what: ServiceMessage | str, *, sequence_num: int | None = None) -> SessionScript:
        service = not isinstance(what, str)
        content = self._value(what, at) if isinstance(what, str) else encode_service(what)
        return self._client_says(at, content, service=service, sequence_num=sequence_num)

    def client_says_bytes(self, at: float, content: bytes) -> SessionScript:
        """An application message of any bytes, Candid or not."""
        return self._client_says(at, content, service=False)

    def _client_says(
        self, at: float, content: bytes, *, service: bool, sequence_num: int | None = None
    ) -> SessionScript:
        self.sent = self.sent + 1 if sequence_num is None else sequence_num
        message = WebsocketMessage(self.client_key, self.sent, self.ns(at), service, content)
        return self._call(at, "ws_message", encode_message_args(message))

    def acked(self, at: float, *, answered_after: float | None = 0.1, received: int | None = None) -> SessionScript:
        """An AckMessage for all that was sent, and the client's keep-alive (None: it stays silent)."""
        self.canister_says(at, AckMessage(self.sent if received is None else received))
        if answered_after is not None:
            self.client_says(at + answered_after, KeepAliveMessage(self.canister.sequence_num))
        return self

    def canister_closes(self, at: float, reason: CloseReason) -> SessionScript:
        return self.canister_says(at, CloseMessage(reason))

    def _value(self, text: str, at: float) -> bytes:
        return candid.encode([self.app_type], [{"text": text, "timestamp": self.ns(at)}])

    def _call(self, at: float, method: str, arg: bytes) -> SessionScript:
        now = self.ns(at)
        content = call_content(
            CANISTER_ID,
            method,
            arg,
            self.identity.principal,
            ingress_expiry_ns(now),
            nonce=len(self.capture).to_bytes(16),
        )
        return self.frame(at, "out", sign_envelope(content, self.identity).encode_frame())


def healthy(*, clock: ClockInfo | None = None) -> Capture:
    """Ping-pong through three acks, closed by the client."""
    script = SessionScript(clock=clock).opened()
    for number in range(5):
        at = 4.0 + 3.2 * number
        script.client_says(at, f"ping {number}").app_says(at + 2.1, f"pong {number}")
    script.acked(212.4)
    for number in range(5, 9):
        at = 260.0 + 41.0 * number
        script.client_says(at, f"ping {number}").app_says(at + 1.7, f"pong {number}")
        if number == 6:
            script.acked(512.9)
    script.acked(813.1, answered_after=4.2)
    return script.client_says(842.0, "bye").closed(866.0).capture


def settled() -> Capture:
    """`healthy` without the last message, which nothing shows to have arrived: everything can be checked."""
    capture = healthy()
    return Capture(capture.info, [*capture.frames[:-2], capture.frames[-1]], capture.notes)


def hostile() -> Capture:
    """Markup in application messages and elsewhere, bytes that do not decode, a session that ends badly."""
    script = SessionScript(clock=ClockInfo()).opened()
    script.client_says(3.0, "<script>alert('sent')</script>")
    script.app_says(4.0, '"><img src=x onerror=alert(1)>')
    script.app_says(5.0, "</code></details><style>*{display:none}</style>&amp; \x1b[31mred\x1b[0m \u202egnirts")
    script.frame(6.0, "in", b"\xd9\xd9\xf7\xa1\x63key")
    script.frame(7.0, "out", b"\xa1\x68<script>\x01")
    script.app_says(8.0, "skipped", sequence_num=9)
    script.canister_closes(9.0, CloseReason.WRONG_SEQUENCE_NUMBER)
    script.closed(9.1, "out", 4000, '<b onclick="x">Received close message</b>')
    capture = script.capture
    capture.notes.append("line 14 is torn <script>alert('note')</script>")
    return capture
