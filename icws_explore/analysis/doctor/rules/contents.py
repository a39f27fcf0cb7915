"""Messages whose proof holds but which are wrong, or which the client took for wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.candid import decode_typed, type_text
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.service_messages import CloseMessage

from ...decode import DecodedFrame, application_type
from ..facts import SessionFacts
from ..finding import count, seconds
from ..registry import ACKS, DOWNWARD, KEEP_ALIVES, UPWARD, Evidence, session_rule

PROOF_S: Final = 5.0  # how long a busy machine or a phone may take to verify a certificate in JavaScript
_BATCH_S: Final = 1.0  # messages of one poll come closer together
_MANY_TIMES: Final = 3
_CLOSE: Final = 'close(4000, "Error receiving message")'


@session_rule(
    "APP_TYPE_MISMATCH",
    sdk=f'It reports "type mismatch: …" or "Wrong magic number" and calls {_CLOSE}.',
    fix="Send encode_one (Rust) or to_candid (Motoko) of the type that is ws_message's optional argument.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
)
def app_type_mismatch(session: SessionFacts) -> Iterator[Evidence]:
    for decoded in session.frames:
        if decoded.kind != "app" or decoded.error is None or decoded.message is None:
            continue
        if not session.is_authentic(decoded) or _follows_a_rejected_one(session, decoded):
            return
        if not decoded.message.content:
            continue  # an empty content says nothing about the type
        declared = application_type(session.facts.capture)
        wanted = "Candid" if declared is None else f"of the declared type {type_text(declared)}"
        text = (
            f"The canister's message {decoded.sequence_num} (frame {decoded.number}, {len(decoded.message.content)} "
            f"bytes) has a proof that is {session.valid_text}, but it is not {wanted}: {decoded.error}."
        )
        yield Evidence((decoded.number, *session.end_frames), text)
        return
    yield from _of_another_type(session)


def _of_another_type(session: SessionFacts) -> Iterator[Evidence]:
    """The declared type is not known, but the client closed at the first message of another type."""
    last = _refused(session)
    if last is None or last.message is None or last.kind != "app" or application_type(session.facts.capture):
        return
    earlier = [d for d in session.received if d.number < last.number and _was_accepted(session, d, last)]
    shape = _shape(last)
    if not earlier or shape in {_shape(d) for d in (*earlier, *session.sent) if d.service is None}:
        return
    text = (
        f"The client accepted {count(len(earlier), 'message')} of the canister and closed at message "
        f"{last.sequence_num} (frame {last.number}). That message is authentic, in order, and Candid of the type "
        f"{shape}; no message of that type passed before. A client that accepted other messages closes only at one "
        "that it cannot decode, so this is probably not the declared type, which this recording does not name. "
        "Compare it with ws_message's optional argument in the canister's .did (--did)."
    )
    yield Evidence((last.number, *session.end_frames), text)


def _was_accepted(session: SessionFacts, decoded: DecodedFrame, refused: DecodedFrame) -> bool:
    """Whether the client had accepted a message when ``refused`` arrived.

    It had if it sent a message after it, or if it had several times as long for it as it took to close after
    ``refused``.
    """
    if any(decoded.number < d.number < refused.number for d in session.sent) or session.end is None:
        return True
    took_s = session.end.frame.t - refused.frame.t
    return refused.frame.t - decoded.frame.t > max(_BATCH_S, _MANY_TIMES * took_s)


def _shape(decoded: DecodedFrame) -> str:
    try:
        typed = [] if decoded.message is None else decode_typed(decoded.message.content)
    except DecodeError:
        return ""
    return ", ".join(type_text(type_) for type_, _ in typed)


def _refused(session: SessionFacts) -> DecodedFrame | None:
    """The last message before the client closed with an error, if everything that can be checked about it holds."""
    if not session.closed_by_client("Error receiving message") or session.end is None:
        return None
    incoming = [d for d in session.frames if d.canister_message is not None and d.number < session.end.number]
    last = incoming[-1] if incoming else None
    verdict = None if last is None else session.facts.verdicts.get(last.number)
    if last is None or verdict is None or not verdict.ok or last.error is not None:
        return None
    within_s = max(PROOF_S, session.facts.jitter_s)
    is_prompt = session.end.frame.t - last.frame.t <= within_s and session.rejected_message is None
    return last if is_prompt and session.facts.root_key is not None else None


@session_rule(
    "SDK_REJECTS_VALID",
    sdk='Version 0.3.4 pulls in agent 1.4.0, whose lookups return an object: it reports "Witness != Tree passed in '
    f'ic-certification" at the first canister message and calls {_CLOSE}.',
    fix="Upgrade ic-websocket-js to 0.4.0 or later, with @dfinity/agent 2. With those versions: check that networkUrl "
    "answers /api/v2/status with the network's root key (not with an HTML page) before ws_open, and reconnect.",
    source="ic-websocket-gateway#37",
)
def sdk_rejects_valid(session: SessionFacts) -> Iterator[Evidence]:
    last, end = _refused(session), session.end
    if last is None or end is None:
        return
    messages = [d for d in session.frames if d.canister_message is not None and d.number < end.number]
    waiting = [d for d in messages if not _was_accepted(session, d, last)]
    first = waiting[0] if waiting else last  # the SDK verifies one after the other, and stops at the first that fails
    is_first = first.number == messages[0].number
    if not is_first and last.service is None and application_type(session.facts.capture) is None:
        return  # it may be of another type than the declared one
    which = "the first canister message" if is_first else f"message {first.sequence_num}"
    text = (
        f"The client closed {seconds(end.frame.t - first.frame.t)} after {which} (frame {first.number}), although "
        "everything about that message holds here: certificate, witness, content, order and type."
    )
    if last is not first:
        text += f" {count(len(waiting) - 1, 'message')} of the same poll followed at once and did not matter any more."
    if is_first:
        text += (
            " A client of a good version does this if it has no root key: the SDK asks the network for it without "
            "waiting, so a status that takes longer than ws_open, or cannot be fetched (networkUrl answers HTML), is "
            "too late. A client that trusts another network's root key (ROOT_KEY) or whose clock is off "
            "(STALE_CERTIFICATE) does the same. The error in the client's console tells which; so does checking with "
            "the client's own root key (--root-key)."
        )
    yield Evidence((first.number, end.number), text)


@session_rule(
    "CLIENT_KEY_FOREIGN",
    sdk="It does not compare content.client_key. Only the sequence number may show that the message is not its own.",
    fix="Do not trust this gateway: it relays messages that the canister sent to another client.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
    explains=DOWNWARD,
)
def client_key_foreign(session: SessionFacts) -> Iterator[Evidence]:
    if session.client_key is None:
        return
    for decoded in session.received:
        if decoded.message is None or decoded.message.client_key == session.client_key:
            continue
        if session.is_authentic(decoded):
            text = (
                f"Frame {decoded.number} is the canister's message {decoded.sequence_num} for "
                f"{decoded.message.client_key}, but this session is {session.client_key}. The proof of the message is "
                f"{session.valid_text}."
            )
            yield Evidence((decoded.number,), text)
            return


@session_rule(
    "UNKNOWN_CLOSE_VARIANT",
    sdk='Versions from 0.3.2 on know CloseMessage. Older ones report "Cannot find field hash…" and call '
    'close(4000, "Service message error").',
    fix="Upgrade ic-websocket-js to 0.3.2 or later. No version of ic4j knows CloseMessage.",
    source="ic-websocket-js 0.3.2 CHANGELOG; CDK 0.3.2",
)
def unknown_close_variant(session: SessionFacts) -> Iterator[Evidence]:
    closing = session.canister_close
    if closing is None or session.end is None or not session.closed_by_client("Service message error"):
        return
    if isinstance(closing.service, CloseMessage):
        text = (
            f"The canister closed with {closing.service.reason} (frame {closing.number}), and the client did not "
            "understand it: it took the CloseMessage for a malformed service message."
        )
        yield Evidence((closing.number, session.end.number), text)


@session_rule(
    "STALE_DECLARATIONS",
    sdk="It encodes what its declarations say, and does not notice.",
    fix="Generate the client's declarations again (dfx generate) from the interface that the canister runs now, and "
    "build the client with them.",
    source="CDK 0.4.1 lib.rs, ws_message; Candid specification, subtyping",
    explains=(*UPWARD, *ACKS, *KEEP_ALIVES),
)
def stale_declarations(session: SessionFacts) -> Iterator[Evidence]:
    declared = application_type(session.facts.capture)
    if declared is None:
        return
    messages = [d for d in session.sent if d.kind == "message" and d.message is not None and d.message.content]
    wrong = [d for d in messages if d.error is not None]
    if not wrong:
        return
    first, shape = wrong[0], _shape(wrong[0])
    text = (
        f"The client's message {first.sequence_num} (frame {first.number}) is not of ws_message's declared type "
        f"{type_text(declared)}: {first.error}."
    )
    text += f" It is of the type {shape}, so the client's declarations are out of date." if shape else ""
    text += f" So are {len(wrong)} of its {count(len(messages), 'message')}." if len(wrong) > 1 else ""
    closing = session.canister_close
    if closing is not None:
        text += (
            f" on_message traps when it decodes such a message, and the canister closed at the next one (frame "
            f"{closing.number})."
        )
    else:
        text += " Rust's on_message traps when it decodes it; Motoko's from_candid gives null, so it is ignored."
    frames = (first.number, *(() if closing is None else (closing.number,)), *session.end_frames)
    yield Evidence(frames, text)


def _follows_a_rejected_one(session: SessionFacts, decoded: DecodedFrame) -> bool:
    """Whether the SDK had already ended the session before that frame."""
    return session.rejected_message is not None and session.rejected_message[0].number < decoded.number
