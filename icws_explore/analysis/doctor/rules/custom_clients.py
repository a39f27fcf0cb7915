"""Mistakes of custom clients: keys, nonces, numbers and requests that do not belong together.

ic-websocket-js makes none of them. Each is compared with the session's own ws_open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import FIRST_SEQUENCE_NUM
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.service_messages import CloseMessage

from ...decode import DecodedFrame
from ...network_calls import NetworkCall
from ..facts import CaptureFacts, SessionFacts
from ..finding import count, numbers
from ..grouping import by_client
from ..network_side import cause_of, frames_of, quoted
from ..registry import ACKS, FORGOTTEN, KEEP_ALIVES, OPENING, UPWARD, Evidence, capture_rule, session_rule

REPLACED_S: Final = 5.0  # from a ws_open to the end of the session that it replaces
_EFFECTS: Final = (*ACKS, *UPWARD, *KEEP_ALIVES, *FORGOTTEN)
_UNHEARD: Final = (
    "It does not happen with ic-websocket-js. The canister's Err is not forwarded: the client gets no answer."
)
_SOURCE: Final = "CDK 0.4.1 lib.rs, ws_message"


@session_rule(
    "SIGNER_CHANGED",
    sdk=_UNHEARD,
    fix="Sign every message with the identity that signed ws_open. After a login or a logout, close the session and "
    "open a new one.",
    source=_SOURCE,
    explains=("CLIENT_KEY_MISMATCH", "NONCE_MISMATCH", *_EFFECTS),
)
def signer_changed(session: SessionFacts) -> Iterator[Evidence]:
    for decoded, envelope, key in _messages(session):
        if envelope.sender is not None and envelope.sender != key.client_principal:
            text = (
                f"Frame {decoded.number} is signed by another principal than ws_open: by {envelope.sender}, while "
                f"ws_open (frame {_opening(session)}) was signed by {key.client_principal}. The canister does not "
                "accept it for this session."
            )
            yield _evidence(session, decoded, text)
            return


@session_rule(
    "CLIENT_KEY_MISMATCH",
    sdk=_UNHEARD,
    fix="Use the sender's own principal as client_key.client_principal in each message, and the client_nonce of "
    "ws_open.",
    source=_SOURCE,
    explains=_EFFECTS,
)
def client_key_mismatch(session: SessionFacts) -> Iterator[Evidence]:
    for decoded, _, key in _messages(session):
        named = None if decoded.message is None else decoded.message.client_key
        if named is not None and named.client_principal != key.client_principal:
            text = (
                f"The message of frame {decoded.number} has the client_key {named}, but its sender and ws_open (frame "
                f"{_opening(session)}) are {key}. The canister refuses a client_key that is not the sender's."
            )
            yield _evidence(session, decoded, text)
            return


@session_rule(
    "NONCE_MISMATCH",
    sdk="It keeps the nonce of ws_open as a BigInt.",
    fix="Keep client_nonce as a 64-bit integer (in JavaScript a BigInt), and send the same value in ws_open and in "
    "every client_key.",
    source=_SOURCE,
    explains=_EFFECTS,
)
def nonce_mismatch(session: SessionFacts) -> Iterator[Evidence]:
    for decoded, _, key in _messages(session):
        named = None if decoded.message is None else decoded.message.client_key
        if named is None or named.client_principal != key.client_principal or named.client_nonce == key.client_nonce:
            continue
        text = (
            f"The message of frame {decoded.number} has the client_nonce {named.client_nonce}, but ws_open (frame "
            f"{_opening(session)}) had {key.client_nonce}. The canister knows no client of that key."
        )
        if float(named.client_nonce) == float(key.client_nonce):
            text += " Both are the same as a JavaScript Number, which is exact only up to 2^53: the nonce was rounded."
        yield _evidence(session, decoded, text)
        return


@capture_rule(
    "NONCE_REUSED",
    sdk="It takes a new random nonce for each connection.",
    fix="Take a new random nonce (client_nonce) for each connection: the canister still knows the old session until "
    "its keep-alive time-out.",
    source="CDK 0.4.1 lib.rs, ws_open",
    explains=("CONNECTION_LOST", "POLLER_DEAD", *OPENING),
)
def nonce_reused(facts: CaptureFacts) -> Iterator[Evidence]:
    for sessions in by_client(facts.sessions):
        latest: dict[ClientKey | None, SessionFacts] = {}
        for session in sessions:
            before, latest[session.client_key] = latest.get(session.client_key), session
            opening, call = session.open_request, session.answer(session.open_request)
            if opening is None or session.opened is not None or session.client_key is None:
                continue
            is_said = call is not None and call.failed and cause_of(call) == "duplicate"
            is_silent = session.is_unanswered or session.ends_at_open_request
            is_guessed = before is not None and is_silent and (call is None or not call.is_final)
            if is_said or is_guessed:
                yield _reused(session, before, call if is_said else None)


def _reused(session: SessionFacts, before: SessionFacts | None, call: NetworkCall | None) -> Evidence:
    opening, key = session.open_request, session.client_key
    assert opening is not None
    assert key is not None
    text = f"ws_open (frame {opening.number}) has the client_nonce {key.client_nonce}"
    if before is not None:
        text += f", which session {before.name} of the same client had as well"
        text += " (that session was lost, and the canister was not told)" if before.is_lost else ""
        text += " (the gateway ended that session for this one)" if _is_replaced(before, opening) else ""
    text += f". The gateway relayed it, and {quoted(call)}." if call is not None else ". It had no answer."
    text += " The canister refuses a client_key that it still knows."
    numbers_before = () if before is None else _opening_frames(before)
    frames = (*numbers_before, opening.number, *frames_of(call), *session.end_frames)
    return Evidence(frames, text, (session.name,) if before is None else (before.name, session.name))


def _is_replaced(before: SessionFacts, opening: DecodedFrame) -> bool:
    """Whether the gateway ended a session because another one came with its client_key.

    A gateway serves one session for each key. Source: gateway 1.4.6 canister_poller.rs.
    """
    end = before.end
    if end is None or end.frame.direction != "in" or end.frame.code != CloseCode.NO_STATUS_RCVD:
        return False
    return abs(end.frame.t - opening.frame.t) <= max(REPLACED_S, before.facts.jitter_s)


@session_rule(
    "WS_OPEN_TWICE",
    severity="info",
    sdk="It sends one ws_open per connection.",
    fix="Send ws_open once per connection. The second one is refused and does no harm.",
    source="CDK 0.4.1 lib.rs, ws_open",
)
def ws_open_twice(session: SessionFacts) -> Iterator[Evidence]:
    openings = [d for d in session.frames if d.open_args is not None]
    if len(openings) < 2:
        return
    call = session.answer(openings[1])
    text = f"The client sent ws_open {len(openings)} times on one connection (frames {numbers(_numbers(openings))})."
    text += f" To the second one {quoted(call)}." if call is not None and call.is_final else ""
    yield Evidence((*_numbers(openings), *frames_of(call)), text)


@session_rule(
    "NUMBER_SENT_TWICE",
    sdk="It numbers its messages 1, 2, 3 and never sends a number again.",
    fix="Do not send a message again after a time-out: the canister counts each number once. If it may be lost, close "
    "the session and open a new one.",
    source=_SOURCE,
    explains=(*UPWARD, *ACKS),
)
def number_sent_twice(session: SessionFacts) -> Iterator[Evidence]:
    seen: dict[int, DecodedFrame] = {}
    for decoded in session.sent:
        number = decoded.sequence_num or 0
        if number in seen:
            text = (
                f"The client sent number {number} twice, in two requests (frames {seen[number].number} and "
                f"{decoded.number}). The canister counts the first and refuses the second."
            )
            closing = session.canister_close
            if closing is not None and isinstance(closing.service, CloseMessage) and closing.number > decoded.number:
                text += f" It closed with {closing.service.reason} (frame {closing.number})."
            yield _evidence(session, decoded, text, seen[number].number)
            return
        seen[number] = decoded


@session_rule(
    "REQUEST_SENT_TWICE",
    severity="info",
    sdk="It sends each request once.",
    fix="Nothing is wrong: the network executes a request once, however often it arrives.",
    source="interface specification, request id",
)
def request_sent_twice(session: SessionFacts) -> Iterator[Evidence]:
    once = {d.number for d in session.sent}
    first = {d.frame.data: d.number for d in session.sent}
    numbered = [d for d in session.frames if d.envelope is not None and d.sequence_num is not None]
    again = [d for d in numbered if d.number not in once]
    if again:
        more = f" ({count(len(again), 'repeated request')} in all)" if len(again) > 1 else ""
        text = (
            f"Frame {again[0].number} is the same request as frame {first[again[0].frame.data]}, byte for byte{more}. "
            "The network executes it once."
        )
        yield Evidence((first[again[0].frame.data], *(d.number for d in again)), text)


@session_rule(
    "FIRST_NUMBER",
    sdk="Its first message has the number 1.",
    fix="Number the client's messages from 1 on, keep-alives included.",
    source=_SOURCE,
    explains=(*UPWARD, *ACKS),
)
def first_number(session: SessionFacts) -> Iterator[Evidence]:
    if session.open_request is None or not session.sent:
        return
    sent = [d.sequence_num for d in session.sent]
    if FIRST_SEQUENCE_NUM in sent and 0 not in sent:
        return
    first = session.sent[0]
    text = (
        f"The client's first message (frame {first.number}) has the number {first.sequence_num}; the canister expects "
        f"{FIRST_SEQUENCE_NUM}."
    )
    closing = session.canister_close
    if closing is not None and isinstance(closing.service, CloseMessage):
        text += f" It closed with {closing.service.reason} (frame {closing.number})."
    yield _evidence(session, first, text)


@session_rule(
    "INDEFINITE_CBOR",
    severity="info",
    sdk="It writes CBOR of definite length, and reads both forms.",
    fix="Nothing is wrong: gateway and network accept both forms. ic4j writes this one.",
    source="RFC 8949, section 3.2; ic4j-agent",
)
def indefinite_cbor(session: SessionFacts) -> Iterator[Evidence]:
    frames = [d.number for d, _ in session.requests if "frame" in d.indefinite_layers]
    if frames:
        text = (
            f"The client writes CBOR with indefinite lengths ({count(len(frames), 'frame')}, the first is "
            f"{frames[0]}): it is not ic-websocket-js, and probably ic4j."
        )
        yield Evidence(tuple(frames), text)


def _messages(session: SessionFacts) -> Iterator[tuple[DecodedFrame, Envelope, ClientKey]]:
    """The client's messages, with their envelopes and the client key of ws_open."""
    key = session.client_key
    for decoded in session.sent:
        if key is not None and decoded.envelope is not None:
            yield decoded, decoded.envelope, key


def _opening(session: SessionFacts) -> int:
    assert session.open_request is not None  # the session has a client key
    return session.open_request.number


def _opening_frames(session: SessionFacts) -> tuple[int, ...]:
    return () if session.open_request is None else (session.open_request.number,)


def _numbers(frames: list[DecodedFrame]) -> list[int]:
    return [d.number for d in frames]


def _evidence(session: SessionFacts, decoded: DecodedFrame, text: str, *more: int) -> Evidence:
    """The evidence, with the network's answer if that is recorded."""
    call = session.answer(decoded)
    if call is not None and call.failed:
        text += f" The gateway relayed it, and {quoted(call)}."
    closing = session.canister_close
    frames = (*_opening_frames(session), *more, decoded.number, *frames_of(call))
    return Evidence((*frames, *(() if closing is None else (closing.number,)), *session.end_frames), text)
