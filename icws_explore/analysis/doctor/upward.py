"""Which of the client's messages the canister did not count, told by what the network answered to each.

Where the network side is recorded nothing has to be guessed: a call that trapped, one that was refused,
one that the gateway never made, and two that ran in the wrong order all look different there.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from ..decode import DecodedFrame
from ..network_calls import NetworkCall
from .facts import SessionFacts
from .network_side import cause_of, frames_of, quoted


class Missed(NamedTuple):
    """Why the canister missed a message: the rule, the frames and the words."""

    rule: str
    frames: tuple[int, ...]
    told: str


def missed_by_answers(session: SessionFacts) -> Missed | None:
    """The first message of which the network's answer says that it did not count; None where none does."""
    answered = [d for d in session.sent if session.answer(d) is not None]
    if not answered:
        return None  # nothing of it is recorded, as in most captures
    for decoded in session.sent:
        call = session.answer(decoded)
        missed = _unrelayed(session, decoded, answered) if call is None else _failed(session, decoded, call)
        if missed is not None:
            return missed._replace(frames=(*missed.frames, *_end(session)))
    return None


def _failed(session: SessionFacts, decoded: DecodedFrame, call: NetworkCall) -> Missed | None:
    if not call.failed or call.outcome == "unreadable":
        return None
    what = f"The client's message {decoded.sequence_num} (frame {decoded.number})"
    frames = (decoded.number, *frames_of(call))
    cause = cause_of(call)
    if cause == "trap":
        return Missed("ON_MESSAGE_TRAP", frames, f"{what} made the canister trap: {quoted(call)}.{_effect(session)}")
    if cause == "sequence":
        return _overtaken(session, decoded, call)
    if call.outcome == "err":
        return None  # it ran and was counted, or the canister knows no such client
    return Missed("LOST_UP", frames, f"{what} never ran: {quoted(call)}.{_effect(session)}")


def _overtaken(session: SessionFacts, decoded: DecodedFrame, call: NetworkCall) -> Missed | None:
    numbers = re.findall(r"\d+", call.text)
    expected = next((d for d in session.sent if numbers and str(d.sequence_num) == numbers[0]), None)
    if expected is None or expected.number > decoded.number:
        return None  # a number that never left the client, or one that left it too late
    told = (
        f"The client sent {expected.sequence_num} and {decoded.sequence_num} in order (frames {expected.number} and "
        f"{decoded.number}), and the canister got {decoded.sequence_num} first: {quoted(call)}."
    )
    frames = (expected.number, decoded.number, *frames_of(call), *frames_of(session.answer(expected)))
    return Missed("REORDERED_RELAY", frames, told)


def _unrelayed(session: SessionFacts, decoded: DecodedFrame, answered: Sequence[DecodedFrame]) -> Missed | None:
    """Of a later message the call is recorded (``answered``), and of this one there is none."""
    behind = bisect_right(answered, decoded.number, key=lambda d: d.number)
    later = answered[behind] if behind < len(answered) else None
    sender = None if decoded.envelope is None else decoded.envelope.sender
    if answered[0].number > decoded.number and session.answer(session.open_request) is None:
        return None  # nothing before it is recorded either: the recording of the network began behind it
    if later is None or any(call.frame is None and call.sender == sender for call in session.whole.network.calls):
        return None  # where a call belongs to no frame, it may be this one, altered on its way
    told = (
        f"The gateway never relayed the client's message {decoded.sequence_num} (frame {decoded.number}): the network "
        f"got {later.sequence_num} behind it, and not this one.{_effect(session)}"
    )
    return Missed("LOST_UP", (decoded.number, later.number, *frames_of(session.answer(later))), told)


def _effect(session: SessionFacts) -> str:
    if session.canister_close is None:
        return " The next one will be out of order for the canister."
    return " The canister closed at the next one with WrongSequenceNumber."


def _end(session: SessionFacts) -> tuple[int, ...]:
    closing = session.canister_close
    return (*(() if closing is None else (closing.number,)), *session.end_frames)
