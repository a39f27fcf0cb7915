"""ws_open was sent, and the canister's OpenMessage does not come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.constants import OPEN_TIMEOUT_MS

from ...network_calls import NetworkCall
from ..facts import NO_CODE, SessionFacts
from ..finding import RECORD_NETWORK, seconds
from ..grouping import is_served, is_unregistered, shares_path
from ..network_side import cause_of, frames_of, quoted
from ..registry import Evidence, session_rule

_SDK: Final = (
    'It reports "Open timeout expired before receiving the open message" and calls '
    'close(4000, "Open connection timeout").'
)
IMPATIENCE_S: Final = 20.0  # a latency of 5 s in each direction, and a canister that is slow
_CANDIDATES: Final = (
    "this recording does not tell these apart: ON_OPEN_TRAP (a trap in on_open), WRONG_CANISTER (no such canister), "
    "GATEWAY_NOT_REGISTERED (CDK up to 0.3.0), STALE_NONCE (the canister counts from 0 again, while the gateway "
    "asks for later nonces: the canister was upgraded, or it removed the gateway, which had no clients for longer than "
    "an ack interval)"
)


@session_rule(
    "OPEN_TIMEOUT",
    sdk=_SDK,
    fix="Do what the network's answer says. If it is not recorded, record it with icws tap between the gateway and its "
    "network: it shows the canister's Err, a trap or the replica's refusal, which the gateway only logs.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
)
def open_timeout(session: SessionFacts) -> Iterator[Evidence]:
    call = session.answer(session.open_request)
    if not session.is_unanswered and not _has_failed(session, call):
        if session.ends_at_open_request:
            text = (
                f"ws_open (frame {session.frames[-1].number}) has no OpenMessage in this file, which does not say how "
                f"long the page waited for it. {_why(session, call)}"
            )
            yield Evidence(_frames(session), text, severity="warning")
        elif _has_left(session):
            text = f"{_waited(session)} Then it ended, before the SDK gives up (60 s). {_why(session, call)}"
            yield Evidence((*_frames(session), *frames_of(call)), text, severity="warning")
        return
    text = f"{_waited(session)} {_why(session, call)}"
    yield Evidence((*_frames(session), *frames_of(call)), text)


def _has_left(session: SessionFacts) -> bool:
    """Whether either side gave up before the SDK would, but after a time that no latency explains."""
    if session.open_request is None or session.opened is not None or session.end is None:
        return False
    return session.last - session.open_request.frame.t >= max(IMPATIENCE_S, session.facts.jitter_s)


def _why(session: SessionFacts, call: NetworkCall | None) -> str:
    """What happened to ws_open, as far as the recording tells."""
    if call is not None and call.failed:
        return f"The gateway relayed it, and {quoted(call)}."
    if call is not None and call.outcome == "replied":
        lost = (
            f"It was executed: {quoted(call)}. So the canister queued its OpenMessage, and the gateway did not ask for "
            "it (STALE_NONCE), failed to, or did not pass it on."
        )
        return lost + (f" One of its polls failed: {quoted(poll)}." if (poll := session.fatal_poll) is not None else "")
    if call is not None:
        return f"The gateway relayed it, but {quoted(call)}."
    if session.has_network_side:
        return "It is not among the calls that the network received: the gateway did not relay it."
    checked = "Its signature, delegation, expiry and gateway are correct, so it" if _is_sound(session) else "It"
    clock = "" if session.facts.is_dated else ", INGRESS_EXPIRY (the clock of both client and recorder is wrong)"
    return f"{checked} was lost on its way, refused, or rolled back; {_CANDIDATES}{clock}. {RECORD_NETWORK}"


@session_rule(
    "ON_OPEN_TRAP",
    sdk=_SDK,
    fix="Fix the trap in on_open, or in on_close, which ws_open runs for the client that it replaces.",
    source="CDK 0.4.1 lib.rs, ws_open",
    explains=("OPEN_TIMEOUT",),
)
def on_open_trap(session: SessionFacts) -> Iterator[Evidence]:
    call = session.answer(session.open_request)
    if call is not None:
        if session.opened is None and cause_of(call) == "trap":
            text = (
                f"ws_open (frame {call.frame}) was executed and rolled back: {quoted(call)}.{_opened_before(session)}"
            )
            yield Evidence((*_frames(session), *frames_of(call)), text)
        if call.is_final:
            return  # the network's answer says what happened
    if not session.is_unanswered or session.open_request is None or session.refused_request is not None:
        return
    asked = session.open_request.frame.t
    others, first = session.facts.received_by_others(session, asked + 1, asked + OPEN_TIMEOUT_MS / 1000)
    if first is None:
        yield from _at_the_reconnect(session)
        return
    text = (
        f"{_waited(session)} The request is valid, and meanwhile the canister sent messages to other sessions through "
        f"the same gateway ({others} in all, the first in frame {first.number}): this ws_open was executed and "
        f"rolled back.{_opened_before(session)} A call that is lost between gateway and network looks the same, but "
        f"does not happen twice. {RECORD_NETWORK}"
    )
    yield Evidence((*_frames(session), first.number), text)


def _at_the_reconnect(session: SessionFacts) -> Iterator[Evidence]:
    """The first connect worked, and no other client is known to fail."""
    before = session.facts.neighbours.opened_before(session)
    if before is None or before.opened is None or not shares_path(before, session):
        return
    if not session.facts.neighbours.is_only_client_unanswered(session):
        return
    text = (
        f"{_waited(session)} The request is valid.{_opened_before(session)} A canister or a gateway that no "
        f"longer answers any client looks the same. {RECORD_NETWORK}"
    )
    yield Evidence((before.opened.number, *_frames(session)), text)


def _opened_before(session: SessionFacts) -> str:
    """If the same client was connected before, on_close may be what traps."""
    before = session.facts.neighbours.opened_before(session)
    if before is None:
        return ""
    return (
        f" The same principal opened a session before (session {before.name}), so on_close may be what traps: "
        "ws_open runs it for the client that it replaces."
    )


@session_rule(
    "GATEWAY_NOT_REGISTERED",
    sdk="The connection ends without a code while it waits for the OpenMessage: onclose gets 1005.",
    fix="Upgrade the CDK to 0.3.1 or later, which accepts any gateway. With an older one, list this gateway's "
    "principal.",
    source="ic_websocket_example#1; CDK 0.3.0",
    explains=("OPEN_TIMEOUT",),
)
def gateway_not_registered(session: SessionFacts) -> Iterator[Evidence]:
    end, opening = session.end, session.open_request
    call = session.answer(opening)
    if opening is None or session.opened is not None:
        return
    if is_unregistered(session):
        poll = session.fatal_poll
        assert poll is not None
        text = f"The canister does not accept the gateway {session.gateway}: to its poll {quoted(poll)}."
        yield Evidence((*_frames(session), *frames_of(poll)), text)
        return
    if call is not None and call.is_final:
        if cause_of(call) == "gateway":
            text = f"The canister does not accept the gateway {session.gateway}: to ws_open {quoted(call)}."
            yield Evidence((*_frames(session), *frames_of(call)), text)
        return  # the network's answer says what happened
    if end is None or end.frame.direction != "in" or end.frame.code not in NO_CODE:
        return
    if session.refused_request is not None or session.fatal_poll is not None:
        return
    if is_served(session):
        return  # the gateway is registered, so its poller died
    waited = seconds(end.frame.t - opening.frame.t)
    text = (
        f"{waited} after a valid ws_open (frame {opening.number}) the gateway ended the session without a code. It "
        "does this when the canister answers its first poll with an Err, and a CDK up to 0.3.0 does that if its list "
        f"lacks the gateway {session.gateway}. A first poll that fails for another reason (POLLER_DEAD) looks the "
        f"same. {RECORD_NETWORK}"
    )
    yield Evidence(_frames(session), text)


def _has_failed(session: SessionFacts, call: NetworkCall | None) -> bool:
    """Whether the network is known to have refused ws_open, however long the client waited."""
    return call is not None and call.failed and session.opened is None


def _waited(session: SessionFacts) -> str:
    assert session.open_request is not None
    waited = session.last - session.open_request.frame.t
    return f"ws_open (frame {session.open_request.number}) had no OpenMessage for {seconds(waited)}."


def _frames(session: SessionFacts) -> tuple[int, ...]:
    shown = [d.number for d in (session.handshake, session.open_request) if d is not None]
    return (*shown, *session.end_frames)


def _is_sound(session: SessionFacts) -> bool:
    return session.facts.has_real_crypto and session.refused_request is None
