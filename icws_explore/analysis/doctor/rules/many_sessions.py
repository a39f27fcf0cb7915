"""What several sessions of one canister show: a replaced client, forgotten clients, lost handlers, a stale nonce."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import pairwise
from math import inf
from typing import Final

from icws_explore.protocol.constants import KEEP_ALIVE_TIMEOUT_MS

from ...decode import DecodedFrame
from ...network_calls import NetworkCall
from ..ack_wait import MANY_ANSWERS, least_interval_s, silent_canister, slowest_answer_s
from ..facts import TOLERANCE_S, CaptureFacts, SessionFacts
from ..finding import RECORD_NETWORK, count, names, seconds
from ..grouping import by_canister, by_client, by_path, gateway_nonce, last_received
from ..lookups import Lookup
from ..network_side import Cause, cause_of, frames_of, quoted
from ..registry import ACKS, OPENING, Evidence, capture_rule
from .gateways import refused_polls

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
    for second, first in (pair for sessions in clients for pair in _near_pairs(sessions)):
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


def _near_pairs(sessions: Sequence[SessionFacts]) -> Iterator[tuple[SessionFacts, SessionFacts]]:
    """The pairs (second, first) that `_replaced` and `_evicted` have to look at; at most two for each ``first``.

    Of all that may have replaced a session, the first one to open did. Of those that never opened, one is enough.
    """
    opened = sorted((each.opened.frame.t, place) for place, each in enumerate(sessions) if each.opened is not None)
    unopened = sorted(
        (each.open_request.frame.t, place)
        for place, each in enumerate(sessions)
        if each.opened is None and each.open_request is not None
    )
    found: set[tuple[int, int]] = set()
    for place, first in enumerate(sessions):
        if first.opened is None:
            continue
        near = _first(opened, partial(_may_replace, first.opened.frame.t, first.last_heard))
        if first.open_request is not None:
            near += _first(unopened, partial(_may_evict, first.open_request.frame.t))
        found |= {(other, place) for _, other in near}
    return ((sessions[second], sessions[first]) for second, first in sorted(found))


def _may_replace(opened: float, last_heard: float, taken: tuple[float, int]) -> bool:
    """Whether a session that opened then is late enough to have replaced one, as `_replaced` compares them."""
    return taken[0] > opened and last_heard <= taken[0] + TOLERANCE_S


def _may_evict(live_asked: float, asked: tuple[float, int]) -> bool:
    """Whether a ws_open is late enough to have evicted a session, as `_evicted` compares them."""
    return live_asked - asked[0] <= TOGETHER_S


def _first(
    times: Sequence[tuple[float, int]], is_late_enough: Callable[[tuple[float, int]], bool]
) -> list[tuple[float, int]]:
    """The first of the sorted ``times`` that is late enough; none if there is none."""
    start = bisect_left(times, True, key=is_late_enough)
    return list(times[start : start + 1])


def _replaced(first: SessionFacts, second: SessionFacts) -> Evidence | None:
    """The second session opened while the first was in use, and the first received nothing after that."""
    if first.opened is None or second.opened is None:
        return None
    taken = second.opened.frame.t
    if first.opened.frame.t >= taken or first.last_used <= taken + TOLERANCE_S:
        return None
    if first.last_heard > taken + TOLERANCE_S:
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
        silent = [session for session in group if session.opened is not None and session.closed_by_client(_ACK_TIMEOUT)]
        if len(silent) < 2 or any(refused_polls(session) for session in silent):
            continue
        last = max(session.last_heard for session in silent)
        slowest = [slowest_answer_s(session, last) for session in silent]
        known = [each for each in slowest if each is not None]
        are_answers_missing = len(known) == len(silent)
        if not any(session.acks for session in group) and not are_answers_missing:
            continue
        silence_s = min(SILENCE_S, MANY_ANSWERS * max(known)) if are_answers_missing else SILENCE_S
        ends = [session.end.frame.t for session in silent if session.end is not None]
        since, until = last + TOLERANCE_S, min(ends)  # one poll brings the messages of many sessions
        others = set(group).difference(silent)
        heard_later = any(since < d.frame.t < until for session in others for d in session.received)
        if heard_later or until - last < silence_s or any(_is_shorter_than_acks(session) for session in silent):
            continue
        gateways = {session.gateway for session in silent}
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
        if not any(session.has_network_side for session in silent):
            text += f" {RECORD_NETWORK}"
        frames = (last_received(silent).number, *(n for session in silent for n in session.end_frames))
        yield Evidence(frames, text, tuple(session.name for session in silent))
    for session in facts.sessions:
        yield from _silenced(session, "UPGRADE_WIPE")
    for group in by_canister(facts.sessions):
        yield from _forgotten(group)


def _forgotten(group: Sequence[SessionFacts]) -> Iterator[Evidence]:
    """The canister answered to clients of open sessions that it does not know them."""
    silent: list[SessionFacts] | None = None
    for session in group:
        call = _refused_as(session, "forgotten")
        if call is None or _is_otherwise_gone(session, call):
            continue
        text = (
            f"The session was open and no CloseMessage came, but the gateway relayed the client's frame {call.frame}, "
            f"and {quoted(call)}. The canister forgot the client, which happens when it is upgraded or reinstalled."
        )
        others: list[SessionFacts] = []
        if silent is None:
            others = silent = [each for each in group if each is not session and _is_silent_from(each, call)]
        if others:
            which = f"Session{'s' if len(others) > 1 else ''} {names([each.name for each in others])}"
            text += f" {which} heard nothing after it."
        frames = (call.frame or 0, *frames_of(call), *session.end_frames)
        yield Evidence(frames, text, (session.name, *(each.name for each in others)))


@capture_rule(
    "HANDLERS_LOST",
    sdk="It sees an open session in which the canister says nothing.",
    fix="Rust: call init (the CDK's) in post_upgrade as well as in init, with the same handlers and parameters. An "
    "upgrade loses the handlers and the timers.",
    source="CDK 0.4.1 lib.rs, init; state.rs",
    explains=("NO_ACKS", "UPGRADE_WIPE"),
)
def handlers_lost(facts: CaptureFacts) -> Iterator[Evidence]:
    for group in by_path(session for session in facts.sessions if session.opened is not None):
        mute = [session for session in group if _is_mute(session)]
        if not mute:
            continue
        talking = [session for session in group if any(d.kind == "app" for d in session.received)]
        latest = Lookup((each.began, 0.0, each) for each in reversed(talking))
        relayed = ((d.number, gateway_nonce(d), d) for each in group for d in each.received)
        counted = Lookup((number, nonce, d) for number, nonce, d in relayed if nonce is not None)
        for session in mute:
            before = next(latest.find(before=session.began), None)
            if before is not None and _counts_anew(counted, session):
                yield _mute_evidence(before, session)


def _is_mute(session: SessionFacts) -> bool:
    """The client sent messages and waited, and the canister sent it nothing after the OpenMessage."""
    asked = [d for d in session.sent if d.kind == "message"]
    others = [d for d in session.received if d is not session.opened]
    return bool(asked) and not others and session.last - asked[0].frame.t >= SILENCE_S


def _counts_anew(counted: Lookup[DecodedFrame], session: SessionFacts) -> bool:
    """Whether the canister's queue numbers were higher before ws_open was sent: it was upgraded in between."""
    now = None if session.opened is None else gateway_nonce(session.opened)
    if now is None or session.open_request is None:
        return False
    return any(True for _ in counted.find(before=session.open_request.number, beyond=now))


def _highest(session: SessionFacts) -> float:
    """The highest of the canister's queue numbers in the session."""
    return max((nonce for d in session.received if (nonce := gateway_nonce(d)) is not None), default=-inf)


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
    highest, waits = cache(_highest), cache(_waits_since)
    for news in by_path(session for session in facts.sessions if _waits_in_vain(session)):
        path = news[0].path
        old = facts.neighbours.open_as_time_goes_on(path, waits, lambda session: -highest(session))
        also: list[str | None] = [session.name for session in facts.neighbours.unanswered_at(path)]
        untold: list[SessionFacts] = []  # old sessions that no evidence names
        for new in sorted(news, key=_asked):
            untold += old.advance(_asked(new))
            silent, highest_of = old.least(0), old.least(1)
            if silent is None or highest_of is None or new.last - waits(silent) < SILENCE_S or highest(highest_of) < 0:
                continue
            named = [session for session in untold if old.lasts(session)] or [silent]
            others = [name for name in also if name != new.name]
            yield _stale_evidence(new, named, others, int(highest(highest_of)))
            also, untold = [], []


def _asked(session: SessionFacts) -> float:
    """When ws_open was sent; it was."""
    assert session.open_request is not None
    return session.open_request.frame.t


def _waits_in_vain(session: SessionFacts) -> bool:
    """Whether a good ws_open had no answer, and nobody else of the same gateway and canister had one meanwhile."""
    if not session.is_unanswered or session.open_request is None or not session.could_open:
        return False
    if session.facts.received_by_others(session, _asked(session), session.last)[1] is not None:
        return False
    refused = session.answer(session.open_request)
    return refused is None or not refused.failed  # a refused one had no effect


def _stale_evidence(new: SessionFacts, old: list[SessionFacts], also: list[str | None], highest: int) -> Evidence:
    assert new.open_request is not None
    text = (
        f"The gateway had relayed messages up to nonce {highest}. Then "
        f"{'sessions' if len(old) > 1 else 'session'} {names([session.name for session in old])} fell silent, and the "
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
    return Evidence(frames, text, (new.name, *(session.name for session in old), *also))


def _waits_since(session: SessionFacts) -> float:
    """Since when the client waits for an answer of a canister that answered before; infinity if it does not.

    Minus infinity if it closed the session because it waited too long.
    """
    if session.closed_by_client(_ACK_TIMEOUT):
        return -inf
    talk = [d for d in (*session.sent, *session.received) if d.kind in ("message", "app")]
    talk.sort(key=lambda d: d.number)
    heard = max(session.last_heard, 0.0)
    was_answered = any(one.kind == "message" and other.kind == "app" for one, other in pairwise(talk))
    asked = (d.frame.t for d in talk if d.kind == "message" and d.frame.t > heard)
    return next(asked, inf) if was_answered else inf


def _silenced(session: SessionFacts, rule: str) -> Iterator[Evidence]:
    silence = silent_canister(session)
    if silence is not None and silence[0] == rule:
        yield silence[1]


def _refused_as(session: SessionFacts, cause: Cause) -> NetworkCall | None:
    """The first of the client's messages to which the canister answered that it does not know the session."""
    calls = [session.answer(decoded) for decoded in session.sent] if session.opened is not None else []
    return next((call for call in calls if call is not None and call.failed and cause_of(call) == cause), None)


def _is_silent_from(session: SessionFacts, call: NetworkCall) -> bool:
    """Whether the session gave up waiting for an ack, and received nothing after that call of another session."""
    until = session.facts.capture.frames[call.response or call.request].t + TOLERANCE_S
    is_open = session.opened is not None and session.opened.frame.t < until < session.last
    return is_open and session.closed_by_client(_ACK_TIMEOUT) and session.last_heard < until


def _is_otherwise_gone(session: SessionFacts, call: NetworkCall) -> bool:
    """Whether the canister had another reason to forget the client: a close, a session, a minute of silence."""
    frames = session.facts.capture.frames
    assert call.frame is not None  # it answers a frame of the session
    heard = session.last_heard
    is_over = session.end is not None and (call.response or 0) > session.end.number
    is_replaced = not session.facts.neighbours.is_only_of_client(session)
    return (
        session.canister_close is not None
        or is_over
        or is_replaced
        or frames[call.frame].t - heard >= KEEP_ALIVE_TIMEOUT_MS / 1000
    )


def _is_shorter_than_acks(session: SessionFacts) -> bool:
    """Whether the acks are further apart than the client would wait: an interval mismatch."""
    times = [d.frame.t for d in session.acks]
    if not times:
        return False
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return min(gaps, default=least_interval_s(session)) > session.last - times[-1]
