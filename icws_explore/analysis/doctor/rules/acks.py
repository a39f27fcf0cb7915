"""The client gave up waiting for an AckMessage: did the canister send none, too late, or did none arrive?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.service_messages import AckMessage

from ..facts import TOLERANCE_S, SessionFacts
from ..finding import RECORD_NETWORK, numbers, seconds
from ..network_side import RECORD_POLLS
from ..registry import Evidence, session_rule
from ..waits import BOUND_S, DEFAULT_S, Wait, acked_meanwhile, expected_s, made_apart_s, spacing_s, wait_of, withheld

OLD_TIMEOUT_S: Final = 90.0  # ic-websocket-js up to 0.3.0
_SDK: Final = (
    '"Ack message timeout. Not received ack for sequence numbers: …", then close(4000, "Ack message timeout").'
)


@session_rule(
    "NO_ACKS",
    sdk=_SDK,
    fix="Motoko: call ws.init<system>() in the canister's body, from CDK 0.4.0 on; Rust: call init in post_upgrade as "
    "well as in init. Without it there is no timer that sends acks.",
    source="ic-websocket-sdk-js#8; cause inferred",
)
def no_acks(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "NO_ACKS")


@session_rule(
    "ACK_INTERVAL_MISMATCH",
    sdk=_SDK,
    fix="Make the client's ackMessageIntervalMs equal to the canister's send_ack_interval_ms.",
    source="forum, IC WebSocket: Stable Release, #35",
)
def ack_interval_mismatch(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "ACK_INTERVAL_MISMATCH")


@session_rule(
    "ACK_DEFAULTS_SKEW",
    sdk=f"Up to 0.3.0 it waits for 90 s. {_SDK}",
    fix="Upgrade ic-websocket-js: CDKs from 0.3.1 on send acks every 300 s.",
    source="ic-websocket-js 0.3.0 ic-websocket.ts; CDK 0.3.1",
)
def ack_defaults_skew(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "ACK_DEFAULTS_SKEW")


@session_rule(
    "ACKS_WITHHELD",
    sdk=f"{_SDK} Where other messages still arrive, their numbers give the gap away first.",
    fix="Distrust the gateway, or whatever stands in front of it; try the same canister through another one.",
    source="ic-websocket-js 0.5.0 queues.ts",
    explains=("SEQUENCE_GAP_DOWN",),
)
def acks_withheld(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "ACKS_WITHHELD")


@session_rule(
    "ACK_TOO_HIGH",
    sdk='"Ack message error: Sequence number X is greater than last: Y", then close(4000, "Ack message error").',
    fix="A custom canister or client counts wrong: an ack is for the last number that the canister received.",
    source="ic-websocket-js 0.5.0 queues.ts",
)
def ack_too_high(session: SessionFacts) -> Iterator[Evidence]:
    if session.open_request is None:
        return  # it may have sent more before the recording began
    for ack in session.acks:
        assert isinstance(ack.service, AckMessage)
        if not session.is_heeded(ack):
            return
        sent = [d.sequence_num or 0 for d in session.sent if d.number < ack.number]
        if ack.service.last_incoming_sequence_num > max(sent, default=0):
            told = (
                f"The AckMessage of frame {ack.number} is for {ack.service.last_incoming_sequence_num}, but the client "
                f"had sent no more than {max(sent, default=0)}."
            )
            yield Evidence((ack.number, *session.end_frames), told)
            return


def _of_cause(session: SessionFacts, rule: str) -> Iterator[Evidence]:
    wait = wait_of(session)
    if wait is None:
        return
    evidence = withheld(session, wait)
    if evidence is not None:
        if rule == "ACKS_WITHHELD":
            yield evidence
        return
    cause, told = _unacked(session, wait) if not session.acks else _stopped(session, wait)
    if cause == rule:
        yield Evidence((wait.start.number, *session.end_frames), told)


def _unacked(session: SessionFacts, wait: Wait) -> tuple[str, str]:
    """No ack ever came."""
    told = (
        f"No AckMessage came in {seconds(wait.waited_s)} from the first message on (frame {wait.start.number}), though "
        f"{numbers(wait.unacked)} waited for one"
    )
    told += f" and {len(wait.arrived)} other canister messages came, without a gap." if wait.arrived else "."
    configured = session.configured_interval_s
    late_s = wait.waited_s - OLD_TIMEOUT_S  # a timer is late in a busy moment, never early
    is_old = -TOLERANCE_S <= late_s <= max(TOLERANCE_S, session.whole.jitter_s)
    if is_old and configured in (None, DEFAULT_S):
        told += " 90 s are the time-out of ic-websocket-js up to 0.3.0."
        if configured is None:
            told += (
                " So are they where ackMessageIntervalMs is 60 000 (ACK_INTERVAL_MISMATCH): look at the version that "
                "is bundled."
            )
        return "ACK_DEFAULTS_SKEW", told
    spacing = spacing_s(session)
    if spacing is not None and spacing > wait.waited_s:
        return "ACK_INTERVAL_MISMATCH", f"{told} Other sessions got one every {seconds(spacing)}."
    open_s = 0.0 if session.opened is None else session.last - session.opened.frame.t
    expected = expected_s(session, wait)
    if expected < DEFAULT_S and open_s < DEFAULT_S + BOUND_S:
        return "ACK_INTERVAL_MISMATCH", (
            f"{told} So the client expects one every {seconds(expected)} (it waits {seconds(BOUND_S)} more); CDKs "
            f"send them every {seconds(DEFAULT_S)} unless told otherwise. A canister that never sends any (NO_ACKS) "
            "looks the same until then: record for longer, or look at its configuration."
        )
    if not wait.arrived and session.received and len(wait.unacked) > 1:
        told += " Nothing else came either, so that UPGRADE_WIPE and ACKS_WITHHELD are possible too."
        return "NO_ACKS", told + _next_time(session)
    told += (
        f" A canister whose interval is longer than {seconds(wait.waited_s)} (ACK_INTERVAL_MISMATCH) looks the same "
        "until then: look at its configuration."
    )
    last_s = wait.arrived[-1].frame.t - wait.start.frame.t if wait.arrived else 0.0
    if last_s < DEFAULT_S:
        told += (
            f" So does a gateway that withholds an ack (ACKS_WITHHELD): the last message came {seconds(last_s)} after "
            f"the first was sent, and only one behind the ack would show the gap.{_next_time(session)}"
        )
    return "NO_ACKS", told


def _stopped(session: SessionFacts, wait: Wait) -> tuple[str, str]:
    """Acks came, and then no more."""
    expected, spacing = expected_s(session, wait), spacing_s(session)
    acks = f"{len(session.acks)} acks, the last" if len(session.acks) > 1 else "an ack"
    told = (
        f"After {acks} in frame {wait.start.number}, none came for {seconds(wait.waited_s)}; "
        f"{numbers(wait.unacked) or 'nothing'} waited for one."
    )
    if spacing is not None and spacing > wait.waited_s:
        return "ACK_INTERVAL_MISMATCH", (
            f"{told} The canister sends one every {seconds(spacing)}, the client expects one every "
            f"{seconds(expected)} and waits for {seconds(BOUND_S)} more."
        )
    if wait.arrived and made_apart_s(wait.start, wait.arrived[-1]) > expected + TOLERANCE_S:
        return "ACK_INTERVAL_MISMATCH", (
            f"{told} Meanwhile {len(wait.arrived)} other messages came without a gap, so that none was withheld: the "
            f"canister's interval is longer than the client's {seconds(expected)}."
        )
    if spacing is None and expected < DEFAULT_S:
        return "ACK_INTERVAL_MISMATCH", (
            f"{told} So the client expects one every {seconds(expected)} (it waits {seconds(BOUND_S)} more); CDKs "
            f"send them every {seconds(DEFAULT_S)} unless told otherwise. Acks that the gateway withholds "
            "(ACKS_WITHHELD) would look the same: look at the canister's configuration."
        )
    regular = "" if spacing is None else f" Before, they came every {seconds(spacing)}."
    if (other := acked_meanwhile(session, wait)) is not None:
        regular += (
            f" {_last_words(wait)} Meanwhile session {other.frame.session} of the same canister got its own (frame "
            f"{other.number}). Where the same principal opened another session that is not recorded "
            "(PRINCIPAL_TAKEOVER), it"
        )
    else:
        regular += f" {_last_words(wait)} A canister that was upgraded and forgot its clients (UPGRADE_WIPE)"
    return "ACKS_WITHHELD", f"{told}{regular} looks the same to one client.{_next_time(session)}"


def _last_words(wait: Wait) -> str:
    if not wait.arrived:
        return "Nothing else came either."
    count = f"{len(wait.arrived)} other messages" if len(wait.arrived) > 1 else "one other message"
    return f"Only {count} came, the last {seconds(wait.arrived[-1].frame.t - wait.start.frame.t)} after the ack."


def _next_time(session: SessionFacts) -> str:
    """What tells whether the canister said nothing or the gateway passed nothing on."""
    if session.has_network_side:
        return f" {RECORD_POLLS}"
    return f" {RECORD_NETWORK} A second session, through another gateway, tells too."
