"""ws_open was sent, and the canister's OpenMessage does not come."""

from __future__ import annotations

from collections.abc import Iterator

from icws_explore.protocol.constants import OPEN_TIMEOUT_MS

from ..alike import is_along, is_same_client
from ..facts import NO_CODE, TOLERANCE_S, SessionFacts
from ..registry import Evidence, session_rule
from ..wording import seconds

_SDK = '"Open timeout expired before receiving the open message", then close(4000, "Open connection timeout").'


@session_rule(
    "OPEN_TIMEOUT",
    sdk=_SDK,
    fix="Record the network side as well (icws tap in front of the gateway's replica URL): there the canister's Err, a "
    "trap or the replica's refusal shows, which the gateway only logs.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts",
)
def open_timeout(session: SessionFacts) -> Iterator[Evidence]:
    if session.is_unanswered:
        checked = "Its signature, delegation, expiry and gateway are right, so it" if _is_sound(session) else "It"
        told = (
            f"{_waited(session)} {checked} was lost on the way, refused by the canister, or rolled back; from this "
            "recording these cannot be told apart: ON_OPEN_TRAP (a trap in on_open), WRONG_CANISTER (no such "
            "canister), GATEWAY_NOT_REGISTERED (CDK up to 0.3.0), STALE_NONCE "
            "(the canister was upgraded while the gateway ran)."
        )
        yield Evidence(_frames(session), told)


@session_rule(
    "ON_OPEN_TRAP",
    sdk=_SDK,
    fix="Remove the trap from on_open, and from on_close, which ws_open runs for the client it replaces.",
    source="CDK 0.4.1 lib.rs, ws_open",
    explains=("OPEN_TIMEOUT",),
)
def on_open_trap(session: SessionFacts) -> Iterator[Evidence]:
    if not session.is_unanswered or session.open_request is None or session.bad_request is not None:
        return
    asked = session.open_request.frame.t
    others = [it for it in session.whole.sessions if it is not session and is_along(it, session)]
    alive = [d for it in others for d in it.received if asked + 1 < d.frame.t < asked + OPEN_TIMEOUT_MS / 1000]
    if not alive:
        return
    before = [it for it in others if it.opened is not None and is_same_client(it, session) and it.began < session.began]
    told = (
        f"{_waited(session)} The request is valid, and meanwhile the canister spoke to other sessions through the same "
        f"gateway (frame {alive[0].number}, among {len(alive)}): this ws_open ran and was rolled back."
    )
    if before:
        told += (
            f" The same principal did open before (session {before[-1].name}), so it may be on_close that traps: "
            "ws_open runs it for the client that it replaces."
        )
    told += " A call lost behind the gateway looks the same, but not twice."
    yield Evidence((*_frames(session), alive[0].number), told)


@session_rule(
    "GATEWAY_NOT_REGISTERED",
    sdk="The connection ends without a code while it waits for the OpenMessage: onclose with 1005.",
    fix="Upgrade the CDK to 0.3.1 or later, which takes any gateway; before, list this gateway's principal.",
    source="ic_websocket_example#1; CDK 0.3.0",
)
def gateway_not_registered(session: SessionFacts) -> Iterator[Evidence]:
    end, opening = session.end, session.open_request
    if end is None or opening is None or session.opened is not None or session.bad_request is not None:
        return
    if end.frame.direction != "in" or end.frame.code not in NO_CODE:
        return
    at = end.frame.t
    others = [it for it in session.whole.sessions if it is not session and is_along(it, session)]
    if any(it.opened is not None and it.end is not None and abs(it.end.frame.t - at) < TOLERANCE_S for it in others):
        return  # the whole poller died
    told = (
        f"{seconds(at - opening.frame.t)} after a valid ws_open (frame {opening.number}) the gateway ended the session "
        f"without a code. So do gateways before 1.4.3 when the canister refuses: one with a CDK up to 0.3.0 whose list "
        f"lacks {session.gateway}, or another Err. A poller that fails at its first poll (POLLER_DEAD) looks the same; "
        "the gateway's log tells."
    )
    yield Evidence((*_frames(session),), told)


def _waited(session: SessionFacts) -> str:
    assert session.open_request is not None
    waited = session.last - session.open_request.frame.t
    return f"ws_open (frame {session.open_request.number}) had no OpenMessage for {seconds(waited)}."


def _frames(session: SessionFacts) -> tuple[int, ...]:
    shown = [d.number for d in (session.handshake, session.open_request) if d is not None]
    return (*shown, *session.end_frames)


def _is_sound(session: SessionFacts) -> bool:
    return session.whole.is_judged and session.bad_request is None
