"""The wait for an AckMessage that ended a session: since when, for how long, and what came meanwhile."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

from icws_explore.protocol.constants import ACK_INTERVAL_MS, LATENCY_BOUND_MS, NS_PER_S
from icws_explore.protocol.service_messages import AckMessage

from ..decode import DecodedFrame
from .facts import TOLERANCE_S, SessionFacts
from .registry import Evidence
from .wording import numbers, seconds

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
