"""What the canister or its network refuses for a reason of its own: no cycles, inspect_message, no reply."""

from __future__ import annotations

from collections.abc import Iterator

from ...network_calls import NetworkCall
from ..facts import SessionFacts
from ..finding import count
from ..network_side import Cause, cause_of, frames_of, quoted
from ..registry import ACKS, FORGOTTEN, KEEP_ALIVES, OPENING, UPWARD, Evidence, session_rule

_UNTOLD = (
    'It is not told. Before the session is open it calls close(4000, "Open connection timeout"), later '
    'close(4000, "Ack message timeout"), or the canister closes with WrongSequenceNumber.'
)
_EFFECTS = ("POLLER_DEAD", "POLLS_REFUSED", *OPENING, *ACKS, *UPWARD, *KEEP_ALIVES, *FORGOTTEN)


@session_rule(
    "OUT_OF_CYCLES",
    sdk=_UNTOLD,
    fix="Top up the canister with cycles (dfx ledger top-up, or dfx canister deposit-cycles), and watch its balance: "
    "below the freezing threshold it executes nothing.",
    source="replica error codes IC0207 and IC0532",
    explains=_EFFECTS,
)
def out_of_cycles(session: SessionFacts) -> Iterator[Evidence]:
    yield from _refused(session, "cycles", "The canister has too few cycles.", polls=True)


@session_rule(
    "INSPECT_MESSAGE",
    sdk=_UNTOLD,
    fix="Let ws_open, ws_message and ws_close pass in canister_inspect_message (Rust) or system func inspect (Motoko).",
    source="interface specification, canister_inspect_message; replica error code IC0406",
    explains=_EFFECTS,
)
def inspect_message(session: SessionFacts) -> Iterator[Evidence]:
    yield from _refused(session, "inspect", "The canister's canister_inspect_message refuses the call.")


@session_rule(
    "NO_REPLY",
    sdk=_UNTOLD,
    fix="Let ws_message reply: in Rust a method with manual_reply has to call reply on every path; in Motoko return "
    "the CDK's result.",
    source="interface specification, ic0.msg_reply; replica error code IC0506",
    explains=_EFFECTS,
)
def no_reply(session: SessionFacts) -> Iterator[Evidence]:
    yield from _refused(session, "no_reply", "The method ended without a reply.")


def _refused(session: SessionFacts, cause: Cause, meaning: str, *, polls: bool = False) -> Iterator[Evidence]:
    """The first call of the client, and with ``polls`` the first poll, that failed for that cause."""
    for decoded, envelope in session.requests:
        call = session.answer(decoded)
        if call is not None and call.failed and cause_of(call) == cause:
            text = f"The gateway relayed {envelope.method_name} (frame {decoded.number}), and {quoted(call)}. {meaning}"
            text += _polls_too(session, cause) if polls else ""
            yield Evidence((decoded.number, *frames_of(call), *session.end_frames), text)
            return
    failed = _failed_polls(session, cause) if polls else []
    if failed:
        text = f"The gateway polled {session.asked_canister}, and {quoted(failed[0])}. {meaning}"
        if _goes_on_after(session, failed[-1]):
            text += f" It recovered: after {count(len(failed), 'such poll')} the client received messages again."
            yield Evidence((*frames_of(failed[0]), *frames_of(failed[-1])), text, severity="info")
        else:
            yield Evidence((*frames_of(failed[0]), *session.end_frames), text)


def _goes_on_after(session: SessionFacts, poll: NetworkCall) -> bool:
    """Whether the client received something after that poll."""
    answered = session.facts.capture.frames[poll.response or poll.request].t
    return any(d.frame.t > answered for d in session.received)


def _failed_polls(session: SessionFacts, cause: Cause) -> list[NetworkCall]:
    fatal = [] if session.fatal_poll is None else [session.fatal_poll]
    return [call for call in (*session.failed_polls, *fatal) if cause_of(call) == cause]


def _polls_too(session: SessionFacts, cause: Cause) -> str:
    failed = _failed_polls(session, cause)
    return f" {len(failed)} of the gateway's polls failed for the same reason." if failed else ""
