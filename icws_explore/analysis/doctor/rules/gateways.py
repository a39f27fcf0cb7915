"""The gateway fails all sessions of a canister: it gives the canister up, its polls are refused, or it stalls."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from icws_explore.protocol.constants import NS_PER_S

from ...decode import DecodedFrame
from ...network_calls import NetworkCall
from ..facts import LOOP, NO_CODE, TOLERANCE_S, CaptureFacts, SessionFacts
from ..finding import RECORD_NETWORK, count, seconds
from ..grouping import at_once, by_gateway, by_path, is_served, is_unregistered
from ..network_side import cause_of, frames_of, quoted
from ..registry import ACKS, OPENING, Evidence, capture_rule, session_rule

STALL_S: Final = 10.0  # longer than a poll's time-out of 5 s and the poll after it
_DEPLOYED: Final = (
    " A canister is stopped while it is deployed (dfx deploy, or dfx canister stop): wait until it runs, and connect "
    "again."
)


@capture_rule(
    "POLLER_DEAD",
    sdk="The connection ends without a code: onclose gets 1005. The SDK does not reconnect.",
    fix="Remove the reason why polls fail for good: a missing ws_get_messages method, a stopped canister, a Candid "
    "error, a reply over 2 MiB (send fewer or smaller messages per poll), a gap in the nonces. The gateway's log names "
    "it. Let the client wait longer before each new attempt.",
    source="gateway 1.4.6 canister_poller.rs",
    explains=("OPEN_TIMEOUT", "GATEWAY_NOT_REGISTERED"),
)
def poller_dead(facts: CaptureFacts) -> Iterator[Evidence]:
    """A session that did not open counts only if the poll's answer is recorded, or if other sessions opened."""
    dropped = [
        session
        for session in facts.sessions
        if _is_dropped(session)
        and (session.opened is not None or session.fatal_poll is not None or _asked_correctly(session))
        and not is_unregistered(session)
        and session.canister_close is None  # else the canister had ended it before
    ]
    for sessions in by_path(dropped):
        for group in at_once(sessions, TOLERANCE_S):
            yield from _given_up(facts, group)
    for failures in facts.first_poll_failures.values():
        if len(failures) >= LOOP:
            yield _loop(failures)


def _given_up(facts: CaptureFacts, group: list[SessionFacts]) -> Iterator[Evidence]:
    """Sessions that ended at one moment."""
    first = group[0]
    assert first.end is not None
    at = first.end.frame.t
    if facts.neighbours.goes_on_at_path(group, began=at, heard=at + TOLERANCE_S):
        return  # the gateway goes on polling that canister
    poll = next((session.fatal_poll for session in group if session.fatal_poll is not None), None)
    frames = (*frames_of(poll), *(session.end.number for session in group if session.end is not None))
    state = "open " if all(session.opened is not None for session in group) else ""
    if len(group) > 1:
        spread = max(session.last for session in group) - min(session.last for session in group)
        text = f"The gateway ended {len(group)} {state}sessions without a code within {seconds(spread)}."
    else:
        text = f"The gateway ended the {state}session without a code, {seconds(first.at(first.end))} after its start."
    if poll is not None:
        text += (
            f" It had polled {first.asked_canister}, and {quoted(poll)}. After such an answer it gives a canister up."
        )
        text += _DEPLOYED if cause_of(poll) == "stopped" else ""
    elif first.has_network_side:
        text += (
            " None of the recorded polls failed, so the reason is a gap in the nonces, which the gateway checks "
            "itself, or the gateway was stopped."
        )
    elif len(group) == 1:
        text += "" if state else " Other sessions of that canister did open through it."
        text += (
            " The client had sent nothing that makes a gateway do so. Other clients of the canister must have lost "
            f"their sessions at the same moment; none is in this recording. {RECORD_NETWORK}"
        )
    else:
        text += f" The answer to the last poll is not recorded. {RECORD_NETWORK}"
    yield Evidence(frames, text, tuple(session.name for session in group))


def _loop(failures: list[SessionFacts]) -> Evidence:
    """One attempt after another fails at the gateway's first poll."""
    first, last = failures[0], failures[-1]
    assert first.end is not None
    assert first.open_request is not None
    clients = {session.client_key.client_principal for session in failures if session.client_key is not None}
    who = "one client" if len(clients) == 1 else f"{len(clients)} clients"
    text = (
        f"{len(failures)} sessions of {who} in {seconds(last.last - first.began)} ended alike: the gateway closed "
        f"without a code {seconds(first.end.frame.t - first.open_request.frame.t)} after a valid ws_open, because its "
        f"first poll of {first.asked_canister} failed. The canister is stopped, or not installed, or it has no "
        "ws_get_messages method (WRONG_CANISTER: the id of a frontend canister, for example). A canister with a CDK up "
        f"to 0.3.0 that does not list this gateway (GATEWAY_NOT_REGISTERED) looks the same. {RECORD_NETWORK}"
    )
    frames = tuple(number for session in failures for number in session.end_frames)
    return Evidence(frames, text, tuple(session.name for session in failures))


def _asked_correctly(session: SessionFacts) -> bool:
    """Whether the session asked for what others were given."""
    return session.open_request is not None and session.refused_request is None and is_served(session)


def _is_dropped(session: SessionFacts) -> bool:
    return session.end is not None and session.end.frame.direction == "in" and session.end.frame.code in NO_CODE


MANY: Final = 3  # failed polls, after which it is no accident


def refused_polls(session: SessionFacts) -> list[NetworkCall]:
    """The failed polls after which the session received nothing any more, if there are several.

    A gateway goes on after these: it tries again at its next interval, and only its log shows the error.
    """
    received = max((d.frame.t for d in session.received), default=session.began)
    frames = session.facts.capture.frames
    failed = [call for call in session.failed_polls if frames[call.response or call.request].t >= received]
    if len(failed) < MANY or session.polls_are_recorded(frames[failed[0].request].t, session.last):
        return []
    lasted_s = frames[failed[-1].request].t - frames[failed[0].request].t
    is_ended_by_it = session.is_unanswered or session.closed_by_client("Ack message timeout")
    return failed if is_ended_by_it or lasted_s >= STALL_S else []


@session_rule(
    "GATEWAY_CLOCK",
    sdk='It is not told. Before the session is open: close(4000, "Open connection timeout"). Later: '
    'close(4000, "Ack message timeout").',
    fix="Set the clock of the machine that the gateway runs on (NTP). In WSL2, a virtual machine or Docker the clock "
    "stops while the computer sleeps: restart it.",
    source="gateway 1.4.6 canister_poller.rs; replica, rs/validator",
    explains=("POLLS_REFUSED", "STALE_NONCE", *OPENING, *ACKS),
)
def gateway_clock(session: SessionFacts) -> Iterator[Evidence]:
    failed = refused_polls(session)
    late = [call for call in failed if cause_of(call) == "expiry"]
    if len(late) < MANY or _is_other_clock(session):
        return
    text = (
        f"The network refused {count(len(late), 'poll')} of the gateway in a row because of their ingress_expiry: "
        f"{quoted(late[0])}. The gateway's own clock sets that expiry, so the clock of its machine is wrong. It polls "
        "again and again, and does not report the error to its clients."
    )
    if any(session.is_admitted(d) for d, _ in session.requests):
        text += " The network accepted the client's requests, so the client's clock is right."
    if session.facts.is_local:
        text += " If the client's requests are refused as well, the local replica's clock is wrong instead."
    yield Evidence((*(n for call in late for n in frames_of(call)), *session.end_frames), text)


def _is_other_clock(session: SessionFacts) -> bool:
    """Whether the network refuses the expiry of the client's requests as well: then INGRESS_EXPIRY says it."""
    answers = (session.answer(decoded) for decoded, _ in session.requests)
    return any(call is not None and call.failed and cause_of(call) == "expiry" for call in answers)


@session_rule(
    "POLLS_REFUSED",
    sdk='It is not told. Before the session is open: close(4000, "Open connection timeout"). Later: '
    'close(4000, "Ack message timeout").',
    fix="Do what the network's answer says. HTTP 429 (rate limit): poll less often, or use another API node or "
    "boundary node. HTTP 5xx: the node is overloaded or down.",
    source="gateway 1.4.6 canister_poller.rs",
    explains=("STALE_NONCE", *OPENING, *ACKS),
)
def polls_refused(session: SessionFacts) -> Iterator[Evidence]:
    failed = refused_polls(session)
    if not failed or any(call is session.fatal_poll for call in failed):
        return
    if cause_of(failed[0]) == "expiry" and _is_other_clock(session):
        return
    text = (
        f"{count(len(failed), 'poll')} of the gateway in a row failed, and after that the client received nothing: "
        f"{quoted(failed[0])}."
    )
    if cause_of(failed[0]) == "rate":
        text += " That is a rate limit of the boundary node."
    text += " The gateway tries again at its next interval, and does not report the error to its clients."
    yield Evidence((*(n for call in failed for n in frames_of(call)), *session.end_frames), text)


class _Late(NamedTuple):
    session: SessionFacts
    decoded: DecodedFrame
    excess_s: float


@capture_rule(
    "SLOW_CLIENT_STALL",
    severity="warning",
    sdk='It waits. A stall that is longer than the ack time-out ends sessions: close(4000, "Ack message timeout").',
    fix="Find the client that reads slowly and fix it: the gateway waits for its full channel within the poll loop.",
    source="gateway 1.4.6 canister_poller.rs",
    explains_ends=False,
)
def slow_client_stall(facts: CaptureFacts) -> Iterator[Evidence]:
    for group in by_gateway(facts.sessions):
        late = sorted(
            (message for each in group for message in _late(each)), key=lambda message: message.decoded.frame.t
        )
        received = sorted(d.frame.t for each in group for d in each.received)
        for burst in _bursts(late, max(TOLERANCE_S, facts.jitter_s)):
            sessions = tuple(dict.fromkeys(message.session.name for message in burst))
            came = burst[0].decoded.frame.t
            longest = max(message.excess_s for message in burst)
            in_between = bisect_left(received, came - 1) > bisect_right(received, came - longest + 1)
            if len(sessions) < 2 or in_between:
                continue
            text = (
                f"{len(burst)} messages of {len(sessions)} sessions arrived at once, up to {seconds(longest)} later "
                "than usual, after a pause in all sessions of that gateway. A network outage looks the same."
            )
            if not burst[0].session.has_network_side:
                text += f" {RECORD_NETWORK}"
            yield Evidence(tuple(message.decoded.number for message in burst), text, sessions)


def _late(session: SessionFacts) -> Iterator[_Late]:
    """Messages that took so much longer than the session's fastest that no poll interval explains it."""
    delays = [(d, d.frame.t - d.message.timestamp_ns / NS_PER_S) for d in session.received if d.message is not None]
    fastest = min((delay for _, delay in delays), default=0.0)
    limit_s = max(STALL_S, session.facts.jitter_s)
    return (_Late(session, d, delay - fastest) for d, delay in delays if delay - fastest > limit_s)


def _bursts(late: list[_Late], within_s: float) -> Iterator[list[_Late]]:
    burst: list[_Late] = []
    for message in late:
        if burst and message.decoded.frame.t - burst[0].decoded.frame.t > within_s:
            yield burst
            burst = []
        burst.append(message)
    if burst:
        yield burst
