"""The wait for an AckMessage, which ended a session or which nobody noticed: since when, and what came meanwhile."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import Final, NamedTuple

from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import ACK_INTERVAL_MS, LATENCY_BOUND_MS
from icws_explore.protocol.service_messages import AckMessage

from ..decode import DecodedFrame
from .facts import LOST, NO_CODE, TOLERANCE_S, SessionFacts, made_apart_s
from .finding import count, numbers, seconds
from .registry import Evidence

DEFAULT_S: Final = ACK_INTERVAL_MS / 1000
UNKNOWN_S: Final = 2 * DEFAULT_S  # for an interval that the recording does not say: it may be longer than the default
BOUND_S: Final = LATENCY_BOUND_MS / 1000
ACK_TIMEOUT: Final = "Ack message timeout"  # the SDK's reason
LEAVES: Final = (*NO_CODE, CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY)  # a client that leaves, or its page
MANY_ANSWERS: Final = 10  # times as long as the slowest answer: then an answer is missing


class Wait(NamedTuple):
    """A wait for an ack. ``start`` is what started the SDK's timer (an ack, or the first message), or the opening.

    ``unacked`` are the numbers of the client's messages that no ack covers, ``arrived`` the canister messages
    that came during the wait.
    """

    start: DecodedFrame
    waited_s: float
    unacked: list[int]
    arrived: list[DecodedFrame]


def wait_of(session: SessionFacts) -> Wait | None:
    """The wait that ended the session; None if it ended otherwise."""
    if not session.closed_by_client(ACK_TIMEOUT) or session.end is None:
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


def unnoticed_wait(session: SessionFacts) -> Wait | None:
    """The time in which an ack should have come and none did, in a session that nothing else ended; else None.

    The SDK waits for an ack only once it has sent a message, but a CDK sends acks to every client. The time ends when
    the client leaves; if it is still there, with the last canister message, because the connection may be dead since
    then. So a session that is still open and silent says nothing.
    """
    if session.opened is None or session.acks:
        return None
    end = None if session.end is None else session.end.frame
    if end is None or (end.code == LOST and not session.is_lost):
        until = session.last_heard
    elif end.direction == "out" and end.code in LEAVES:
        until = end.t
    else:
        return None
    waited_s = until - session.opened.frame.t
    least_s = DEFAULT_S if session.configured_interval_s is not None else UNKNOWN_S
    interval_s = max(session.ack_interval_s, least_s, spacing_s(session) or 0.0)
    if waited_s <= interval_s + BOUND_S + session.facts.jitter_s:
        return None
    if any(d.sequence_num != number for number, d in enumerate(session.received, 1)) or session.rejected_message:
        return None  # what is missing, moved or rejected has a finding of its own
    arrived = [d for d in session.received if d.number > session.opened.number]
    return Wait(session.opened, waited_s, [d.sequence_num for d in session.sent if d.sequence_num is not None], arrived)


def acked_beside(session: SessionFacts, wait: Wait) -> DecodedFrame | None:
    """An ack of the same canister to any other session during the wait, early enough for one to arrive here as well."""
    start = wait.start.frame.t
    return session.facts.neighbours.ack_of_other(
        session, opened=inf, after=start + TOLERANCE_S, before=start + wait.waited_s - BOUND_S
    )


def expected_s(session: SessionFacts, wait: Wait) -> float:
    """The interval (s) at which the client expects acks: as configured, or less if it gave up earlier.

    The client's timer may fire late and never early. A wait that is shorter than the latency bound was ended
    by an ack that left messages unacknowledged for too long, and says nothing about the interval.
    """
    shown_s = wait.waited_s - BOUND_S
    if shown_s <= TOLERANCE_S or shown_s > session.ack_interval_s - TOLERANCE_S:
        return session.ack_interval_s
    return shown_s


def spacing_s(session: SessionFacts) -> float | None:
    """The canister's ack interval (s) by its own timestamps, in this session or another one; None without two acks."""
    return session.facts.ack_spacing_s.get(session.asked_canister)


def acked_before(session: SessionFacts, wait: Wait) -> DecodedFrame | None:
    """An ack of the same canister to any other session before the end of the wait: its acks were on at some time."""
    until = wait.start.frame.t + wait.waited_s
    return session.facts.neighbours.ack_of_other(session, opened=inf, after=-inf, before=until)


def least_interval_s(session: SessionFacts) -> float:
    """How long (s) the canister's ack interval is at least: its clock from the opening to the first ack. 0: unknown."""
    if session.opened is None or not session.acks:
        return 0.0
    before = [d for d in session.received if d.number <= session.acks[0].number]
    is_whole = all(d.sequence_num == number for number, d in enumerate(before, 1))
    return made_apart_s(session.opened, session.acks[0]) if is_whole else 0.0


def acked_meanwhile(session: SessionFacts, wait: Wait) -> DecodedFrame | None:
    """An ack that another session received during the wait; it shows that the canister did not forget all clients.

    A session that opened during the wait shows nothing: after an upgrade the canister serves new clients.
    """
    start = wait.start.frame.t
    return session.facts.neighbours.ack_of_other(
        session, opened=start, after=start + TOLERANCE_S, before=start + wait.waited_s
    )


def withheld(session: SessionFacts, wait: Wait) -> Evidence | None:
    """Evidence from the recorded polls that the gateway kept messages for the client back."""
    received = max((d.sequence_num or 0 for d in session.received), default=0)
    until = session.last - TOLERANCE_S  # later messages may have been under way
    polled = [
        message for message in session.polled_messages if (message.sequence_num or 0) > received and message.t < until
    ]
    if not polled:
        return None
    text = (
        f"No ack came for {seconds(wait.waited_s)}. Meanwhile the canister gave the gateway "
        f"{count(len(polled), 'message')} for the client (number{'s' if len(polled) > 1 else ''} "
        f"{numbers([message.sequence_num or 0 for message in polled])}, frame {polled[0].frame}), but the client "
        "received none: the gateway withheld them."
    )
    return Evidence((wait.start.number, polled[0].frame, *session.end_frames), text)


def silent_canister(session: SessionFacts) -> tuple[str, Evidence] | None:
    """Evidence from the recorded polls that the canister stopped giving messages for this client, and its rule's id.

    The canister forgot all clients (UPGRADE_WIPE). If another session goes on, it forgot only this one, because
    its principal opened another session (PRINCIPAL_TAKEOVER).
    """
    wait = wait_of(session)
    if wait is None or not session.acks or wait.arrived or withheld(session, wait) is not None:
        return None
    if session.end is None or not session.polls_are_recorded(wait.start.frame.t, session.end.frame.t):
        return None
    text = (
        f"After {count(len(session.acks), 'ack')} the client received nothing for {seconds(wait.waited_s)}, and in all "
        "polls of that time the canister had no message for it. The canister forgot the client, "
    )
    other = acked_meanwhile(session, wait)
    if other is None:
        text += "which happens when it is upgraded or reinstalled."
        return "UPGRADE_WIPE", Evidence((wait.start.number, *session.end_frames), text, (session.name,))
    text += (
        "which happens when the same principal opens another session (it is not in this recording). The canister was "
        f"not upgraded: session {other.frame.session} received an ack meanwhile (frame {other.number})."
    )
    frames = (wait.start.number, other.number, *session.end_frames)
    return "PRINCIPAL_TAKEOVER", Evidence(frames, text, (session.name,))


def slowest_answer_s(session: SessionFacts, since: float) -> float | None:
    """The longest that the canister took to answer, if it answered every message before ``since`` and none after it.

    None if that is not so, or if no message came after it. A canister that never acks goes on to answer.
    """
    talk = [d for d in (*session.sent, *session.received) if d.kind in ("message", "app")]
    talk.sort(key=lambda d: d.number)
    before = [d for d in talk if d.frame.t <= since]
    pairs = [(one, other) for one, other in pairwise(before) if one.kind == "message"]
    is_asking = any(d.kind == "message" for d in talk[len(before) :])
    if not is_asking or not pairs or before[-1].kind != "app" or any(other.kind != "app" for _, other in pairs):
        return None
    return max(other.frame.t - one.frame.t for one, other in pairs)


def is_answer_missing(session: SessionFacts) -> bool:
    """Whether the canister had answered every message, and then one for much longer not, up to the end."""
    slowest_s = slowest_answer_s(session, session.last_heard)
    if slowest_s is None:
        return False
    asked = next(d.frame.t for d in session.sent if d.kind == "message" and d.frame.t > session.last_heard)
    return session.last - asked > max(MANY_ANSWERS * slowest_s, TOLERANCE_S)
