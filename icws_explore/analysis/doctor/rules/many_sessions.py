"""What shows only in several sessions of one canister: a client replaced, clients forgotten, a stale nonce."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, permutations
from typing import Final

from icws_explore.protocol.constants import KEEP_ALIVE_TIMEOUT_MS

from ...network_calls import NetworkCall
from ..alike import by_canister, by_client, gateway_nonce, is_along, is_same_client, last_received
from ..facts import LOST, TOLERANCE_S, CaptureFacts, SessionFacts
from ..finding import RECORD_NETWORK, names, seconds
from ..network_side import Cause, cause_of, frames_of, quoted
from ..registry import ACKS, OPENING, Evidence, capture_rule
from ..waits import silent_canister

SILENCE_S: Final = 60.0
_ACK_TIMEOUT: Final = "Ack message timeout"


@capture_rule(
    "PRINCIPAL_TAKEOVER",
    sdk='The first session hears nothing of it: no CloseMessage. In the end, close(4000, "Ack message timeout").',
    fix="Give each tab or device an identity of its own, or close the first session before the second one opens.",
    source="CDK 0.4.1 lib.rs, ws_open",
    explains=(*ACKS, "UPGRADE_WIPE"),
)
def principal_takeover(facts: CaptureFacts) -> Iterator[Evidence]:
    clients = by_client(facts.sessions)
    for second, first in (pair for sessions in clients for pair in permutations(sessions, 2)):
        if first.opened is None or second.opened is None:
            continue
        taken = second.opened.frame.t
        if first.opened.frame.t >= taken or not _is_in_use(first, taken + TOLERANCE_S):
            continue
        after = [d for d in first.received if d.frame.t > taken + TOLERANCE_S]
        if after:
            continue
        told = (
            f"Session {second.name} opened with the principal of session {first.name} while that was open (frame "
            f"{second.opened.number}): the canister forgot the first one. It received nothing any more"
        )
        told += f", until it ended {seconds(first.last - taken)} later." if first.end is not None else "."
        frames = (first.received[-1].number, second.opened.number, *first.end_frames)
        yield Evidence(frames, told, (first.name, second.name))
    for session in (sessions[0] for sessions in clients if len(sessions) == 1):
        yield from _silenced(session, "PRINCIPAL_TAKEOVER")
        call = _refused_as(session, "replaced")
        if call is not None:
            told = (
                f"To the client's frame {call.frame} {quoted(call)}: the same principal has opened another session "
                "since, which is not in this recording, and the canister forgot this one."
            )
            yield Evidence((call.frame or 0, *frames_of(call), *session.end_frames), told, (session.name,))


@capture_rule(
    "UPGRADE_WIPE",
    sdk='It cannot tell. When the next ack is overdue: close(4000, "Ack message timeout").',
    fix="Close the clients before upgrading the canister: the CDK's state is on the heap and is lost; then let them "
    "reconnect.",
    source="CDK 0.4.1 state.rs",
    explains=ACKS,
)
def upgrade_wipe(facts: CaptureFacts) -> Iterator[Evidence]:
    for group in by_canister(facts.sessions):
        silent = [it for it in group if it.opened is not None and it.closed_by_client(_ACK_TIMEOUT)]
        if len(silent) < 2 or not any(it.acks for it in group):
            continue
        last = max(d.frame.t for it in silent for d in it.received)
        ends = [it.end.frame.t for it in silent if it.end is not None]
        since = last + TOLERANCE_S  # one poll brings the messages of many
        heard_later = [d for it in group if it not in silent for d in it.received if since < d.frame.t < min(ends)]
        if heard_later or min(ends) - last < SILENCE_S or any(_is_shorter_than_acks(it) for it in silent):
            continue
        gateways = {it.gateway for it in silent}
        told = (
            f"All {len(silent)} open sessions of the canister fell silent: nothing came after frame "
            f"{last_received(silent).number}, and {seconds(min(ends) - last)} later the first of them gave up."
        )
        told += (
            f" They are at {len(gateways)} gateways, so it is the canister."
            if len(gateways) > 1
            else " All are at one gateway: one that drops everything (ACKS_WITHHELD) looks the same."
        )
        if not any(it.has_network_side for it in silent):
            told += f" {RECORD_NETWORK}"
        frames = (last_received(silent).number, *(n for it in silent for n in it.end_frames))
        yield Evidence(frames, told, tuple(it.name for it in silent))
    for session in facts.sessions:
        yield from _silenced(session, "UPGRADE_WIPE")
        call = _refused_as(session, "forgotten")
        if call is None or _is_otherwise_gone(session, call):
            continue
        told = (
            f"The session was open and no CloseMessage came, but to the client's frame {call.frame} {quoted(call)}: "
            "the canister forgot it, as it does when it is upgraded or installed again."
        )
        yield Evidence((call.frame or 0, *frames_of(call), *session.end_frames), told, (session.name,))


@capture_rule(
    "STALE_NONCE",
    sdk='New clients: close(4000, "Open connection timeout"). Old ones: close(4000, "Ack message timeout").',
    fix="Drop all sockets of that canister at the gateway, or restart it: its poller goes on at the old nonce.",
    source="gateway 1.4.6 canister_poller.rs",
    explains=("UPGRADE_WIPE", *OPENING, *ACKS),
)
def stale_nonce(facts: CaptureFacts) -> Iterator[Evidence]:
    for new in facts.sessions:
        if not new.is_unanswered or new.open_request is None or not _could_open(new):
            continue
        asked = new.open_request.frame.t
        along = [it for it in facts.sessions if it is not new and is_along(it, new)]
        old = [it for it in along if it.opened is not None and it.opened.frame.t < asked and _was_there(it, asked)]
        if not any(it.closed_by_client(_ACK_TIMEOUT) or _lost_its_partner(it, new.last) for it in old):
            continue
        if any(d.frame.t > asked for it in along for d in it.received if d.frame.t < new.last):
            continue
        if (refused := new.answer(new.open_request)) is not None and refused.failed:
            continue  # it never ran
        nonces = [nonce for it in old for d in it.received if (nonce := gateway_nonce(d)) is not None]
        if not nonces:
            continue
        told = (
            f"Before, the gateway relayed messages up to nonce {max(nonces)}. Then "
            f"{'sessions' if len(old) > 1 else 'session'} {names([it.name for it in old])} fell silent, and the "
            f"ws_open of session {new.name} (frame {new.open_request.number}) had no answer in "
            f"{seconds(new.last - asked)}: an upgraded canister counts from 0 again, and the gateway still asks for "
            f"{max(nonces) + 1} and later."
        )
        call = new.answer(new.open_request)
        if call is not None and call.outcome == "replied":
            told += f" That ws_open did run: {quoted(call)}."
        elif not new.has_network_side:
            told += f" A canister that answers nothing at all looks the same. {RECORD_NETWORK}"
        frames = (last_received(old).number, new.open_request.number, *frames_of(call), *new.end_frames)
        unanswered = [it.name for it in along if it.is_unanswered]
        yield Evidence(frames, told, (new.name, *(it.name for it in old), *unanswered))


def _could_open(session: SessionFacts) -> bool:
    """Nothing is wrong with its ws_open."""
    opening = session.open_request
    if opening is None or opening.open_args is None or opening.envelope is None or opening.envelope.sender is None:
        return False
    is_theirs = opening.open_args.gateway_principal == session.gateway
    return is_theirs and not opening.envelope.sender.is_anonymous and session.bad_request is None


def _was_there(session: SessionFacts, then: float) -> bool:
    """Whether it was connected then: a HAR does not tell, of all others what has no end goes on."""
    return session.last > then or (session.end is None and session.whole.capture.info.origin != "har")


def _lost_its_partner(session: SessionFacts, until: float) -> bool:
    """The canister answered its messages, and then, for a minute at least, no more."""
    talk = [d for d in (*session.sent, *session.received) if d.kind in ("message", "app")]
    talk.sort(key=lambda d: d.number)
    heard = max((d.frame.t for d in session.received), default=0.0)
    was_answered = any(one.kind == "message" and other.kind == "app" for one, other in pairwise(talk))
    asked = [d.frame.t for d in talk if d.kind == "message" and d.frame.t > heard]
    return was_answered and bool(asked) and until - asked[0] >= SILENCE_S


def _is_in_use(session: SessionFacts, since: float) -> bool:
    """Whether its client still did something then: a HAR has no ends, and a line that is cut ends minutes later."""
    return any(d.frame.t > since and d.frame.direction == "out" and d.frame.code != LOST for d in session.frames)


def _silenced(session: SessionFacts, rule: str) -> Iterator[Evidence]:
    silence = silent_canister(session)
    if silence is not None and silence[0] == rule:
        yield silence[1]


def _refused_as(session: SessionFacts, cause: Cause) -> NetworkCall | None:
    """The first of the client's messages to which the canister said that it knows no such session."""
    calls = [session.answer(decoded) for decoded in session.sent] if session.opened is not None else []
    return next((call for call in calls if call is not None and call.failed and cause_of(call) == cause), None)


def _is_otherwise_gone(session: SessionFacts, call: NetworkCall) -> bool:
    """The canister had reason to forget it: a close, another session of the client, or a minute without keep-alives."""
    frames = session.whole.capture.frames
    assert call.frame is not None  # it is an answer to a frame of the session
    heard = max(d.frame.t for d in session.received)
    is_over = session.end is not None and (call.response or 0) > session.end.number
    is_replaced = any(is_same_client(it, session) for it in session.whole.sessions if it is not session)
    return (
        session.canister_close is not None
        or is_over
        or is_replaced
        or frames[call.frame].t - heard >= KEEP_ALIVE_TIMEOUT_MS / 1000
    )


def _is_shorter_than_acks(session: SessionFacts) -> bool:
    """Two acks lie further apart than the client would wait: an interval mismatch."""
    times = [d.frame.t for d in session.acks]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return bool(gaps) and min(gaps) > session.last - times[-1]
