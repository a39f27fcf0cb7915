"""What several sessions of one canister show: a replaced client, forgotten clients, lost handlers, a stale nonce."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, permutations
from typing import Final

from icws_explore.protocol.constants import KEEP_ALIVE_TIMEOUT_MS

from ...decode import DecodedFrame
from ...network_calls import NetworkCall
from ..ack_wait import silent_canister
from ..facts import LOST, TOLERANCE_S, CaptureFacts, SessionFacts
from ..finding import RECORD_NETWORK, count, names, seconds
from ..grouping import by_canister, by_client, by_path, gateway_nonce, is_same_client, last_received, shares_path
from ..network_side import Cause, cause_of, frames_of, quoted
from ..registry import ACKS, OPENING, Evidence, capture_rule

SILENCE_S: Final = 60.0
TOGETHER_S: Final = 5.0  # two sockets of one page open within this time
_ACK_TIMEOUT: Final = "Ack message timeout"
_ONE_SOCKET: Final = (
    "Open one socket per page, and never two with one identity at once: open it outside of React's render and effects, "
    "or close it in the effect's cleanup and wait for the close (React StrictMode runs each effect twice)."
)


@capture_rule(
    "PRINCIPAL_TAKEOVER",
    sdk="The replaced session is not told: it gets no CloseMessage. In the end it calls "
    'close(4000, "Ack message timeout").',
    fix="Give each tab or device an identity of its own, or close the first session before the second one opens.",
    source="CDK 0.4.1 lib.rs, ws_open",
    explains=(*ACKS, "UPGRADE_WIPE"),
)
def principal_takeover(facts: CaptureFacts) -> Iterator[Evidence]:
    clients = by_client(facts.sessions)
    alone = {sessions[0].name for sessions in clients if len(sessions) == 1}
    named: set[str | None] = set()
    for second, first in (pair for sessions in clients for pair in permutations(sessions, 2)):
        evidence = _replaced(first, second) or _evicted(first, second)
        if evidence is not None:
            named |= {first.name, second.name}
            yield evidence
    for session in facts.sessions:
        if session.name in named:
            continue
        if session.name in alone:
            yield from _silenced(session, "PRINCIPAL_TAKEOVER")
        call = _refused_as(session, "replaced")
        if call is not None:
            text = (
                f"The gateway relayed the client's frame {call.frame}, and {quoted(call)}. The same principal has "
                "opened another session (it is not in this recording), and the canister forgot this one."
            )
            yield Evidence((call.frame or 0, *frames_of(call), *session.end_frames), text, (session.name,))


def _replaced(first: SessionFacts, second: SessionFacts) -> Evidence | None:
    """The second session opened while the first was in use, and the first received nothing after that."""
    if first.opened is None or second.opened is None:
        return None
    taken = second.opened.frame.t
    if first.opened.frame.t >= taken or not _is_in_use(first, taken + TOLERANCE_S):
        return None
    if any(d.frame.t > taken + TOLERANCE_S for d in first.received):
        return None
    text = (
        f"Session {second.name} opened with the principal of session {first.name} while that was open (frame "
        f"{second.opened.number}), so the canister forgot session {first.name}. It received nothing after that"
    )
    text += f", until it ended {seconds(first.last - taken)} later." if first.end is not None else "."
    frames = (first.received[-1].number, second.opened.number, *first.end_frames)
    return Evidence(frames, text, (first.name, second.name))


def _evicted(live: SessionFacts, other: SessionFacts) -> Evidence | None:
    """Two ws_opens of one principal were under way at once, and the one that never opened was executed last."""
    if live.opened is None or other.opened is not None or live.open_request is None or other.open_request is None:
        return None
    opened, asked = live.opened.frame.t, other.open_request.frame.t
    if abs(asked - live.open_request.frame.t) > TOGETHER_S or asked > opened:
        return None
    unanswered = [d for d in live.sent if d.frame.t > opened]
    received = [d for d in live.received if d.frame.t > opened + TOLERANCE_S]
    if not unanswered or received or live.last - unanswered[0].frame.t < SILENCE_S:
        return None
    apart = seconds(abs(asked - live.open_request.frame.t))
    text = (
        f"Sessions {other.name} and {live.name} opened with the same principal, {apart} apart (frames "
        f"{other.open_request.number} and {live.open_request.number}). Session {live.name} opened (frame "
        f"{live.opened.number}) and then received nothing: the ws_open of session {other.name} was executed last and "
        f"replaced it, although session {other.name} never opened"
    )
    is_closed = other.end is not None and other.end.frame.direction == "out"
    text += " and its client closed it at once." if is_closed else "."
    text += " This happens if a page opens two sockets at once, as React StrictMode does with an effect."
    frames = (other.open_request.number, live.open_request.number, live.opened.number, *live.end_frames)
    return Evidence(frames, text, (live.name, other.name), fix=_ONE_SOCKET)


@capture_rule(
    "UPGRADE_WIPE",
    sdk='It cannot tell. When the next ack is overdue it calls close(4000, "Ack message timeout").',
    fix="Close the clients before you upgrade the canister, and let them reconnect after it: the CDK's state is on the "
    "heap and is lost.",
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
        since = last + TOLERANCE_S  # one poll brings the messages of many sessions
        heard_later = [d for it in group if it not in silent for d in it.received if since < d.frame.t < min(ends)]
        if heard_later or min(ends) - last < SILENCE_S or any(_is_shorter_than_acks(it) for it in silent):
            continue
        gateways = {it.gateway for it in silent}
        text = (
            f"All {len(silent)} open sessions of the canister fell silent: nothing came after frame "
            f"{last_received(silent).number}, and {seconds(min(ends) - last)} later the first of them gave up."
        )
        text += (
            f" They are at {len(gateways)} gateways, so the canister is the reason."
            if len(gateways) > 1
            else " All are at one gateway. A gateway that withholds everything (ACKS_WITHHELD) looks the same, and so "
            "does one that asks for the nonces from before the upgrade (STALE_NONCE): then new sessions do not open."
        )
        if not any(it.has_network_side for it in silent):
            text += f" {RECORD_NETWORK}"
        frames = (last_received(silent).number, *(n for it in silent for n in it.end_frames))
        yield Evidence(frames, text, tuple(it.name for it in silent))
    for session in facts.sessions:
        yield from _silenced(session, "UPGRADE_WIPE")
        call = _refused_as(session, "forgotten")
        if call is None or _is_otherwise_gone(session, call):
            continue
        text = (
            f"The session was open and no CloseMessage came, but the gateway relayed the client's frame {call.frame}, "
            f"and {quoted(call)}. The canister forgot the client, which happens when it is upgraded or reinstalled."
        )
        yield Evidence((call.frame or 0, *frames_of(call), *session.end_frames), text, (session.name,))


@capture_rule(
    "HANDLERS_LOST",
    sdk="It sees an open session in which the canister says nothing.",
    fix="Rust: call init (the CDK's) in post_upgrade as well as in init, with the same handlers and parameters. An "
    "upgrade loses the handlers and the timers.",
    source="CDK 0.4.1 lib.rs, init; state.rs",
    explains=("NO_ACKS", "UPGRADE_WIPE"),
)
def handlers_lost(facts: CaptureFacts) -> Iterator[Evidence]:
    for group in by_path(it for it in facts.sessions if it.opened is not None):
        talking = [it for it in group if any(d.kind == "app" for d in it.received)]
        for session in group:
            before = [it for it in talking if it.began < session.began]
            if before and _is_mute(session) and _counts_anew(before, session):
                yield _mute_evidence(before[-1], session)


def _is_mute(session: SessionFacts) -> bool:
    """The client sent messages and waited, and the canister sent it nothing after the OpenMessage."""
    asked = [d for d in session.sent if d.kind == "message"]
    others = [d for d in session.received if d is not session.opened]
    return bool(asked) and not others and session.last - asked[0].frame.t >= SILENCE_S


def _counts_anew(before: list[SessionFacts], session: SessionFacts) -> bool:
    """Whether the canister's queue numbers are lower than before: it was upgraded in between."""
    earlier = [nonce for it in before for d in it.received if (nonce := gateway_nonce(d)) is not None]
    now = None if session.opened is None else gateway_nonce(session.opened)
    return bool(earlier) and now is not None and now < max(earlier)


def _mute_evidence(before: SessionFacts, session: SessionFacts) -> Evidence:
    assert session.opened is not None
    app = [d for d in before.received if d.kind == "app"]
    asked = [d for d in session.sent if d.kind == "message"]
    text = (
        f"In session {before.name} the canister sent {count(len(app), 'application message')} (the first in frame "
        f"{app[0].number}). After that its queue numbers began at 0 again, so it was upgraded. Session {session.name} "
        f"opened (frame {session.opened.number}), but the canister answered none of its "
        f"{count(len(asked), 'message')} in {seconds(session.last - asked[0].frame.t)}: its handlers and timers are "
        "lost, because init is not called in post_upgrade."
    )
    frames = (app[0].number, session.opened.number, *(d.number for d in asked), *session.end_frames)
    return Evidence(frames, text, (session.name,))


@capture_rule(
    "STALE_NONCE",
    sdk='New clients: close(4000, "Open connection timeout"). Old clients: close(4000, "Ack message timeout").',
    fix="Close all sockets of that canister at the gateway, or restart the gateway: its poller goes on at the old "
    "nonce.",
    source="gateway 1.4.6 canister_poller.rs",
    explains=("UPGRADE_WIPE", *OPENING, *ACKS),
)
def stale_nonce(facts: CaptureFacts) -> Iterator[Evidence]:
    for new in facts.sessions:
        if not new.is_unanswered or new.open_request is None or not new.could_open:
            continue
        asked = new.open_request.frame.t
        others = [it for it in facts.sessions if it is not new and shares_path(it, new)]
        old = [it for it in others if it.opened is not None and it.opened.frame.t < asked and _was_there(it, asked)]
        if not any(it.closed_by_client(_ACK_TIMEOUT) or _lost_its_partner(it, new.last) for it in old):
            continue
        if any(d.frame.t > asked for it in others for d in it.received if d.frame.t < new.last):
            continue
        if (refused := new.answer(new.open_request)) is not None and refused.failed:
            continue  # it had no effect
        nonces = [nonce for it in old for d in it.received if (nonce := gateway_nonce(d)) is not None]
        if not nonces:
            continue
        yield _stale_evidence(new, old, [it.name for it in others if it.is_unanswered], max(nonces))


def _stale_evidence(new: SessionFacts, old: list[SessionFacts], also: list[str | None], highest: int) -> Evidence:
    assert new.open_request is not None
    text = (
        f"The gateway had relayed messages up to nonce {highest}. Then "
        f"{'sessions' if len(old) > 1 else 'session'} {names([it.name for it in old])} fell silent, and the "
        f"ws_open of session {new.name} (frame {new.open_request.number}) had no answer in "
        f"{seconds(new.last - new.open_request.frame.t)}. An upgraded canister counts from 0 again, while the gateway "
        f"still asks for {highest + 1} and later."
    )
    call = new.answer(new.open_request)
    if call is not None and call.outcome == "replied":
        text += f" That ws_open was executed: {quoted(call)}."
    elif not new.has_network_side:
        text += f" A canister that answers nothing at all looks the same. {RECORD_NETWORK}"
    frames = (last_received(old).number, new.open_request.number, *frames_of(call), *new.end_frames)
    return Evidence(frames, text, (new.name, *(it.name for it in old), *also))


def _was_there(session: SessionFacts, then: float) -> bool:
    """Whether it was connected then. A session without an end goes on, except in a HAR, which holds no ends."""
    return session.last > then or (session.end is None and session.facts.capture.info.origin != "har")


def _lost_its_partner(session: SessionFacts, until: float) -> bool:
    """Whether the canister answered the client's messages, and then for at least a minute no more."""
    talk = [d for d in (*session.sent, *session.received) if d.kind in ("message", "app")]
    talk.sort(key=lambda d: d.number)
    heard = max((d.frame.t for d in session.received), default=0.0)
    was_answered = any(one.kind == "message" and other.kind == "app" for one, other in pairwise(talk))
    asked = [d.frame.t for d in talk if d.kind == "message" and d.frame.t > heard]
    return was_answered and bool(asked) and until - asked[0] >= SILENCE_S


def _is_in_use(session: SessionFacts, since: float) -> bool:
    """Whether its client did something after that time.

    A HAR holds no ends, and a connection that broke is noticed minutes later.
    """
    return any(d.frame.t > since and _is_by_client(d) for d in session.frames)


def _is_by_client(decoded: DecodedFrame) -> bool:
    return decoded.frame.direction == "out" and decoded.frame.code != LOST


def _silenced(session: SessionFacts, rule: str) -> Iterator[Evidence]:
    silence = silent_canister(session)
    if silence is not None and silence[0] == rule:
        yield silence[1]


def _refused_as(session: SessionFacts, cause: Cause) -> NetworkCall | None:
    """The first of the client's messages to which the canister answered that it does not know the session."""
    calls = [session.answer(decoded) for decoded in session.sent] if session.opened is not None else []
    return next((call for call in calls if call is not None and call.failed and cause_of(call) == cause), None)


def _is_otherwise_gone(session: SessionFacts, call: NetworkCall) -> bool:
    """Whether the canister had another reason to forget the client: a close, a session, a minute of silence."""
    frames = session.facts.capture.frames
    assert call.frame is not None  # it answers a frame of the session
    heard = max(d.frame.t for d in session.received)
    is_over = session.end is not None and (call.response or 0) > session.end.number
    is_replaced = any(is_same_client(it, session) for it in session.facts.sessions if it is not session)
    return (
        session.canister_close is not None
        or is_over
        or is_replaced
        or frames[call.frame].t - heard >= KEEP_ALIVE_TIMEOUT_MS / 1000
    )


def _is_shorter_than_acks(session: SessionFacts) -> bool:
    """Whether two acks are further apart than the client would wait: an interval mismatch."""
    times = [d.frame.t for d in session.acks]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return bool(gaps) and min(gaps) > session.last - times[-1]
