"""The wait for an AckMessage that ended a session: since when, for how long, and what came meanwhile.

Which of the client's messages the canister did not count, told by what the network answered to each.

Where the network side is recorded nothing has to be guessed: a call that trapped, one that was refused,
one that the gateway never made, and two that ran in the wrong order all look different there.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from icws_explore.protocol.constants import ACK_INTERVAL_MS, LATENCY_BOUND_MS, NS_PER_S
from icws_explore.protocol.service_messages import AckMessage

from ..decode import DecodedFrame
from ..network_calls import NetworkCall
from .facts import TOLERANCE_S, SessionFacts
from .finding import numbers, seconds
from .network_side import cause_of, frames_of, quoted
from .registry import Evidence

DEFAULT_S: Final = ACK_INTERVAL_MS / 1000
BOUND_S: Final = LATENCY_BOUND_MS / 1000


class Wait(NamedTuple):
    """The wait that ended the session. ``start`` is what started the SDK's timer: an ack, or the first message."""

    start: DecodedFrame
    waited_s: float
    unacked: list[int]
    arrived: list[DecodedFrame]  # canister messages during the wait


def wait_of(session: SessionFacts) -> Wait | None:
    if not session.closed_by_client("Ack message timeout") or session.end is None:
        return None
    started = session.acks[-1:] or session.sent[:1]
    if not started:
        return None
    start = started[0]
    acked = 0
    if isinstance(start.service, AckMessage):
        acked = start.service.last_incoming_sequence_num
    unacked = [d.sequence_num for d in session.sent if d.sequence_num is not None and d.sequence_num > acked]
    arrived = [d for d in session.received if d.number > start.number]
    return Wait(start, session.end.frame.t - start.frame.t, unacked, arrived)


def expected_s(session: SessionFacts, wait: Wait) -> float:
    """How often the client expects an ack: as configured, or less if it gave up before that was over.

    Its timer may be late and is never early. A wait that is shorter than the bound was ended by an ack
    that came too late for what it left open, and tells nothing.
    """
    shown_s = wait.waited_s - BOUND_S
    if shown_s <= TOLERANCE_S or shown_s > session.ack_interval_s - TOLERANCE_S:
        return session.ack_interval_s
    return shown_s


def spacing_s(session: SessionFacts) -> float | None:
    """The canister's ack interval as its own timestamps show it, in this session or in another one."""
    gaps = [
        made_apart_s(one, other)
        for each in session.whole.sessions
        if each.asked_canister == session.asked_canister
        for one, other in pairwise(each.acks)
    ]
    return min(gaps) if gaps else None


def made_apart_s(one: DecodedFrame, other: DecodedFrame) -> float:
    """Between two canister messages by the canister's own clock, whatever their ways took."""
    if one.message is None or other.message is None:
        return 0.0
    return (other.message.timestamp_ns - one.message.timestamp_ns) / NS_PER_S


def acked_meanwhile(session: SessionFacts, wait: Wait) -> DecodedFrame | None:
    """An ack that another session got during the wait: the canister has not forgotten everybody.

    One that opened only then tells nothing: after an upgrade new clients are served as any others.
    """
    start = wait.start.frame.t
    others = [
        it
        for it in session.whole.sessions
        if it is not session
        and it.asked_canister == session.asked_canister
        and (it.opened or it.frames[0]).frame.t < start
    ]
    acks = (ack for it in others for ack in it.acks)
    return next((ack for ack in acks if start + TOLERANCE_S < ack.frame.t < start + wait.waited_s), None)


def withheld(session: SessionFacts, wait: Wait) -> Evidence | None:
    """By the recorded polls: the canister spoke to the client, and the gateway passed nothing of it on."""
    heard = max((d.sequence_num or 0 for d in session.received), default=0)
    until = session.last - TOLERANCE_S  # what came later may have been under way
    given = [it for it in session.given if (it.sequence_num or 0) > heard and it.t < until]
    if not given:
        return None
    count = f"{len(given)} messages for it, numbers" if len(given) > 1 else "a message for it, number"
    told = (
        f"The client waited {seconds(wait.waited_s)} for an ack. Meanwhile the canister gave the gateway {count} "
        f"{numbers([it.sequence_num or 0 for it in given])} (frame {given[0].frame}), and the client got nothing of "
        "it: the gateway withheld it."
    )
    return Evidence((wait.start.number, given[0].frame, *session.end_frames), told)


def silent_canister(session: SessionFacts) -> tuple[str, Evidence] | None:
    """By the recorded polls: acks came, then the canister had nothing for the client any more; of which rule that is.

    It forgot everybody (UPGRADE_WIPE), or, where a session beside it goes on, this client alone: for
    another session of its principal (PRINCIPAL_TAKEOVER).
    """
    wait = wait_of(session)
    if wait is None or not session.acks or wait.arrived or withheld(session, wait) is not None:
        return None
    if session.end is None or not session.polls_are_recorded(wait.start.frame.t, session.end.frame.t):
        return None
    acks = f"{len(session.acks)} acks" if len(session.acks) > 1 else "one ack"
    told = (
        f"After {acks} nothing came for {seconds(wait.waited_s)}, and in all polls of that time the canister had "
        "nothing for this client: it forgot it, as it does when "
    )
    other = acked_meanwhile(session, wait)
    if other is None:
        told += "it is upgraded or installed again."
        return "UPGRADE_WIPE", Evidence((wait.start.number, *session.end_frames), told, (session.name,))
    told += (
        "the same principal opens another session, which is not in this recording: it was not upgraded, for session "
        f"{other.frame.session} got its own ack meanwhile (frame {other.number})."
    )
    frames = (wait.start.number, other.number, *session.end_frames)
    return "PRINCIPAL_TAKEOVER", Evidence(frames, told, (session.name,))


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
