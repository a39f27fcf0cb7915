"""Which of the client's messages the canister did not count, by what the network answered to each.

If the network side is recorded, nothing has to be guessed: a call that trapped, a call that was refused, a call
that the gateway never made, and two calls that ran in the wrong order all have different answers.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from icws_explore.protocol.service_messages import CloseMessage, CloseReason

from ..decode import DecodedFrame
from ..network_calls import NetworkCall
from .facts import SessionFacts
from .network_side import cause_of, frames_of, quoted

# Causes that rules of their own report.
_OTHER_RULES = ("cycles", "inspect", "no_reply", "canister", "code")


class Missed(NamedTuple):
    """Why the canister missed a message: the rule's id, the frames, and the explanation."""

    rule: str
    frames: tuple[int, ...]
    text: str


def missed_by_answers(session: SessionFacts) -> Missed | None:
    """The first message of which the network's answer says that it did not count; None if no answer says so."""
    answered = [d for d in session.sent if session.answer(d) is not None]
    if not answered:
        return None  # the network side is not recorded
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
    if call.outcome == "err" or cause in _OTHER_RULES:
        return None  # the message counted, or the canister does not know the client, or another rule reports it
    if session.fatal_poll is not None and cause_of(session.fatal_poll) == cause:
        return None  # POLLER_DEAD: the canister was stopped, and the gateway's next poll found that out as well
    return Missed("LOST_UP", frames, f"{what} did not count: {quoted(call)}.{_effect(session)}")


def _overtaken(session: SessionFacts, decoded: DecodedFrame, call: NetworkCall) -> Missed | None:
    numbers = re.findall(r"\d+", call.text)
    expected = next((d for d in session.sent if numbers and str(d.sequence_num) == numbers[0]), None)
    if expected is None or expected.number >= decoded.number:
        return None  # the expected number never left the client, or too late
    text = (
        f"The client sent {expected.sequence_num} and {decoded.sequence_num} in order (frames {expected.number} and "
        f"{decoded.number}), and the canister executed {decoded.sequence_num} first: {quoted(call)}."
    )
    frames = (expected.number, decoded.number, *frames_of(call), *frames_of(session.answer(expected)))
    return Missed("REORDERED_RELAY", frames, text)


def _unrelayed(session: SessionFacts, decoded: DecodedFrame, answered: Sequence[DecodedFrame]) -> Missed | None:
    """A message without a call, although a later message (one of ``answered``) has one."""
    position = bisect_right(answered, decoded.number, key=lambda d: d.number)
    later = answered[position] if position < len(answered) else None
    sender = None if decoded.envelope is None else decoded.envelope.sender
    if answered[0].number > decoded.number and session.answer(session.open_request) is None:
        return None  # no earlier call is recorded either: the recording of the network began later
    if later is None or sender in session.facts.network.senders_of_unknown:
        return None  # a call that belongs to no frame may be this message, altered on its way
    text = (
        f"The gateway never relayed the client's message {decoded.sequence_num} (frame {decoded.number}): the network "
        f"received {later.sequence_num}, which was sent after it, but not this one.{_effect(session)}"
    )
    return Missed("LOST_UP", (decoded.number, later.number, *frames_of(session.answer(later))), text)


def _effect(session: SessionFacts) -> str:
    closing = session.canister_close
    if closing is None:
        return " The next message will be out of order for the canister."
    if isinstance(closing.service, CloseMessage) and closing.service.reason is CloseReason.WRONG_SEQUENCE_NUMBER:
        return " The canister closed at the next message with WrongSequenceNumber."
    return f" The canister closed later (frame {closing.number}: {closing.summary})."


def _end(session: SessionFacts) -> tuple[int, ...]:
    closing = session.canister_close
    return (*(() if closing is None else (closing.number,)), *session.end_frames)
