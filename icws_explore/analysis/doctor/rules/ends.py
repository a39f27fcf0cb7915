"""How sessions end: by someone's will, by something between client and gateway, or for a reason that nothing names.

A session ends by someone's will if the client closes it (1000, 1001, no code, or an application's code from 3000
on), if the server closes it with 1000, or if the canister's code closes it. Every other end has a finding. The
rules of last resort, CONNECTION_LOST and UNEXPLAINED_END, report the ends that no other rule explains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, CloseReason

from ..facts import LOST, NO_CODE, CaptureFacts, SessionFacts
from ..finding import count, seconds
from ..grouping import at_once, by_gateway
from ..registry import Evidence, capture_rule, session_rule
from .handshake import ping_kills_session, raw_client

# Idle limits of common proxies (s): Heroku; nginx, AWS ALB and most others; Cloudflare; Azure; AWS NLB.
IDLE_LIMITS_S: Final = (55.0, 60.0, 100.0, 240.0, 350.0)
IDLE_TOLERANCE_S: Final = 5.0
SHORTEST_IDLE_S: Final = 20.0  # a shorter silence is the usual pause between two messages
BRIEF_S: Final = 5.0  # from here on it counts if it is longer than every pause, and the same to a fifth of a second
BRIEF_ALIKE_S: Final = 0.2
LIFETIMES_S: Final = (300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0)  # usual maximum lifetimes
SHORTEST_LIFETIME_S: Final = 30.0
PART: Final = 3  # so many clients do not lose their connections at one moment by accident
AT_ONCE_S: Final = 1.0  # within this time a restart ends all sessions
_ALIKE: Final = 0.01  # two durations are the same if they differ by less than this share
_ALIKE_S: Final = 1.5  # or by less than this
_BY_CLIENT: Final = (
    CloseCode.NORMAL_CLOSURE,
    CloseCode.GOING_AWAY,
    CloseCode.CLOSED_BY_APPLICATION,
    *NO_CODE,
)
_GONE: Final = (CloseCode.GOING_AWAY, CloseCode.SERVICE_RESTART, CloseCode.TRY_AGAIN_LATER)  # the server says goodbye
_FIRST_APPLICATION_CODE: Final = 3000
_RECONNECT: Final = (
    "Let the client reconnect when onclose is called, with a pause that grows from attempt to attempt: the SDK does "
    "not reconnect."
)


@session_rule(
    "CLOSED_BY_APPLICATION",
    severity="info",
    sdk='It calls close(4001, "ClosedByApplication"); onclose is called, onerror is not.',
    fix="Nothing is wrong: the canister's code called close() for this client.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts; CDK 0.4.1 lib.rs, close",
)
def closed_by_application(session: SessionFacts) -> Iterator[Evidence]:
    closing = session.canister_close
    if closing is None or not isinstance(closing.service, CloseMessage):
        return
    if closing.service.reason is CloseReason.CLOSED_BY_APPLICATION:
        text = (
            f"The canister closed the session {seconds(session.at(closing))} after its start (frame {closing.number})."
        )
        yield Evidence((closing.number, *session.end_frames), text)


def _lost(facts: CaptureFacts) -> list[SessionFacts]:
    """The sessions that lost their connection (1006) from the other side, not because of what the client sent."""
    lost = (
        session
        for session in facts.sessions
        if session.is_lost and session.end is not None and session.end.frame.direction == "in"
    )
    return [session for session in lost if not any(ping_kills_session(session)) and not any(raw_client(session))]


@capture_rule(
    "GATEWAY_RESTART",
    sdk="The connection is lost: onclose gets code 1006 (1001 or 1012 if the gateway says goodbye). It does not "
    "reconnect.",
    fix=f"{_RECONNECT} Look at the gateway's and the proxy's logs for a restart, a deployment, or a lack of memory.",
    source="RFC 6455, section 7.4.1; public reports",
    explains=("PROXY_IDLE", "LIFETIME_LIMIT", "CONNECTION_LOST", "UNEXPLAINED_END"),
)
def gateway_restart(facts: CaptureFacts) -> Iterator[Evidence]:
    says_so = [session for session in facts.sessions if _says_goodbye(session)]
    for gateway in by_gateway([*_lost(facts), *says_so]):
        for group in at_once(gateway, max(AT_ONCE_S, facts.jitter_s)):
            clients = {session.client_key for session in group if session.client_key is not None}
            announced = [session for session in group if _says_goodbye(session)]
            others = facts.neighbours.outlive(group)
            is_whole = len(clients) > 1 and not others
            is_part = len(clients) >= PART and others < len(group)  # more are lost at once than go on
            if announced or is_whole or is_part:
                yield _restart_evidence(facts, group, len(clients), announced)


def _says_goodbye(session: SessionFacts) -> bool:
    return _is_closed_by(session, "in", *_GONE)


def _restart_evidence(
    facts: CaptureFacts, group: Sequence[SessionFacts], clients: int, announced: Sequence[SessionFacts]
) -> Evidence:
    first = group[0]
    assert first.end is not None
    if announced:
        frame = announced[0].end
        assert frame is not None
        reason = f" {frame.frame.reason!r}" if frame.frame.reason else ""
        text = f"The other side closed {count(len(group), 'session')} with {frame.frame.code}{reason}: it went away."
    else:
        spread = max(session.last for session in group) - first.last
        text = (
            f"{len(group)} sessions of {clients} clients were lost (1006) within {seconds(spread)}: the gateway, or "
            "the proxy in front of it, went away. It was restarted or redeployed, or it ran out of memory."
        )
        text += " If all clients run on one machine, that machine's network may have failed instead."
        others = facts.neighbours.outlive(group)
        if others:
            text += (
                f" {count(others, 'other session')} of that gateway went on: so it was one of several instances or "
                "proxies, or the network of these clients."
            )
    back = facts.neighbours.next_at_gateway(first.gateway, first.last)
    if back is not None:
        text += f" A gateway with the same principal answered again {seconds(back.began - first.last)} later."
    return Evidence(
        tuple(n for session in group for n in session.end_frames), text, tuple(session.name for session in group)
    )


@capture_rule(
    "PROXY_IDLE",
    sdk="The connection is lost: onclose gets code 1006. The SDK neither pings nor reconnects.",
    fix="Raise the idle time-out of the proxy or load balancer in front of the gateway above the ack interval (300 s "
    "by default), or let the application send something more often.",
    source="catalogue: inferred; neither side pings",
    explains=("LIFETIME_LIMIT", "CONNECTION_LOST"),
)
def proxy_idle(facts: CaptureFacts) -> Iterator[Evidence]:
    opened = [session for session in _lost(facts) if session.opened is not None]
    idle = [session for session in opened if session.silence_s >= SHORTEST_IDLE_S]
    brief = [(s.silence_s, s) for s in opened if BRIEF_S <= s.silence_s < SHORTEST_IDLE_S]
    lives = [{session.name for session in group} for group in _same_lifetimes(facts)]
    repeated = [
        group
        for group in (
            *_alike([(session.silence_s, session) for session in idle], facts.jitter_s),
            *(each for each in _alike(brief, facts.jitter_s, BRIEF_ALIKE_S) if _is_longest_pause(each)),
        )
        if len(group) > 1 and _spread(group) and not any({s.name for s in group} < life for life in lives)
    ]
    for group in repeated:
        limit = min(session.silence_s for session in group)
        text = (
            f"{len(group)} sessions were lost (1006), each {seconds(limit)} after its last frame: something between "
            "client and gateway (a proxy, a load balancer, a NAT router) closes connections that are idle for that "
            "long."
        )
        yield Evidence(_last_two(group), text, tuple(session.name for session in group))
    named = {session.name for group in repeated for session in group}.union(*lives)
    for session in idle:
        silence_s = session.silence_s
        limits = [
            (abs(silence_s - limit), limit) for limit in IDLE_LIMITS_S if _is_about(silence_s, limit, facts.jitter_s)
        ]
        if limits and session.name not in named:
            text = (
                f"The connection was lost (1006) {seconds(session.silence_s)} after the last frame, about the "
                f"{min(limits)[1]:.0f} s after which common proxies close an idle connection. A gateway or a network "
                "that failed at that moment looks the same: record on the other side of the proxy as well, or see "
                "whether it happens again after the same time."
            )
            yield Evidence(_last_two([session]), text, (session.name,))


@capture_rule(
    "LIFETIME_LIMIT",
    sdk="The connection is lost: onclose gets code 1006. It does not reconnect.",
    fix="Raise the maximum connection lifetime of the proxy, load balancer or platform in front of the gateway (the "
    f"backend time-out of a load balancer, the request limit of a serverless platform). {_RECONNECT}",
    source="public reports; documentation of load balancers and serverless platforms",
    explains=("CONNECTION_LOST",),
)
def lifetime_limit(facts: CaptureFacts) -> Iterator[Evidence]:
    for group in _same_lifetimes(facts):
        life_s = min(session.last - session.connected for session in group)
        silences = [session.silence_s for session in group]
        text = (
            f"{len(group)} sessions were lost (1006), each {seconds(life_s)} after it was opened, and "
            f"{seconds(min(silences))} to {seconds(max(silences))} after its last frame. So they were not idle: "
            "something between client and gateway ends every connection at that age."
        )
        yield Evidence(
            tuple(n for session in group for n in session.end_frames), text, tuple(session.name for session in group)
        )


def _same_lifetimes(facts: CaptureFacts) -> list[list[SessionFacts]]:
    """Groups of lost sessions of the same age that did not end at one moment."""
    lived = [
        (session.end.frame.t - session.connected, session)
        for session in _lost(facts)
        if session.opened is not None and session.end is not None
    ]
    groups = _alike([pair for pair in lived if pair[0] >= SHORTEST_LIFETIME_S], facts.jitter_s)
    brief = _alike([pair for pair in lived if BRIEF_S <= pair[0] < SHORTEST_LIFETIME_S], facts.jitter_s, BRIEF_ALIKE_S)
    found = [group for group in groups if len(group) > 1] + [group for group in brief if len(group) >= PART]
    return [group for group in found if _spread(group)]


def _is_longest_pause(group: Sequence[SessionFacts]) -> bool:
    """Whether none of the sessions went on after a pause as long as the silence at their ends."""
    limit_s = min(session.silence_s for session in group)
    for session in group:
        times = [d.frame.t for d in session.frames if d is not session.end]
        if any(later - earlier >= limit_s for earlier, later in pairwise(times)):
            return False
    return True


def _alike(
    durations: Iterable[tuple[float, SessionFacts]], jitter_s: float, alike_s: float = _ALIKE_S
) -> Iterator[list[SessionFacts]]:
    """Groups of sessions with the same duration (s), up to one per cent, ``alike_s`` or the recorder's jitter."""
    group: list[SessionFacts] = []
    first = 0.0
    for duration, session in sorted(durations, key=lambda pair: pair[0]):
        if group and duration - first > max(_ALIKE * first, alike_s, jitter_s):
            yield group
            group = []
        if not group:
            first = duration
        group.append(session)
    if group:
        yield group


def _spread(group: Sequence[SessionFacts]) -> bool:
    """Whether the sessions ended at different moments: else one event ended all of them."""
    ends = [session.last for session in group]
    return max(ends) - min(ends) > AT_ONCE_S


def _is_about(value: float, limit: float, jitter_s: float) -> bool:
    return -IDLE_TOLERANCE_S <= value - limit <= max(IDLE_TOLERANCE_S, jitter_s)


def _last_two(group: Iterable[SessionFacts]) -> tuple[int, ...]:
    return tuple(d.number for session in group for d in session.frames[-2:])


@session_rule(
    "PAGE_IDLE_RELOAD",
    severity="info",
    sdk="The page is gone, and the SDK with it: the browser closes the socket with 1001.",
    fix="If the user did not leave: @dfinity/auth-client's IdleManager logs out and reloads the page after ten minutes "
    "without user action. Set idleOptions: { disableIdle: true } or a longer idleTimeout in AuthClient.create.",
    source="@dfinity/auth-client idleManager.ts",
)
def page_idle_reload(session: SessionFacts) -> Iterator[Evidence]:
    messages = [d for d in session.sent if d.kind == "message"]
    if not _is_closed_by(session, "out", CloseCode.GOING_AWAY) or session.end is None or not messages:
        return
    is_logged_in = any(envelope.sender_delegation for _, envelope in session.requests)
    idle_s = session.end.frame.t - messages[-1].frame.t
    if is_logged_in and IDLE_LOGOUT_S - IDLE_EARLY_S <= idle_s <= IDLE_LOGOUT_S + IDLE_LATE_S:
        text = (
            f"The page went away (1001) {seconds(idle_s)} after the client's last message (frame "
            f"{messages[-1].number}). @dfinity/auth-client's IdleManager reloads the page after ten minutes without "
            "user action, and this client is logged in with a delegation."
        )
        yield Evidence((messages[-1].number, session.end.number), text)


IDLE_LOGOUT_S: Final = 600.0
IDLE_EARLY_S: Final = 15.0  # the last message may follow the last user action
IDLE_LATE_S: Final = 60.0  # and the user may do something that sends no message


@session_rule(
    "FRAME_TOO_LARGE",
    sdk="onclose gets code 1009.",
    fix="Raise the limit of the side that closed (Python's websockets: max_size, 1 MiB by default; proxies have limits "
    "of their own), or send smaller messages.",
    source="RFC 6455, section 7.4.1",
    explains=("LOST_UP",),
)
def frame_too_large(session: SessionFacts) -> Iterator[Evidence]:
    end = session.end
    if end is None or end.frame.code != CloseCode.MESSAGE_TOO_BIG:
        return
    sender, closer = ("out", "gateway or a proxy") if end.frame.direction == "in" else ("in", "client")
    frames = [d for d in session.frames if d.frame.direction == sender and d is not end]
    largest = frames[-1] if frames else None
    text = f"The {closer} closed with 1009 (message too big)."
    if largest is not None:
        by = "The client" if sender == "out" else "The gateway"
        text += f" {by} had last sent frame {largest.number} ({largest.size:,} bytes)."
    yield Evidence((*(() if largest is None else (largest.number,)), end.number), text)


@session_rule(
    "CLOSED_AT_128",
    sdk="It counts beyond 128.",
    fix="Compare boxed numbers with equals(), not with ==: Java caches Long values only up to 127. ic4j has this error "
    "in its comparison of sequence numbers.",
    source="ic4j-websocket: == on Long",
)
def closed_at_128(session: SessionFacts) -> Iterator[Evidence]:
    end = session.end
    if end is None or end.frame.direction != "out" or not session.received or end.frame.code in _BY_CLIENT:
        return
    boxed = next((d for d in session.received if d.sequence_num == BOXED), None)
    if boxed is None or not session.reaches_sdk(boxed) or not session.is_authentic(boxed):
        return
    after_s = end.frame.t - boxed.frame.t
    if after_s <= max(AT_ONCE_S, session.facts.jitter_s):  # later messages of the same poll may lie between
        text = (
            f"The client closed with {end.frame.code} {seconds(after_s)} after the canister's message {BOXED} (frame "
            f"{boxed.number}), which is authentic and in order. A Java client that compares sequence numbers with == "
            "fails at 128."
        )
        yield Evidence((boxed.number, end.number), text)


BOXED: Final = 128  # the first number of which Java makes a new Long each time


def _is_closed_by(session: SessionFacts, direction: str, *codes: int) -> bool:
    end = session.end
    return end is not None and end.frame.direction == direction and end.frame.code in codes


@session_rule(
    "CONNECTION_LOST",
    severity="warning",
    sdk="onclose gets code 1006. It does not reconnect.",
    fix=f"{_RECONNECT} Record with icws tap on the client's machine and in front of the gateway to see on which side "
    "the connection breaks.",
    source="RFC 6455, section 7.1.5",
    last_resort=True,
)
def connection_lost(session: SessionFacts) -> Iterator[Evidence]:
    end = session.end
    if end is None or not session.is_lost:
        return
    life_s = end.frame.t - session.connected
    side = "The client's side ended the connection" if end.frame.direction == "out" else "The connection was lost"
    text = f"{side} without a close frame (1006), {seconds(life_s)} after it was opened"
    text += f" and {seconds(session.silence_s)} after the last frame." if len(session.frames) > 1 else "."
    causes = ["the client's network changed or failed", "the gateway or a proxy went away"]
    if session.silence_s >= SHORTEST_IDLE_S:
        causes[:0] = [
            "a phone or a browser froze the page in the background, or the computer slept",
            f"something in between closes connections that are idle for {seconds(session.silence_s)}",
        ]
    if any(abs(life_s - limit) <= _ALIKE_S for limit in LIFETIMES_S):
        causes.insert(0, f"something in between ends every connection after {seconds(life_s)}")
    text += f" No rule explains it. Possible causes: {'; '.join(causes)}."
    text += " Record several such ends: the same silence or the same lifetime tells the cause."
    later = session.facts.neighbours.next_of_client(session)
    if later is not None:
        text += f" The client connected again {seconds(max(0.0, later.began - end.frame.t))} later ({later.name})."
    is_mild = later is not None or end.frame.direction == "out"  # it came back, or its process or its page was ended
    yield Evidence(tuple(d.number for d in session.frames[-2:]), text, severity="info" if is_mild else None)


# What the SDK's own reasons say, where no other rule explains the close.
_REASONS: Final = {
    "Error receiving message": "The SDK calls this if a frame does not decode or verify, or if the application's "
    "onmessage handler throws. The client's console shows the error.",
    "Service message error": "The SDK could not read or handle a service message. The client's console shows the "
    "error.",
    "Ack message error": "The SDK could not handle an AckMessage. The client's console shows the error.",
    "Ack message timeout": "The SDK missed an AckMessage.",
    "Received close message from canister": "The canister closed the session.",
}
_CODES: Final = {
    1002: "protocol error",
    1003: "unsupported data",
    1007: "invalid data",
    1008: "policy violation",
    1010: "a missing extension",
    1011: "an internal error",
    1012: "a restart",
    1013: "overload, try again later",
    1014: "a bad gateway",
    1015: "a failed TLS handshake",
}


@session_rule(
    "UNEXPLAINED_END",
    severity="warning",
    sdk="onclose gets the code and the reason.",
    fix="Read the client's console and the gateway's log of that moment, and record the session again with icws tap … "
    "--network URL --all-queries.",
    source="RFC 6455, section 7.4.1; ic-websocket-js 0.5.0 ic-websocket.ts",
    last_resort=True,
)
def unexplained_end(session: SessionFacts) -> Iterator[Evidence]:
    closing, end = session.canister_close, session.end
    if closing is not None and isinstance(closing.service, CloseMessage):
        if closing.service.reason is CloseReason.CLOSED_BY_APPLICATION:
            return
        text = (
            f"The canister closed the session with {closing.service.reason} {seconds(session.at(closing))} after its "
            f"start (frame {closing.number}). No rule explains it."
        )
        yield Evidence((closing.number, *session.end_frames), text)
    elif end is None:
        yield from _stopped_answering(session)
    elif not _is_wanted(session) and end.frame.code != LOST:
        by = "The client" if end.frame.direction == "out" else "The other side"
        code, reason = end.frame.code, end.frame.reason or ""
        named = f" ({_CODES[code]})" if code in _CODES else ""
        with_it = "without a code" if code in NO_CODE else f"with {code}{named}{f' {reason!r}' if reason else ''}"
        text = f"{by} closed {with_it}, {seconds(session.at(end))} after the start of the session"
        text += f" and {seconds(session.silence_s)} after the last frame." if len(session.frames) > 1 else "."
        text += " No rule explains it."
        text += f" {_REASONS[reason]}" if code == CloseCode.CLOSED_BY_SDK and reason in _REASONS else ""
        if reason == "Error receiving message":
            text += (
                " Every message that was recorded is valid."
                if session.facts.root_key is not None
                else " No root key is known, so a forged certificate, or one of another network, is possible."
            )
        yield Evidence(tuple(d.number for d in session.frames[-2:]), text)


def _is_wanted(session: SessionFacts) -> bool:
    """Whether the session ended by someone's will."""
    if session.end is None:
        return True
    code, direction = session.end.frame.code, session.end.frame.direction
    if direction == "in":
        return code == CloseCode.NORMAL_CLOSURE
    return code in _BY_CLIENT or (code >= _FIRST_APPLICATION_CODE and code != CloseCode.CLOSED_BY_SDK)


def _stopped_answering(session: SessionFacts) -> Iterator[Evidence]:
    """A client that owes a keep-alive for more than a minute while the session goes on."""
    if not session.acks or session.open_request is None:
        return
    ack = session.acks[-1]
    assert isinstance(ack.service, AckMessage)
    answers = [d for d in session.frames if d.frame.direction == "out" and d.number > ack.number]
    waited_s = session.last - ack.frame.t
    if not answers and waited_s >= SILENT_S:
        text = (
            f"The client sent nothing for {seconds(waited_s)} after the AckMessage of frame {ack.number}, while the "
            "canister went on sending. It owes a keep-alive: its page is frozen, its machine sleeps, or its connection "
            "is broken and the gateway has not noticed."
        )
        yield Evidence((ack.number, session.frames[-1].number), text)


SILENT_S: Final = 60.0 + 5.0  # the canister's keep-alive time-out, and a way there
