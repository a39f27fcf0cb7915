"""Sequence numbers: the order of the canister's messages, and the client's messages that the canister missed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from icws_explore.protocol.constants import FIRST_SEQUENCE_NUM, MAX_INGRESS_BYTES
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, CloseReason

from ...decode import DecodedFrame
from ..facts import SessionFacts
from ..finding import RECORD_NETWORK, numbers, seconds
from ..missed import Missed, missed_by_answers
from ..registry import UPWARD, Evidence, session_rule
from .keep_alive import lost_answer

_CLOSED: Final = 'close(4000, "Received close message from canister")'
_SDK_DOWN: Final = (
    'It reports "Received message sequence number does not match next expected value. Expected: X, received: Y" and '
    'calls close(4000, "Error receiving message").'
)


class _Disorder(NamedTuple):
    """The first canister message with another number than the next one; ``what`` is how it differs."""

    kind: Literal["gap", "duplicate", "swap"]
    decoded: DecodedFrame
    expected: int
    what: str


def _disorder(session: SessionFacts) -> _Disorder | None:
    expected = FIRST_SEQUENCE_NUM if session.open_request is not None else None
    seen: dict[int, DecodedFrame] = {}
    for decoded in session.received:
        number = decoded.sequence_num
        bad = session.rejected_message
        if number is None or (bad is not None and bad[0].number < decoded.number):
            return None
        if expected is None or number == expected:
            seen[number], expected = decoded, number + 1
            continue
        return _kind(session, decoded, number, expected, seen) if session.is_authentic(decoded) else None
    return None


def _kind(
    session: SessionFacts, decoded: DecodedFrame, number: int, expected: int, seen: dict[int, DecodedFrame]
) -> _Disorder:
    if number in seen:
        return _Disorder("duplicate", decoded, expected, f"a duplicate of frame {seen[number].number}")
    after = (d for d in session.all_frames if d.canister_message is not None and d.number > decoded.number)
    later = {d.sequence_num: d.number for d in after if d.message is not None}
    if expected in later:
        return _Disorder("swap", decoded, expected, f"{expected} follows in frame {later[expected]}")
    missing = list(range(expected, min(number, expected + 100)))
    what = f"{numbers(missing)} never came" if missing else "it is older than the first one of the recording"
    return _Disorder("gap", decoded, expected, what)


def _disorder_evidence(session: SessionFacts, kind: Literal["gap", "duplicate", "swap"]) -> Iterator[Evidence]:
    found = _disorder(session)
    if found is None or found.kind != kind:
        return
    number, expected = found.decoded.sequence_num, found.expected
    text = f"Frame {found.decoded.number} is the canister's message {number}, but {expected} was next: {found.what}."
    polled = next((message for message in session.polled_messages if message.sequence_num == expected), None)
    if polled is not None:
        text += f" The canister had given the gateway message {expected} (frame {polled.frame})."
    frames = (found.decoded.number, *(() if polled is None else (polled.frame,)), *session.end_frames)
    yield Evidence(frames, text)


@session_rule(
    "SEQUENCE_GAP_DOWN",
    sdk=_SDK_DOWN,
    fix="Look at the gateway: it did not pass a message on. The canister certified each number once, in order.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
)
def sequence_gap_down(session: SessionFacts) -> Iterator[Evidence]:
    yield from _disorder_evidence(session, "gap")


@session_rule(
    "SEQUENCE_DUPLICATE_DOWN",
    sdk=_SDK_DOWN,
    fix="Look at the gateway: it passed a message on twice. The canister certified each number once, in order.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
)
def sequence_duplicate_down(session: SessionFacts) -> Iterator[Evidence]:
    yield from _disorder_evidence(session, "duplicate")


@session_rule(
    "SEQUENCE_SWAP_DOWN",
    sdk=_SDK_DOWN,
    fix="Look at the gateway: it passed two messages on in the wrong order. The canister certified each number once, "
    "in order.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
)
def sequence_swap_down(session: SessionFacts) -> Iterator[Evidence]:
    yield from _disorder_evidence(session, "swap")


@session_rule(
    "KEEPALIVE_RACE",
    sdk='It reports "Sequence number N is not greater than last: M" and calls close(4000, "Message sending failed"), '
    "or "
    f"the canister sends a CloseMessage with WrongSequenceNumber and the SDK calls {_CLOSED}.",
    fix="Send one message after the other: a keep-alive bypasses the SDK's queue, and asynchronous signing swaps the "
    "two.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
    explains=("SDK_FAILED_LOCALLY", *UPWARD),
)
def keepalive_race(session: SessionFacts) -> Iterator[Evidence]:
    for one, other in pairwise(session.sent):
        if (one.sequence_num or 0) > (other.sequence_num or 0) and "keep_alive" in (one.kind, other.kind):
            text = (
                f"The client sent number {one.sequence_num} ({one.kind.replace('_', '-')}, frame {one.number}) before "
                f"number {other.sequence_num} ({other.kind.replace('_', '-')}, frame {other.number}), "
                f"{seconds(other.frame.t - one.frame.t)} apart.{_effect(session, other)}"
            )
            yield Evidence((one.number, other.number, *session.end_frames), text)
            return


def _effect(session: SessionFacts, second: DecodedFrame) -> str:
    closing = session.canister_close
    if closing is None or closing.number < second.number:
        return ""
    return f" The canister closed {seconds(closing.frame.t - second.frame.t)} later (frame {closing.number})."


@session_rule(
    "LOST_UP",
    sdk="It learns of the loss only from the canister's CloseMessage with WrongSequenceNumber, and then calls "
    f"{_CLOSED}.",
    fix="Split messages that are larger than the ingress limit of 2 MiB, keep the clock right, and read the network's "
    "refusal in the gateway's log.",
    source="gateway 1.4.6 client_session.rs",
    explains=("ON_MESSAGE_TRAP", "REORDERED_RELAY"),
)
def lost_up(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "LOST_UP")
    yield from lost_answer(session)


@session_rule(
    "REORDERED_RELAY",
    sdk=f"When it receives the canister's CloseMessage with WrongSequenceNumber it calls {_CLOSED}.",
    fix="Pace the sends: wait for the canister's answer, or about a second, before the next one. From version 1.4.3 on "
    "the gateway relays each message in a task of its own.",
    source="ic-websocket-gateway PR#42",
    explains=("ON_MESSAGE_TRAP",),
)
def reordered_relay(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "REORDERED_RELAY")


@session_rule(
    "ON_MESSAGE_TRAP",
    sdk=f"When it receives the canister's CloseMessage at the next message it calls {_CLOSED}.",
    fix="Fix the trap in on_message: it rolls the CDK's counter back, so that the next message is out of order.",
    source="CDK 0.4.1 lib.rs, ws_message",
)
def on_message_trap(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "ON_MESSAGE_TRAP")


def _of_cause(session: SessionFacts, rule: str) -> Iterator[Evidence]:
    missed = _missed(session)
    if missed is not None and missed.rule == rule:
        yield Evidence(missed.frames, missed.text)


def _missed(session: SessionFacts) -> Missed | None:
    """Which message the canister missed: by the network's answers, else by its CloseMessage WrongSequenceNumber."""
    missed = missed_by_answers(session)
    if missed is not None:
        return missed
    closing = session.canister_close
    if closing is None or not isinstance(closing.service, CloseMessage):
        return None
    if closing.service.reason is not CloseReason.WRONG_SEQUENCE_NUMBER:
        return None
    sent = [d for d in session.sent if d.number < closing.number]
    close_frames = (closing.number, *session.end_frames)
    if len(sent) < 2:
        return None  # no message can be missing before it
    return (
        _refused(session, sent, close_frames)
        or _gap(sent, close_frames)
        or _order(session, sent, closing, close_frames)
    )


def _refused(session: SessionFacts, sent: list[DecodedFrame], close_frames: tuple[int, ...]) -> Missed | None:
    """A message that no replica accepts, and a later one that was accepted."""
    for decoded in sent[:-1]:
        failure = session.envelope_failure(decoded)
        if decoded.size > MAX_INGRESS_BYTES:
            why = f"it has {decoded.size:,} bytes, and a replica accepts at most {MAX_INGRESS_BYTES:,}"
        elif failure is not None:
            why = f"the step {failure.step} fails: {failure.detail}"
        else:
            continue
        text = (
            f"The network refused the client's message {decoded.sequence_num} (frame {decoded.number}): {why}. The "
            "canister closed at the next one with WrongSequenceNumber."
        )
        return Missed("LOST_UP", (decoded.number, *close_frames), text)
    return None


def _gap(sent: list[DecodedFrame], close_frames: tuple[int, ...]) -> Missed | None:
    """A number that the client did not send."""
    for one, other in pairwise(sent):
        if one.sequence_num is not None and (other.sequence_num or 0) > one.sequence_num + 1:
            text = (
                f"The client sent number {other.sequence_num} (frame {other.number}) after {one.sequence_num} (frame "
                f"{one.number}). Number {one.sequence_num + 1} is not in the recording: signing or sending it failed."
            )
            return Missed("LOST_UP", (one.number, other.number, *close_frames), text)
    return None


def _order(
    session: SessionFacts, sent: list[DecodedFrame], closing: DecodedFrame, close_frames: tuple[int, ...]
) -> Missed:
    """The numbers are in order: either the last ones overtook each other, or the last but one did not count."""
    acked = max(
        (d.service.last_incoming_sequence_num for d in session.acks if isinstance(d.service, AckMessage)), default=0
    )
    known = f" The last ack was for {acked}." if session.acks else ""
    recent = [d for d in sent if (d.sequence_num or 0) > acked]
    limit_s = _overtaking_s(session)
    for one, other in reversed(list(pairwise(recent))):
        apart = other.frame.t - one.frame.t
        if apart < limit_s and not _is_answered_before(session, one, other):
            text = (
                f"The client sent {one.sequence_num} and {other.sequence_num} in order, {seconds(apart)} apart (frames "
                f"{one.number} and {other.number}), and {seconds(closing.frame.t - other.frame.t)} later the canister "
                f"closed with WrongSequenceNumber: the two were executed in the wrong order.{known} A trap in "
                f"on_message at {one.sequence_num} (ON_MESSAGE_TRAP) looks the same. {RECORD_NETWORK}"
            )
            return Missed("REORDERED_RELAY", (one.number, other.number, *close_frames), text)
    last, before = sent[-1], sent[-2]
    text = (
        f"The client's messages are in order, and too far apart to overtake each other. "
        f"{seconds(closing.frame.t - last.frame.t)} after {last.sequence_num} (frame {last.number}) the canister "
        f"closed with WrongSequenceNumber: {before.sequence_num} (frame {before.number}) did not count, which happens "
        f"when on_message traps.{known} A message that the gateway lost (LOST_UP) looks the same. {RECORD_NETWORK}"
    )
    return Missed("ON_MESSAGE_TRAP", (before.number, last.number, *close_frames), text)


def _is_answered_before(session: SessionFacts, one: DecodedFrame, other: DecodedFrame) -> bool:
    """Whether the canister had answered message ``one``, and each of the client's before it, when ``other`` was sent.

    One answer alone may be a message that the canister sends of its own accord.
    """
    talk = [d for d in session.frames if d.kind in ("message", "app") and d.number <= one.number]
    answers = [d for d in session.frames if d.kind == "app" and one.number < d.number < other.number]
    answered = [later.kind == "app" for d, later in pairwise([*talk, *answers[:1]]) if d.kind == "message"]
    return one.kind == "message" and bool(answers) and all(answered)


_SHARE: Final = 3  # of a call's latency is about how long it waits for its block, where calls can change places
_BUSY_SHARE: Final = 20  # of what a busy machine makes of a scaled clock is the time between two sends of one burst


def _overtaking_s(session: SessionFacts) -> float:
    """How far apart (s) two messages may be sent and still be executed in the wrong order.

    That is a third of the session's own latency: of the time from ws_open to the OpenMessage, or, if the
    recording begins later, of the shortest time from a message to the canister's next one.
    """
    opening, opened, busy_s = session.open_request, session.opened, session.facts.jitter_s / _BUSY_SHARE
    if opening is not None and opened is not None:
        return max((opened.frame.t - opening.frame.t) / _SHARE, busy_s)
    talk = [d for d in session.frames if d.kind in ("message", "app")]
    ways = [later.frame.t - d.frame.t for d, later in pairwise(talk) if (d.kind, later.kind) == ("message", "app")]
    return max(min(ways, default=0.0) / _SHARE, busy_s)
