"""ws_open was sent, and the canister's OpenMessage does not come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.constants import OPEN_TIMEOUT_MS

from ...network_calls import NetworkCall
from ..alike import is_along, is_same_client, is_served
from ..facts import NO_CODE, SessionFacts
from ..finding import RECORD_NETWORK, seconds
from ..network_side import cause_of, frames_of, quoted
from ..registry import Evidence, session_rule

_SDK = '"Open timeout expired before receiving the open message", then close(4000, "Open connection timeout").'
IMPATIENCE_S: Final = 20.0  # a way of 5 s in each direction, and a canister that takes its time
_GUESSES = (
    "from this recording these cannot be told apart: ON_OPEN_TRAP (a trap in on_open), WRONG_CANISTER (no such "
    "canister), GATEWAY_NOT_REGISTERED (CDK up to 0.3.0), STALE_NONCE (the canister was upgraded while the gateway ran)"
)


@session_rule(
    "OPEN_TIMEOUT",
    sdk=_SDK,
    fix="Do what the network's answer says. Where it is not recorded, record it (icws tap in front of the gateway's "
    "network as well): there the canister's Err, a trap or the replica's refusal shows, which the gateway only logs.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
)
def open_timeout(session: SessionFacts) -> Iterator[Evidence]:
    call = session.answer(session.open_request)
    if not session.is_unanswered and not _has_failed(session, call):
        if _may_have_waited(session):
            told = (
                f"ws_open (frame {session.frames[-1].number}) has no OpenMessage in this file, which does not say how "
                f"long the page waited for it. {_why(session, call)}"
            )
            yield Evidence(_frames(session), told, severity="warning")
        elif _has_left(session):
            told = f"{_waited(session)} Then it ended, before the SDK gives up (60 s). {_why(session, call)}"
            yield Evidence((*_frames(session), *frames_of(call)), told, severity="warning")
        return
    told = f"{_waited(session)} {_why(session, call)}"
    yield Evidence((*_frames(session), *frames_of(call)), told)


def _has_left(session: SessionFacts) -> bool:
    """Somebody gave up before the SDK did, long after any latency explains it."""
    if session.open_request is None or session.opened is not None or session.end is None:
        return False
    return session.last - session.open_request.frame.t >= max(IMPATIENCE_S, session.whole.jitter_s)


def _why(session: SessionFacts, call: NetworkCall | None) -> str:
    """What became of ws_open, as far as the recording tells."""
    if call is not None and call.failed:
        return f"The gateway relayed it, and {quoted(call)}."
    if call is not None and call.outcome == "replied":
        lost = (
            f"It did run: {quoted(call)}. So its OpenMessage was queued, and was lost behind that: the gateway does "
            "not ask for it (STALE_NONCE), fails to, or does not pass it on."
        )
        return lost + (f" Of its polls, {quoted(poll)}." if (poll := session.fatal_poll) is not None else "")
    if call is not None:
        return f"The gateway relayed it, but {quoted(call)}."
    if session.has_network_side:
        return "It is not among the calls that the network got: the gateway did not relay it."
    checked = "Its signature, delegation, expiry and gateway are right, so it" if _is_sound(session) else "It"
    is_dated = any(it.received for it in session.whole.sessions)  # certificates tell what time it was
    clock = "" if is_dated else ", INGRESS_EXPIRY (the clock is wrong by which both client and recording go)"
    return f"{checked} was lost on the way, refused, or rolled back; {_GUESSES}{clock}. {RECORD_NETWORK}"


@session_rule(
    "ON_OPEN_TRAP",
    sdk=_SDK,
    fix="Remove the trap from on_open, and from on_close, which ws_open runs for the client it replaces.",
    source="CDK 0.4.1 lib.rs, ws_open",
    explains=("OPEN_TIMEOUT",),
)
def on_open_trap(session: SessionFacts) -> Iterator[Evidence]:
    call = session.answer(session.open_request)
    if call is not None:
        if session.opened is None and cause_of(call) == "trap":
            told = f"ws_open (frame {call.frame}) ran and was rolled back: {quoted(call)}.{_opened_before(session)}"
            yield Evidence((*_frames(session), *frames_of(call)), told)
        if call.is_final:
            return  # the network has said what it was
    if not session.is_unanswered or session.open_request is None or session.bad_request is not None:
        return
    asked = session.open_request.frame.t
    others = [it for it in session.whole.sessions if it is not session and is_along(it, session)]
    alive = [d for it in others for d in it.received if asked + 1 < d.frame.t < asked + OPEN_TIMEOUT_MS / 1000]
    if not alive:
        yield from _at_the_reconnect(session)
        return
    told = (
        f"{_waited(session)} The request is valid, and meanwhile the canister spoke to other sessions through the same "
        f"gateway (frame {alive[0].number}, among {len(alive)}): this ws_open ran and was rolled back."
        f"{_opened_before(session)} A call lost behind the gateway looks the same, but not twice. {RECORD_NETWORK}"
    )
    yield Evidence((*_frames(session), alive[0].number), told)


def _at_the_reconnect(session: SessionFacts) -> Iterator[Evidence]:
    """The first connect worked, and nobody else is known to fail."""
    before = _earlier(session)
    failing = [it for it in session.whole.sessions if it.is_unanswered and not is_same_client(it, session)]
    if not before or before[-1].opened is None or not is_along(before[-1], session) or failing:
        return
    told = (
        f"{_waited(session)} The request is valid.{_opened_before(session)} A canister or a gateway that answers "
        f"nobody any more looks the same. {RECORD_NETWORK}"
    )
    yield Evidence((before[-1].opened.number, *_frames(session)), told)


def _earlier(session: SessionFacts) -> list[SessionFacts]:
    """The same client's sessions that opened before."""
    return [
        it
        for it in session.whole.sessions
        if it.opened is not None and is_same_client(it, session) and it.began < session.began
    ]


def _opened_before(session: SessionFacts) -> str:
    """Where the same client was connected before, its on_close may be what traps."""
    before = _earlier(session)
    if not before:
        return ""
    return (
        f" The same principal did open before (session {before[-1].name}), so it may be on_close that traps: "
        "ws_open runs it for the client that it replaces."
    )


@session_rule(
    "GATEWAY_NOT_REGISTERED",
    sdk="The connection ends without a code while it waits for the OpenMessage: onclose with 1005.",
    fix="Upgrade the CDK to 0.3.1 or later, which takes any gateway; before, list this gateway's principal.",
    source="ic_websocket_example#1; CDK 0.3.0",
    explains=("OPEN_TIMEOUT",),
)
def gateway_not_registered(session: SessionFacts) -> Iterator[Evidence]:
    end, opening = session.end, session.open_request
    call = session.answer(opening)
    if opening is None or session.opened is not None:
        return
    if call is not None and call.is_final:
        if cause_of(call) == "gateway":
            told = f"The canister does not take the gateway {session.gateway}: to ws_open {quoted(call)}."
            yield Evidence((*_frames(session), *frames_of(call)), told)
        return  # the network has said what it was
    if end is None or end.frame.direction != "in" or end.frame.code not in NO_CODE:
        return
    if session.bad_request is not None or session.fatal_poll is not None:
        return
    if is_served(session):
        return  # it is registered, so its poller died
    waited = seconds(end.frame.t - opening.frame.t)
    told = (
        f"{waited} after a valid ws_open (frame {opening.number}) the gateway ended the session "
        "without a code. So it does when the canister answers its first poll with an Err, as a CDK up to 0.3.0 does "
        f"whose list lacks {session.gateway}. A poller that fails at its first poll for another reason (POLLER_DEAD) "
        f"looks the same. {RECORD_NETWORK}"
    )
    yield Evidence((*_frames(session),), told)


def _has_failed(session: SessionFacts, call: NetworkCall | None) -> bool:
    """The network is known to have refused ws_open, however long the client waited."""
    return call is not None and call.failed and session.opened is None


def _may_have_waited(session: SessionFacts) -> bool:
    """Nothing came behind ws_open, in a HAR: browsers write down neither how long nothing came nor the end."""
    is_last = session.open_request is not None and session.frames[-1].number == session.open_request.number
    return is_last and _is_har(session)


def _is_har(session: SessionFacts) -> bool:
    return session.whole.capture.info.origin == "har"


def _waited(session: SessionFacts) -> str:
    assert session.open_request is not None
    waited = session.last - session.open_request.frame.t
    return f"ws_open (frame {session.open_request.number}) had no OpenMessage for {seconds(waited)}."


def _frames(session: SessionFacts) -> tuple[int, ...]:
    shown = [d.number for d in (session.handshake, session.open_request) if d is not None]
    return (*shown, *session.end_frames)


def _is_sound(session: SessionFacts) -> bool:
    return session.whole.is_judged and session.bad_request is None
