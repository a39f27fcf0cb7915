"""The first frames: who is on the other side, and what the client makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.constants import CLOSE_BY_SDK

from ...decode import DecodedFrame
from ..facts import LOST, SessionFacts
from ..finding import seconds
from ..registry import OPENING, Evidence, session_rule

PATIENCE_S: Final = 5.0  # a gateway's handshake comes within a round trip
SIGNING_S: Final = 0.5  # within which an SDK has sent ws_open
PING_EFFECT_S: Final = 2.0


@session_rule(
    "NO_HANDSHAKE",
    sdk="It waits for ever: its 60 s open timer starts only behind the handshake. A first frame that is no handshake "
    'ends the session with close(4000, "Error receiving message").',
    fix="Upgrade the gateway to 1.1.0 or later, and check that the URL is the gateway's and not some other server's.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
)
def no_handshake(session: SessionFacts) -> Iterator[Evidence]:
    if session.requests or session.handshake is not None:
        return
    incoming = [d for d in session.frames if d.frame.direction == "in" and d.frame.op in ("binary", "text")]
    if incoming:
        first = incoming[0]
        if first.canister_message is None:
            told = f"The first frame, {first.size} bytes, is not a gateway's handshake: {first.summary}."
            yield Evidence((first.number, *session.end_frames), told)
        return
    waited = session.last - session.connected
    if waited >= max(PATIENCE_S, session.whole.jitter_s):
        told = (
            f"The connection was open for {seconds(waited)} and no handshake came, nor any other message: an old "
            "gateway, or none at all. icws probe with the gateway's URL tells."
        )
        yield Evidence(tuple(d.number for d in session.frames), told)


@session_rule(
    "OLD_SDK_NEW_GATEWAY",
    sdk="Versions from 0.3.0 on send the gateway's principal with ws_open. Older ones log that the handshake "
    '"is not a ClientIncomingMessage, ignoring message", then close(4000, "Error receiving message").',
    fix="Upgrade ic-websocket-js to 0.3.0 or later (and with it the CDK).",
    source="forum, IC WebSocket: Stable Release, #25",
    explains=OPENING,
)
def old_sdk_new_gateway(session: SessionFacts) -> Iterator[Evidence]:
    opening, handshake = session.open_request, session.handshake
    if opening is None or handshake is None or opening.open_args is None:
        return
    if opening.open_args.gateway_principal is None:
        told = (
            f"The gateway sent its handshake (frame {handshake.number}), but ws_open carries no gateway_principal, as "
            "clients before 0.3.0 wrote it."
        )
        yield Evidence((handshake.number, opening.number), told)


@session_rule(
    "GATEWAY_PRINCIPAL_MISMATCH",
    sdk='It echoes what the handshake says. Here nothing opens: close(4000, "Open connection timeout") after 60 s.',
    fix="Send the handshake's gateway_principal in ws_open, unchanged.",
    source="CDK 0.4.1 lib.rs, ws_open",
    explains=OPENING,
)
def gateway_principal_mismatch(session: SessionFacts) -> Iterator[Evidence]:
    opening, handshake = session.open_request, session.handshake
    if opening is None or handshake is None or opening.open_args is None:
        return
    asked = opening.open_args.gateway_principal
    if asked is not None and asked != session.gateway:
        told = (
            f"The gateway is {session.gateway}, but ws_open names {asked}: the canister queues this client's messages "
            "for a gateway that never asks for them."
        )
        yield Evidence((handshake.number, opening.number), told)


@session_rule(
    "RAW_CLIENT",
    sdk="It sends nothing but CBOR envelopes in binary frames, ws_open first. The gateway ends the session of a "
    "client that does otherwise, and versions up to 1.4.6 may panic.",
    fix="Use an SDK, or sign each request and send it as CBOR {envelope} in a binary frame, beginning with ws_open.",
    source="ic-websocket-gateway#57; gateway 1.4.6 client_session.rs",
    explains=("POLLER_DEAD", "PROXY_IDLE", *OPENING),
)
def raw_client(session: SessionFacts) -> Iterator[Evidence]:
    outgoing = [d for d in session.frames if d.frame.direction == "out" and d.frame.op in ("binary", "text")]
    for decoded in outgoing:
        if decoded.envelope is None:
            what = "a text frame" if decoded.frame.op == "text" else f"no request: {decoded.summary}"
            told = f"Frame {decoded.number}, {decoded.size} bytes, is {what}.{_ended(session, decoded)}"
            yield Evidence((decoded.number, *session.end_frames), told)
            return
    first = outgoing[0] if outgoing else None
    if first is not None and session.handshake is not None and first.kind != "open_request":
        told = f"The first request is not ws_open, as the gateway requires: {first.summary}.{_ended(session, first)}"
        yield Evidence((first.number, *session.end_frames), told)
    elif first is None and session.handshake is not None and session.end is not None:
        waited = session.end.frame.t - session.handshake.frame.t
        left = session.end.frame.direction == "out" and session.end.frame.code not in (CLOSE_BY_SDK, LOST)
        if waited >= max(SIGNING_S if left else PATIENCE_S, session.whole.jitter_s):
            told = (
                f"The client had the gateway's handshake, sent no ws_open in {seconds(waited)}, and "
                f"{'left' if left else 'was gone'}. An SDK sends it at once."
            )
            yield Evidence((session.handshake.number, session.end.number), told)


def _ended(session: SessionFacts, decoded: DecodedFrame) -> str:
    """Whether the gateway took it for the end of the session."""
    if session.end is None or session.end.frame.direction == "out":
        return ""
    return f" The gateway ended the session {seconds(session.end.frame.t - decoded.frame.t)} later."


@session_rule(
    "PING_KILLS_SESSION",
    sdk="A browser's client never pings. The connection is gone: onclose with code 1006.",
    fix="Send no WebSocket pings (Python's websockets: ping_interval=None) and no unasked pongs.",
    source="gateway 1.4.6 client_session.rs",
    explains=("POLLER_DEAD", "PROXY_IDLE", *OPENING),
)
def ping_kills_session(session: SessionFacts) -> Iterator[Evidence]:
    end = session.end
    if end is None or end.frame.direction == "out":
        return
    pings = [d for d in session.frames if d.frame.direction == "out" and d.frame.op in ("ping", "pong")]
    if pings and end.frame.t - pings[-1].frame.t <= max(PING_EFFECT_S, session.whole.jitter_s):
        last = pings[-1]
        told = (
            f"The client sent a WebSocket {last.frame.op} {seconds(session.at(last))} into the session, and the "
            f"gateway ended it {seconds(end.frame.t - last.frame.t)} later: to "
            "it anything but a binary frame is an error."
        )
        yield Evidence((last.number, end.number), told)
