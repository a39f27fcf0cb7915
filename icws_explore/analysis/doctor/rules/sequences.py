"""Sequence numbers: in order on the way down, and what the canister missed on the way up."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from icws_explore.protocol.constants import FIRST_SEQUENCE_NUM, MAX_INGRESS_BYTES
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, CloseReason

from ...decode import DecodedFrame
from ..facts import SessionFacts
from ..finding import RECORD_NETWORK, numbers, seconds
from ..registry import Evidence, session_rule
from ..waits import Missed, missed_by_answers
from .keep_alive import lost_answer

BURST_S: Final = 2.0  # calls sent closer together than this can be executed the other way round
_CLOSED: Final = 'close(4000, "Received close message from canister").'


@session_rule(
    "SEQUENCE_GAP_DOWN",
    sdk='"Received message sequence number does not match next expected value. Expected: X, received: Y", then '
    'close(4000, "Error receiving message").',
    fix="Look at the gateway: the canister certified each number once, in order.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
)
def sequence_gap_down(session: SessionFacts) -> Iterator[Evidence]:
    expected = FIRST_SEQUENCE_NUM if session.open_request is not None else None
    seen: dict[int, DecodedFrame] = {}
    for decoded in session.received:
        number = decoded.sequence_num
        if number is None or (session.bad_message is not None and session.bad_message[0].number < decoded.number):
            return
        if expected is None or number == expected:
            seen[number], expected = decoded, number + 1
            continue
        if not session.is_authentic(decoded):
            return
        kind = _disorder(session, decoded, number, expected, seen)
        told = f"Frame {decoded.number} is the canister's message {number} where {expected} was next: {kind}."
        given = next((it for it in session.given if it.sequence_num == expected), None)
        if given is not None:
            told += f" The canister had given the gateway message {expected} (frame {given.frame})."
        yield Evidence((decoded.number, *(() if given is None else (given.frame,)), *session.end_frames), told)
        return


def _disorder(
    session: SessionFacts, decoded: DecodedFrame, number: int, expected: int, seen: dict[int, DecodedFrame]
) -> str:
    if number in seen:
        return f"a duplicate of frame {seen[number].number}"
    behind = (d for d in session.all_frames if d.canister_message is not None and d.number > decoded.number)
    later = {d.sequence_num: d.number for d in behind if d.message is not None}
    if expected in later:
        return f"a swap, {expected} follows in frame {later[expected]}"
    missing = list(range(expected, min(number, expected + 100)))
    return f"a gap, {numbers(missing)} never came" if missing else "older than the first one of the recording"


@session_rule(
    "KEEPALIVE_RACE",
    sdk='"Sequence number N is not greater than last: M" and close(4000, "Message sending failed"), or the canister\'s '
    f"CloseMessage WrongSequenceNumber and {_CLOSED}",
    fix="Serialise the sends: a keep-alive bypasses the SDK's queue, and asynchronous signing swaps the two.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
    explains=("REORDERED_RELAY", "ON_MESSAGE_TRAP", "LOST_UP"),
)
def keepalive_race(session: SessionFacts) -> Iterator[Evidence]:
    for one, other in pairwise(session.sent):
        if (one.sequence_num or 0) > (other.sequence_num or 0) and "keep_alive" in (one.kind, other.kind):
            told = (
                f"The client sent number {one.sequence_num} ({one.kind.replace('_', '-')}, frame {one.number}) before "
                f"{other.sequence_num} ({other.kind.replace('_', '-')}, frame {other.number}), "
                f"{seconds(other.frame.t - one.frame.t)} apart.{_effect(session, other)}"
            )
            yield Evidence((one.number, other.number, *session.end_frames), told)
            return


def _effect(session: SessionFacts, second: DecodedFrame) -> str:
    closing = session.canister_close
    if closing is None or closing.number < second.number:
        return ""
    return f" The canister closed {seconds(closing.frame.t - second.frame.t)} later (frame {closing.number})."


@session_rule(
    "LOST_UP",
    sdk=f"It hears of the loss only from the canister: CloseMessage WrongSequenceNumber, {_CLOSED}",
    fix="Split messages that are larger than the ingress limit of 2 MiB; keep the clock right; the gateway's log has "
    "the replica's refusal.",
    source="gateway 1.4.6 client_session.rs",
    explains=("ON_MESSAGE_TRAP", "REORDERED_RELAY"),
)
def lost_up(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "LOST_UP")
    yield from lost_answer(session)


@session_rule(
    "REORDERED_RELAY",
    sdk=f"CloseMessage WrongSequenceNumber from the canister, then {_CLOSED}",
    fix="Pace the sends: wait for the canister's answer, or a second, before the next one. From 1.4.3 on the gateway "
    "relays each message from a task of its own.",
    source="ic-websocket-gateway PR#42",
    explains=("ON_MESSAGE_TRAP",),
)
def reordered_relay(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "REORDERED_RELAY")


@session_rule(
    "ON_MESSAGE_TRAP",
    sdk=f"CloseMessage WrongSequenceNumber at the message behind, then {_CLOSED}",
    fix="Let on_message not trap: the trap rolls the CDK's counter back, so that the next message is out of order.",
    source="CDK 0.4.1 lib.rs, ws_message",
)
def on_message_trap(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "ON_MESSAGE_TRAP")


def _of_cause(session: SessionFacts, rule: str) -> Iterator[Evidence]:
    missed = _missed(session)
    if missed is not None and missed.rule == rule:
        yield Evidence(missed.frames, missed.told)


def _missed(session: SessionFacts) -> Missed | None:
    """By the network's answers, else what the canister's CloseMessage WrongSequenceNumber comes from."""
    told = missed_by_answers(session)
    if told is not None:
        return told
    closing = session.canister_close
    if closing is None or not isinstance(closing.service, CloseMessage):
        return None
    if closing.service.reason is not CloseReason.WRONG_SEQUENCE_NUMBER:
        return None
    sent = [d for d in session.sent if d.number < closing.number]
    close_frames = (closing.number, *session.end_frames)
    if len(sent) < 2:
        return None  # nothing can have gone missing in front of it
    return (
        _unfit(session, sent, close_frames) or _gap(sent, close_frames) or _burst(session, sent, closing, close_frames)
    )


def _unfit(session: SessionFacts, sent: list[DecodedFrame], close_frames: tuple[int, ...]) -> Missed | None:
    """A message that no replica takes, and one behind it that was taken."""
    for decoded in sent[:-1]:
        verdict = session.whole.envelope_verdicts.get(decoded.number)
        failure = None if verdict is None else verdict.failure
        if decoded.size > MAX_INGRESS_BYTES:
            why = f"it has {decoded.size:,} bytes, and a replica takes {MAX_INGRESS_BYTES:,}"
        elif failure is not None:
            why = f"its {failure.step} fails: {failure.detail}"
        else:
            continue
        told = (
            f"The client's message {decoded.sequence_num} (frame {decoded.number}) never ran: {why}. The canister "
            "closed at the next one with WrongSequenceNumber."
        )
        return Missed("LOST_UP", (decoded.number, *close_frames), told)
    return None


def _gap(sent: list[DecodedFrame], close_frames: tuple[int, ...]) -> Missed | None:
    """A number that never left the client."""
    for one, other in pairwise(sent):
        if one.sequence_num is not None and other.sequence_num not in (None, one.sequence_num + 1):
            told = (
                f"The client sent number {other.sequence_num} (frame {other.number}) behind {one.sequence_num} "
                f"(frame {one.number}): {one.sequence_num + 1} never left it, as when signing or sending fails."
            )
            return Missed("LOST_UP", (one.number, other.number, *close_frames), told)
    return None


def _burst(
    session: SessionFacts, sent: list[DecodedFrame], closing: DecodedFrame, close_frames: tuple[int, ...]
) -> Missed:
    """Numbers in order: either the last ones overtook each other, or the last but one did not count."""
    acked = max(
        (d.service.last_incoming_sequence_num for d in session.acks if isinstance(d.service, AckMessage)), default=0
    )
    known = f" The last ack was for {acked}." if session.acks else ""
    recent = [d for d in sent if (d.sequence_num or 0) > acked]
    for one, other in reversed(list(pairwise(recent))):
        apart = other.frame.t - one.frame.t
        if apart < BURST_S:
            told = (
                f"The client sent {one.sequence_num} and {other.sequence_num} in order, {seconds(apart)} apart (frames "
                f"{one.number} and {other.number}), and {seconds(closing.frame.t - other.frame.t)} later the canister "
                f"closed with WrongSequenceNumber: they were executed the other way round.{known} A trap in on_message "
                f"at {one.sequence_num} (ON_MESSAGE_TRAP) would look the same. {RECORD_NETWORK}"
            )
            return Missed("REORDERED_RELAY", (one.number, other.number, *close_frames), told)
    last = sent[-1]
    before = sent[-2]
    which = f"{before.sequence_num} (frame {before.number})"
    told = (
        f"The client's messages are in order and far apart. The canister closed "
        f"{seconds(closing.frame.t - last.frame.t)} after {last.sequence_num} (frame {last.number}) with "
        f"WrongSequenceNumber: {which} did not count, as when on_message traps.{known} A message that the gateway lost "
        f"(LOST_UP) looks the same. {RECORD_NETWORK}"
    )
    return Missed("ON_MESSAGE_TRAP", (before.number, last.number, *close_frames), told)
