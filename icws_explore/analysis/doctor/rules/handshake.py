"""The first frames: what is on the other side, and what the client does with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.close_codes import CloseCode

from ...decode import DecodedFrame
from ..facts import LOST, SessionFacts
from ..finding import seconds
from ..registry import CUTS, OPENING, Evidence, session_rule

PATIENCE_S: Final = 5.0  # a gateway's handshake comes within a round trip
SIGNING_S: Final = 0.5  # within this time an SDK has sent ws_open
PING_EFFECT_S: Final = 2.0


@session_rule(
    "NO_HANDSHAKE",
    sdk="It waits for ever: its open timer of 60 s starts only after the handshake. A first frame that is not a "
    'handshake ends the session with close(4000, "Error receiving message").',
    fix="Upgrade the gateway to 1.1.0 or later, and check that the URL is the gateway's and not another server's.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
)
def no_handshake(session: SessionFacts) -> Iterator[Evidence]:
    if session.requests or session.handshake is not None:
        return
    incoming = [d for d in session.frames if d.frame.direction == "in" and d.frame.op in ("binary", "text")]
    if incoming:
        first = incoming[0]
        if first.canister_message is None:
            text = f"The first frame ({first.size} bytes) is not a gateway's handshake: {first.summary}."
            yield Evidence((first.number, *session.end_frames), text)
        return
    waited = session.last - session.connected
    if waited >= max(PATIENCE_S, session.facts.jitter_s):
        text = (
            f"The connection was open for {seconds(waited)}, and neither a handshake nor any other message came: it is "
            "an old gateway, or none at all. icws probe with the gateway's URL tells."
        )
        yield Evidence(tuple(d.number for d in session.frames), text)


@session_rule(
    "OLD_SDK_NEW_GATEWAY",
    sdk="Versions from 0.3.0 on send the gateway's principal with ws_open. Older ones report that the handshake "
    '"is not a ClientIncomingMessage, ignoring message" and call close(4000, "Error receiving message").',
    fix="Upgrade ic-websocket-js to 0.3.0 or later, and the CDK with it.",
    source="forum, IC WebSocket: Stable Release, #25",
    explains=OPENING,
)
def old_sdk_new_gateway(session: SessionFacts) -> Iterator[Evidence]:
    opening, handshake = session.open_request, session.handshake
    if opening is None or handshake is None or opening.open_args is None:
        return
    if opening.open_args.gateway_principal is None:
        text = (
            f"The gateway sent its handshake (frame {handshake.number}), but ws_open (frame {opening.number}) has no "
            "gateway_principal, as clients before 0.3.0 wrote it."
        )
        yield Evidence((handshake.number, opening.number), text)


@session_rule(
    "GATEWAY_PRINCIPAL_MISMATCH",
    sdk="It sends the principal that the handshake names. A client that does not gets no OpenMessage: "
    'close(4000, "Open connection timeout") after 60 s.',
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
        text = (
            f"The gateway is {session.gateway}, but ws_open names {asked}: the canister queues this client's messages "
            "for a gateway that never asks for them."
        )
        yield Evidence((handshake.number, opening.number), text)


@session_rule(
    "RAW_CLIENT",
    sdk="It sends only CBOR envelopes in binary frames, ws_open first. The gateway ends the session of a client that "
    "does otherwise; versions up to 1.4.6 may panic.",
    fix="Use an SDK, or sign each request and send it as CBOR {envelope} in a binary frame, beginning with ws_open.",
    source="ic-websocket-gateway#57; gateway 1.4.6 client_session.rs",
    explains=(*CUTS, *OPENING),
)
def raw_client(session: SessionFacts) -> Iterator[Evidence]:
    outgoing = [d for d in session.frames if d.frame.direction == "out" and d.frame.op in ("binary", "text")]
    for decoded in outgoing:
        if decoded.envelope is None:
            what = "a text frame" if decoded.frame.op == "text" else f"not a request: {decoded.summary}"
            text = f"Frame {decoded.number} ({decoded.size} bytes) is {what}.{_ended(session, decoded)}"
            yield Evidence((decoded.number, *session.end_frames), text)
            return
    first = outgoing[0] if outgoing else None
    if first is not None and session.handshake is not None and first.kind != "open_request":
        text = f"The first request is not ws_open, as the gateway requires: {first.summary}.{_ended(session, first)}"
        yield Evidence((first.number, *session.end_frames), text)
    elif first is None and session.handshake is not None and session.end is not None:
        waited = session.end.frame.t - session.handshake.frame.t
        left = session.end.frame.direction == "out" and session.end.frame.code not in (CloseCode.CLOSED_BY_SDK, LOST)
        if waited >= max(SIGNING_S if left else PATIENCE_S, session.facts.jitter_s):
            text = (
                f"The client received the gateway's handshake, sent no ws_open in {seconds(waited)}, and "
                f"{'left' if left else 'was gone'}. An SDK sends it at once."
            )
            yield Evidence((session.handshake.number, session.end.number), text)


def _ended(session: SessionFacts, decoded: DecodedFrame) -> str:
    """Whether the gateway ended the session because of it."""
    if session.end is None or session.end.frame.direction == "out":
        return ""
    return f" The gateway ended the session {seconds(session.end.frame.t - decoded.frame.t)} later."


@session_rule(
    "PING_KILLS_SESSION",
    sdk="A browser's client never pings. The connection is lost: onclose gets code 1006.",
    fix="Send no WebSocket pings (Python's websockets: ping_interval=None) and no unsolicited pongs.",
    source="gateway 1.4.6 client_session.rs",
    explains=(*CUTS, *OPENING),
)
def ping_kills_session(session: SessionFacts) -> Iterator[Evidence]:
    end = session.end
    if end is None or end.frame.direction == "out":
        return
    pings = [d for d in session.frames if d.frame.direction == "out" and d.frame.op in ("ping", "pong")]
    if pings and end.frame.t - pings[-1].frame.t <= max(PING_EFFECT_S, session.facts.jitter_s):
        last = pings[-1]
        text = (
            f"The client sent a WebSocket {last.frame.op} {seconds(session.at(last))} after the start of the session, "
            f"and the gateway ended it {seconds(end.frame.t - last.frame.t)} later: it takes every frame that is not "
            "binary for an error."
        )
        yield Evidence((last.number, end.number), text)


# What the SDK says when it cannot make or send a message of its own.
_LOCAL_FAILURES: Final = {
    "Handshake message error": "could not make or send its ws_open",
    "Keep alive message was not sent": "could not make or send a keep-alive",
    "Message sending failed": "could not make or send a message",
}


@session_rule(
    "SDK_FAILED_LOCALLY",
    sdk='It reports the error to the console and calls close(4000, "Handshake message error"), '
    '"Keep alive message was not sent" or "Message sending failed".',
    fix="Read the error in the client's console. In React Native: add polyfills for TextEncoder and crypto. For "
    "a hardware key or WebAuthn: use a session key with a delegation, so that no message needs the user. For an "
    "expired login: log in again.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
    explains=("RAW_CLIENT",),
)
def sdk_failed_locally(session: SessionFacts) -> Iterator[Evidence]:
    for reason, what in _LOCAL_FAILURES.items():
        if session.end is None or session.handshake is None or not session.closed_by_client(reason):
            continue
        before = session.frames[-2] if len(session.frames) > 1 else session.handshake
        text = (
            f"The client {what}: it closed with 4000 {reason!r} {seconds(session.end.frame.t - before.frame.t)} after "
            f"frame {before.number}. Something that the SDK needs is missing where it runs (TextEncoder or crypto in "
            "React Native), or the identity failed to sign (a hardware key was refused, a WebAuthn prompt was "
            "cancelled, a delegation expired). The client's console shows the error."
        )
        yield Evidence((before.number, session.end.number), text)
