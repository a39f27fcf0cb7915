"""The client gave up waiting for an AckMessage: the canister sent none, sent it too late, or it did not arrive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from icws_explore.protocol.service_messages import AckMessage

from ..ack_wait import (
    BOUND_S,
    DEFAULT_S,
    Wait,
    acked_before,
    acked_beside,
    acked_meanwhile,
    expected_s,
    is_answer_missing,
    least_interval_s,
    spacing_s,
    unnoticed_wait,
    wait_of,
    withheld,
)
from ..facts import TOLERANCE_S, SessionFacts, made_apart_s
from ..finding import RECORD_NETWORK, Severity, count, numbers, seconds
from ..network_side import RECORD_POLLS
from ..registry import DOWNWARD, Evidence, session_rule

OLD_TIMEOUT_S: Final = 90.0  # ic-websocket-js up to 0.3.0
_SDK: Final = (
    'It reports "Ack message timeout. Not received ack for sequence numbers: …" and calls '
    'close(4000, "Ack message timeout").'
)
_UNNOTICED: Final = f"It waits for acks from its first message on. Then: {_SDK[0].lower()}{_SDK[1:]}"


@session_rule(
    "NO_ACKS",
    sdk=_SDK,
    fix="Motoko: call ws.init<system>() in the canister's body (CDK 0.4.0 or later). Rust: call init in post_upgrade "
    "as well as in init. Without that call no timer sends acks.",
    source="ic-websocket-sdk-js#8; cause inferred",
)
def no_acks(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "NO_ACKS")
    yield from _unnoticed(session)


@session_rule(
    "ACK_INTERVAL_MISMATCH",
    sdk=_SDK,
    fix="Set the client's ackMessageIntervalMs to the canister's send_ack_interval_ms.",
    source="forum, IC WebSocket: Stable Release, #35",
)
def ack_interval_mismatch(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "ACK_INTERVAL_MISMATCH")


@session_rule(
    "ACK_DEFAULTS_SKEW",
    sdk=f"Versions up to 0.3.0 wait for 90 s. {_SDK}",
    fix="Upgrade ic-websocket-js: CDKs from 0.3.1 on send acks every 300 s.",
    source="ic-websocket-js 0.3.0 ic-websocket.ts; CDK 0.3.1",
)
def ack_defaults_skew(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "ACK_DEFAULTS_SKEW")


@session_rule(
    "ACKS_WITHHELD",
    sdk=f"{_SDK} If other messages still arrive, it notices the gap in their sequence numbers first.",
    fix="Do not trust the gateway or what is in front of it. Try the same canister through another gateway.",
    source="ic-websocket-js 0.5.0 queues.ts",
    explains=DOWNWARD,
)
def acks_withheld(session: SessionFacts) -> Iterator[Evidence]:
    yield from _of_cause(session, "ACKS_WITHHELD")
    yield from _unnoticed_withheld(session)


@session_rule(
    "ACK_TOO_HIGH",
    sdk='It reports "Ack message error: Sequence number X is greater than last: Y" and calls '
    'close(4000, "Ack message error").',
    fix="Correct the count in the custom canister or client: an ack names the last number that the canister received.",
    source="ic-websocket-js 0.5.0 queues.ts",
)
def ack_too_high(session: SessionFacts) -> Iterator[Evidence]:
    if session.open_request is None:
        return  # the client may have sent more before the recording began
    for ack in session.acks:
        assert isinstance(ack.service, AckMessage)
        if not session.reaches_sdk(ack):
            return
        highest = session.highest_sent(ack)
        if ack.service.last_incoming_sequence_num > highest:
            text = (
                f"The AckMessage of frame {ack.number} is for number {ack.service.last_incoming_sequence_num}, but the "
                f"highest number that the client had sent is {highest}."
            )
            yield Evidence((ack.number, *session.end_frames), text)
            return


def _unnoticed(session: SessionFacts) -> Iterator[Evidence]:
    """Only a hint if the recording does not say at which interval the client expects acks."""
    wait = unnoticed_wait(session)
    if wait is None or withheld(session, wait) is not None or acked_beside(session, wait) is not None:
        return
    text = (
        f"No AckMessage came in the {seconds(wait.waited_s)} after the OpenMessage (frame {wait.start.number}). CDKs "
        f"send one to every client, every {seconds(DEFAULT_S)} by default, even if the client sends nothing. "
    )
    until = wait.start.frame.t + wait.waited_s
    if not session.sent:
        text += "This client sent nothing, so it waited for none."
    elif (began_s := until - session.sent[0].frame.t) > session.ack_interval_s + BOUND_S:
        text += f"This client did not give up, although {numbers(wait.unacked)} waited for one."
    else:
        text += f"This client began to wait {seconds(began_s)} before the end, with its first message."
    text += f" A canister whose interval is longer than {seconds(wait.waited_s)} (ACK_INTERVAL_MISMATCH) looks the same"
    if not wait.arrived or wait.arrived[-1].frame.t - wait.start.frame.t <= DEFAULT_S:
        text += (
            ", and so do a canister that forgot its clients in an upgrade (UPGRADE_WIPE) and a gateway that passes no "
            f"acks on (ACKS_WITHHELD): no message followed that would show a gap.{_next_time(session)}"
        )
    else:
        text += "."
    severity: Severity = "info" if session.configured_interval_s is None else "warning"
    yield Evidence((wait.start.number, *session.end_frames), text, severity=severity, sdk=_UNNOTICED)


def _unnoticed_withheld(session: SessionFacts) -> Iterator[Evidence]:
    wait = unnoticed_wait(session)
    if wait is None:
        return
    if (evidence := withheld(session, wait)) is not None:
        yield replace(evidence, sdk=_UNNOTICED)
    elif (other := acked_beside(session, wait)) is not None:
        text = (
            f"No AckMessage came in the {seconds(wait.waited_s)} after the OpenMessage (frame {wait.start.number}). "
            f"Meanwhile session {other.frame.session} of the same canister received one (frame {other.number}). A "
            "canister that was upgraded before that session opened (UPGRADE_WIPE), or in which the same principal "
            f"opened another session (PRINCIPAL_TAKEOVER), looks the same to one client.{_next_time(session)}"
        )
        frames = (wait.start.number, other.number, *session.end_frames)
        yield Evidence(frames, text, severity="warning", sdk=_UNNOTICED)


def _of_cause(session: SessionFacts, rule: str) -> Iterator[Evidence]:
    wait = wait_of(session)
    if wait is None:
        return
    evidence = withheld(session, wait)
    if evidence is not None:
        if rule == "ACKS_WITHHELD":
            yield evidence
        return
    cause, text = _never_acked(session, wait) if not session.acks else _acks_stopped(session, wait)
    if cause == rule:
        yield Evidence((wait.start.number, *session.end_frames), text)


def _never_acked(session: SessionFacts, wait: Wait) -> tuple[str, str]:
    """No ack ever came: the rule's id and the explanation."""
    text = (
        f"No AckMessage came in {seconds(wait.waited_s)} from the first message on (frame {wait.start.number}); "
        f"{numbers(wait.unacked)} waited for one"
    )
    text += (
        f". Meanwhile {count(len(wait.arrived), 'other canister message')} came, without a gap."
        if wait.arrived
        else "."
    )
    configured = session.configured_interval_s
    late_s = wait.waited_s - OLD_TIMEOUT_S  # a timer may fire late when the machine is busy, never early
    is_old = -TOLERANCE_S <= late_s <= max(TOLERANCE_S, session.facts.jitter_s)
    if is_old and configured in (None, DEFAULT_S):
        text += " 90 s is the time-out of ic-websocket-js up to 0.3.0."
        if configured is None:
            text += (
                " It is also the time-out if ackMessageIntervalMs is 60 000 (ACK_INTERVAL_MISMATCH): check which "
                "version is bundled."
            )
        return "ACK_DEFAULTS_SKEW", text
    spacing = spacing_s(session)
    if spacing is not None and spacing > wait.waited_s:
        return "ACK_INTERVAL_MISMATCH", f"{text} Other sessions received one every {seconds(spacing)}."
    open_s = 0.0 if session.opened is None else session.last - session.opened.frame.t
    expected = expected_s(session, wait)
    if expected < DEFAULT_S and open_s < DEFAULT_S + BOUND_S:
        return "ACK_INTERVAL_MISMATCH", (
            f"{text} So the client expects one every {seconds(expected)} (it waits {seconds(BOUND_S)} longer). CDKs "
            f"send them every {seconds(DEFAULT_S)} by default. A canister that never sends any (NO_ACKS) looks the "
            "same until then: record for longer, or look at its configuration."
        )
    last_s = wait.arrived[-1].frame.t - wait.start.frame.t if wait.arrived else 0.0
    if last_s < DEFAULT_S and is_answer_missing(session) and (other := acked_before(session, wait)) is not None:
        return "ACKS_WITHHELD", (
            f"{text} Then nothing came for {seconds(wait.waited_s - last_s)}, and a message stayed unanswered. The "
            f"canister does send acks: session {other.frame.session} received one (frame {other.number}). A canister "
            f"that was upgraded since and forgot its clients (UPGRADE_WIPE) looks the same.{_next_time(session)}"
        )
    if not wait.arrived and session.received and len(wait.unacked) > 1:
        text += " Nothing else came either, so UPGRADE_WIPE and ACKS_WITHHELD are possible as well."
        return "NO_ACKS", text + _next_time(session)
    text += (
        f" A canister whose interval is longer than {seconds(wait.waited_s)} (ACK_INTERVAL_MISMATCH) looks the same "
        "until then: look at its configuration."
    )
    if last_s < DEFAULT_S:
        last = f"the last one came {seconds(last_s)} after the first was sent" if wait.arrived else "none came"
        text += (
            " A gateway that withholds the ack (ACKS_WITHHELD) looks the same as well: only a message that follows the "
            f"ack shows the gap, and {last}. So does a canister that forgot its clients in an upgrade (UPGRADE_WIPE)."
            f"{_next_time(session)}"
        )
    return "NO_ACKS", text


def _acks_stopped(session: SessionFacts, wait: Wait) -> tuple[str, str]:
    """Acks came, and then no more: the rule's id and the explanation."""
    expected, spacing = expected_s(session, wait), spacing_s(session)
    acks = f"{len(session.acks)} acks, the last" if len(session.acks) > 1 else "an ack"
    text = (
        f"After {acks} in frame {wait.start.number}, none came for {seconds(wait.waited_s)}; "
        f"{numbers(wait.unacked) or 'nothing'} waited for one."
    )
    if spacing is not None and spacing > wait.waited_s:
        return "ACK_INTERVAL_MISMATCH", (
            f"{text} The canister sends one every {seconds(spacing)}. The client expects one every "
            f"{seconds(expected)} and waits {seconds(BOUND_S)} longer."
        )
    if spacing is None and (least := least_interval_s(session)) > wait.waited_s:
        return "ACK_INTERVAL_MISMATCH", (
            f"{text} The first ack was made {seconds(least)} after the OpenMessage, so the canister's interval is at "
            f"least that long. The client expects one every {seconds(expected)} and waits {seconds(BOUND_S)} longer."
        )
    if wait.arrived and made_apart_s(wait.start, wait.arrived[-1]) > expected + TOLERANCE_S:
        return "ACK_INTERVAL_MISMATCH", (
            f"{text} Meanwhile {count(len(wait.arrived), 'other message')} came without a gap, so no ack was withheld: "
            f"the canister's interval is longer than the client's {seconds(expected)}."
        )
    if spacing is None and expected < DEFAULT_S and not is_answer_missing(session):
        return "ACK_INTERVAL_MISMATCH", (
            f"{text} So the client expects one every {seconds(expected)} (it waits {seconds(BOUND_S)} longer). CDKs "
            f"send them every {seconds(DEFAULT_S)} by default. Acks that the gateway withholds (ACKS_WITHHELD) look "
            "the same: look at the canister's configuration."
        )
    regular = "" if spacing is None else f" Before that, they came every {seconds(spacing)}."
    if (other := acked_meanwhile(session, wait)) is not None:
        regular += (
            f" {_last_arrival(wait)} Meanwhile session {other.frame.session} of the same canister received an ack "
            f"(frame {other.number}). If the same principal opened another session that is not recorded "
            "(PRINCIPAL_TAKEOVER), it"
        )
    else:
        regular += f" {_last_arrival(wait)} A canister that was upgraded and forgot its clients (UPGRADE_WIPE)"
    return "ACKS_WITHHELD", f"{text}{regular} looks the same to one client.{_next_time(session)}"


def _last_arrival(wait: Wait) -> str:
    if not wait.arrived:
        return "Nothing else came either."
    after = seconds(wait.arrived[-1].frame.t - wait.start.frame.t)
    return f"Only {count(len(wait.arrived), 'other message')} came, the last {after} after the ack."


def _next_time(session: SessionFacts) -> str:
    """What to record to tell a silent canister from a gateway that passes nothing on."""
    if session.has_network_side:
        return f" {RECORD_POLLS}"
    return f" {RECORD_NETWORK} A second session through another gateway tells as well."
