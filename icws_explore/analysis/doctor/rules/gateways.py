"""The gateway fails all sessions of a canister at once: its poller is dead, or it stalls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final, NamedTuple

from icws_explore.protocol.constants import NS_PER_S

from ...decode import DecodedFrame
from ..alike import by_gateway, is_along, is_served
from ..facts import NO_CODE, TOLERANCE_S, CaptureFacts, SessionFacts
from ..finding import RECORD_NETWORK, seconds
from ..network_side import frames_of, quoted
from ..registry import Evidence, capture_rule

STALL_S: Final = 10.0  # longer than a poll's time-out of 5 s and a poll behind it


@capture_rule(
    "POLLER_DEAD",
    sdk="The connection ends without a code: onclose with 1005. It does not reconnect.",
    fix="Fix what makes polls fail for good: a missing ws_get_messages, a stopped canister, a Candid error, a reply "
    "over 2 MiB (fewer messages per poll), a gap in the nonces. The gateway's log names it.",
    source="gateway 1.4.6 canister_poller.rs",
    explains=("OPEN_TIMEOUT",),
)
def poller_dead(facts: CaptureFacts) -> Iterator[Evidence]:
    """Of a session that is not open yet it is known by the network's answer to the poll, or by others that opened."""
    dropped = [
        it
        for it in facts.sessions
        if _is_dropped(it)
        and (it.opened is not None or it.fatal_poll is not None or _was_asked_well(it))
        and it.canister_close is None  # the canister had ended it before
    ]
    for group in _at_once(dropped):
        first = group[0]
        assert first.end is not None
        at = first.end.frame.t
        along = [it for it in facts.sessions if it not in group and is_along(it, first) and it.opened is not None]
        if any(it.began < at and any(d.frame.t > at + TOLERANCE_S for d in it.received) for it in along):
            continue  # the poller of that canister lives on
        poll = next((it.fatal_poll for it in group if it.fatal_poll is not None), None)
        frames = (*frames_of(poll), *(it.end.number for it in group if it.end is not None))
        state = "open " if all(it.opened is not None for it in group) else ""
        if len(group) > 1:
            told = f"The gateway ended {len(group)} {state}sessions without a code within {seconds(_spread(group))}."
        else:
            told = f"The gateway ended the {state}session without a code, {seconds(first.at(first.end))} into it."
        if poll is not None:
            told += f" It had polled {first.asked_canister}, and {quoted(poll)}: it gives a canister up at that."
        elif first.has_network_side:
            told += (
                " None of the recorded polls failed, so it is a gap in the nonces, which it checks itself, or the "
                "gateway's own end."
            )
        elif len(group) == 1:
            told += "" if state else " Other sessions of that canister did open through it."
            told += (
                " The client had sent nothing that makes it do so. Other clients of the canister have to be gone at "
                f"the same moment; none is in this recording. {RECORD_NETWORK}"
            )
        else:
            told += f" What the canister answered to the last poll is not recorded. {RECORD_NETWORK}"
        yield Evidence(frames, told, tuple(it.name for it in group))


def _was_asked_well(session: SessionFacts) -> bool:
    """It asked for what others got."""
    return session.open_request is not None and session.bad_request is None and is_served(session)


class _Late(NamedTuple):
    session: SessionFacts
    decoded: DecodedFrame
    excess_s: float


@capture_rule(
    "SLOW_CLIENT_STALL",
    severity="warning",
    sdk='It waits. A stall of more than the ack time-out ends sessions: close(4000, "Ack message timeout").',
    fix="Find the client that reads slowly and fix it: the gateway waits for its full channel within the poll loop.",
    source="gateway 1.4.6 canister_poller.rs",
)
def slow_client_stall(facts: CaptureFacts) -> Iterator[Evidence]:
    for group in by_gateway(facts.sessions):
        late = sorted((it for each in group for it in _late(each)), key=lambda it: it.decoded.frame.t)
        received = sorted(d.frame.t for each in group for d in each.received)
        for burst in _bursts(late, max(TOLERANCE_S, facts.jitter_s)):
            sessions = tuple(dict.fromkeys(it.session.name for it in burst))
            came = burst[0].decoded.frame.t
            longest = max(it.excess_s for it in burst)
            in_between = [t for t in received if came - longest + 1 < t < came - 1]
            if len(sessions) < 2 or in_between:
                continue
            told = (
                f"{len(burst)} messages of {len(sessions)} sessions came at once, up to {seconds(longest)} later than "
                "usual, after a pause in all sessions of that gateway. A network that stood still looks the same."
            )
            if not burst[0].session.has_network_side:
                told += f" {RECORD_NETWORK}"
            yield Evidence(tuple(it.decoded.number for it in burst), told, sessions)


def _late(session: SessionFacts) -> Iterator[_Late]:
    """Messages that took longer on their way down than the session's quickest, by more than a poll can explain."""
    ways = [(d, d.frame.t - d.message.timestamp_ns / NS_PER_S) for d in session.received if d.message is not None]
    quickest = min((way for _, way in ways), default=0.0)
    limit_s = max(STALL_S, session.whole.jitter_s)
    return (_Late(session, d, way - quickest) for d, way in ways if way - quickest > limit_s)


def _bursts(late: list[_Late], within_s: float) -> Iterator[list[_Late]]:
    burst: list[_Late] = []
    for it in late:
        if burst and it.decoded.frame.t - burst[0].decoded.frame.t > within_s:
            yield burst
            burst = []
        burst.append(it)
    if burst:
        yield burst


def _is_dropped(session: SessionFacts) -> bool:
    return session.end is not None and session.end.frame.direction == "in" and session.end.frame.code in NO_CODE


def _at_once(sessions: Iterable[SessionFacts]) -> Iterator[list[SessionFacts]]:
    """Sessions at one gateway and canister that ended within a moment."""
    ended = sorted(sessions, key=lambda it: (str(it.gateway), str(it.asked_canister), it.last))
    for _, along in groupby(ended, key=lambda it: (it.gateway, it.asked_canister)):
        group: list[SessionFacts] = []
        for session in along:
            if group and session.last - group[0].last > TOLERANCE_S:
                yield group
                group = []
            group.append(session)
        yield group


def _spread(group: list[SessionFacts]) -> float:
    return max(it.last for it in group) - min(it.last for it in group)
