"""Messages whose proof holds, and which are wrong all the same; or which the client took for wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.candid import decode_typed, type_text
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.service_messages import CloseMessage

from ...decode import DecodedFrame, application_type
from ..facts import SessionFacts
from ..finding import seconds
from ..registry import Evidence, session_rule

PROOF_S: Final = 5.0  # what the pairings of a certificate may take a busy machine or a telephone, in JavaScript
_CLOSE: Final = 'close(4000, "Error receiving message")'


@session_rule(
    "APP_TYPE_MISMATCH",
    sdk=f'"type mismatch: …" or "Wrong magic number" in the error, then {_CLOSE}.',
    fix="Send encode_one (Rust) or to_candid (Motoko) of the very type that is ws_message's optional argument.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
)
def app_type_mismatch(session: SessionFacts) -> Iterator[Evidence]:
    for decoded in session.frames:
        if decoded.kind != "app" or decoded.error is None or decoded.message is None:
            continue
        if not session.is_authentic(decoded) or _is_behind_a_bad_one(session, decoded):
            return
        declared = application_type(session.whole.capture)
        wanted = "Candid" if declared is None else f"of the declared type {type_text(declared)}"
        told = (
            f"The canister's message {decoded.sequence_num} (frame {decoded.number}, {len(decoded.message.content)} "
            f"bytes) is {session.genuine} but not {wanted}: {decoded.error}."
        )
        yield Evidence((decoded.number, *session.end_frames), told)
        return
    yield from _of_another_type(session)


def _of_another_type(session: SessionFacts) -> Iterator[Evidence]:
    """The declared type is not known here, but the client closed at the first message of another type."""
    last = _refused(session)
    if last is None or last.message is None or last.kind != "app" or application_type(session.whole.capture):
        return
    earlier = [d for d in session.received if d.number < last.number]
    shape = _shape(last)
    if not earlier or shape in {_shape(d) for d in (*earlier, *session.sent) if d.service is None}:
        return
    told = (
        f"The client took {len(earlier)} of the canister's messages and closed at {last.sequence_num} (frame "
        f"{last.number}), which is genuine, in order, and Candid of the type {shape}. Nothing of that type "
        "passed before, and only a message that does not decode ends the session of a client that took others: it is "
        "not the declared type, which this recording does not name. Compare it with ws_message's optional argument in "
        "the canister's .did."
    )
    yield Evidence((last.number, *session.end_frames), told)


def _shape(decoded: DecodedFrame) -> str:
    try:
        typed = [] if decoded.message is None else decode_typed(decoded.message.content)
    except DecodeError:
        return ""
    return ", ".join(type_text(type_) for type_, _ in typed)


def _refused(session: SessionFacts) -> DecodedFrame | None:
    """The message at which the client closed, though everything that can be judged about it holds."""
    if not session.closed_by_client("Error receiving message") or session.end is None:
        return None
    incoming = [d for d in session.frames if d.canister_message is not None and d.number < session.end.number]
    last = incoming[-1] if incoming else None
    verdict = None if last is None else session.whole.verdicts.get(last.number)
    if last is None or verdict is None or not verdict.ok or last.error is not None:
        return None
    within_s = max(PROOF_S, session.whole.jitter_s)
    is_at_it = session.end.frame.t - last.frame.t <= within_s and session.bad_message is None
    return last if is_at_it and session.whole.root_key is not None else None


@session_rule(
    "SDK_REJECTS_VALID",
    sdk='Version 0.3.4 pulls in agent 1.4.0, whose look-ups return an object: "Witness != Tree passed in '
    f'ic-certification" at the first canister message, then {_CLOSE}.',
    fix="Upgrade ic-websocket-js to 0.4.0 or later, with @dfinity/agent 2. With those: reconnect, and look at what "
    "holds up /api/v2/status.",
    source="ic-websocket-gateway#37",
)
def sdk_rejects_valid(session: SessionFacts) -> Iterator[Evidence]:
    last, end = _refused(session), session.end
    if last is None or end is None:
        return
    is_first = not any(d.canister_message is not None and d.number < last.number for d in session.frames)
    if last.service is not None or application_type(session.whole.capture) is not None:
        which = "the first canister message" if is_first else f"message {last.sequence_num}"
        told = (
            f"The client closed {seconds(end.frame.t - last.frame.t)} after {which} (frame {last.number}), and "
            "everything about that message holds here: certificate, witness, content, order, type."
        )
        if is_first:
            told += (
                " A client of a good version does so when it has no root key yet: the SDK asks the network for it and "
                "does not wait, so that a status that takes longer than ws_open is too late. So does one that trusts "
                "another network's key (ROOT_KEY) or whose clock is off (STALE_CERTIFICATE). The error's text in the "
                "client's console tells, or its root key, given with --root-key."
            )
        yield Evidence((last.number, end.number), told)


@session_rule(
    "CLIENT_KEY_FOREIGN",
    sdk="Nothing: it does not compare content.client_key. Only the sequence number may give the message away.",
    fix="Do not trust this gateway: it relays what the canister said to somebody else.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
    explains=("SEQUENCE_GAP_DOWN",),
)
def client_key_foreign(session: SessionFacts) -> Iterator[Evidence]:
    if session.client_key is None:
        return
    for decoded in session.received:
        if decoded.message is None or decoded.message.client_key == session.client_key:
            continue
        if session.is_authentic(decoded):
            told = (
                f"Frame {decoded.number} is the canister's message {decoded.sequence_num} for "
                f"{decoded.message.client_key}, and this session is {session.client_key}; its proof is "
                f"{session.genuine}."
            )
            yield Evidence((decoded.number,), told)
            return


@session_rule(
    "UNKNOWN_CLOSE_VARIANT",
    sdk='From 0.3.2 on it knows CloseMessage. Older ones: "Cannot find field hash…", then '
    'close(4000, "Service message error").',
    fix="Upgrade ic-websocket-js to 0.3.2 or later (ic4j knows no CloseMessage in any version).",
    source="ic-websocket-js 0.3.2 CHANGELOG; CDK 0.3.2",
)
def unknown_close_variant(session: SessionFacts) -> Iterator[Evidence]:
    closing = session.canister_close
    if closing is None or session.end is None or not session.closed_by_client("Service message error"):
        return
    if isinstance(closing.service, CloseMessage):
        told = (
            f"The canister closed with {closing.service.reason} (frame {closing.number}), and the client did not "
            "understand it: it took the CloseMessage for a bad service message."
        )
        yield Evidence((closing.number, session.end.number), told)


def _is_behind_a_bad_one(session: SessionFacts, decoded: DecodedFrame) -> bool:
    """The session was over for the SDK before that frame."""
    return session.bad_message is not None and session.bad_message[0].number < decoded.number
