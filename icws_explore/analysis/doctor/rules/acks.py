"""The client gave up waiting for an AckMessage: did the canister send none, too late, or did none arrive?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from icws_explore.protocol.constants import ACK_INTERVAL_MS, LATENCY_BOUND_MS, NS_PER_S
from icws_explore.protocol.service_messages import AckMessage

from ...decode import DecodedFrame
from ..facts import TOLERANCE_S, SessionFacts
from ..polls import RECORD_POLLS
from ..registry import Evidence, session_rule
from ..wording import RECORD_NETWORK, numbers, seconds

DEFAULT_S: Final = ACK_INTERVAL_MS / 1000
BOUND_S: Final = LATENCY_BOUND_MS / 1000
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


class _Wait(NamedTuple):
    """The wait that ended the session. ``start`` is what started the SDK's timer: an ack, or the first message."""

    start: DecodedFrame
    waited_s: float
    unacked: list[int]
    arrived: list[DecodedFrame]  # canister messages during the wait


def _of_cause(session: SessionFacts, rule: str) -> Iterator[Evidence]:
    wait = _wait(session)
    if wait is None:
        return
    withheld = _withheld(session, wait)
    if withheld is not None:
        if rule == "ACKS_WITHHELD":
            yield withheld
        return
    cause, told = _unacked(session, wait) if not session.acks else _stopped(session, wait)
    if cause == rule:
        yield Evidence((wait.start.number, *session.end_frames), told)


def _withheld(session: SessionFacts, wait: _Wait) -> Evidence | None:
    """By the recorded polls: the canister spoke to the client, and the gateway passed nothing of it on."""
    heard = max((d.sequence_num or 0 for d in session.received), default=0)
    until = session.last - TOLERANCE_S  # what came later may have been under way
    given = [it for it in session.given if (it.sequence_num or 0) > heard and it.t < until]
    if not given:
        return None
    count = f"{len(given)} messages" if len(given) > 1 else "a message"
    told = (
        f"The client waited {seconds(wait.waited_s)} for an ack. Meanwhile the canister gave the gateway {count} for "
        f"it, numbers {numbers([it.sequence_num or 0 for it in given])} (frame {given[0].frame} first), and none "
        "arrived: the gateway withheld them."
    )
    return Evidence((wait.start.number, given[0].frame, *session.end_frames), told)


def silent_canister(session: SessionFacts) -> Evidence | None:
    """By the recorded polls: acks came, then the canister had nothing for the client any more (UPGRADE_WIPE)."""
    wait = _wait(session)
    if wait is None or not session.acks or wait.arrived or _withheld(session, wait) is not None:
        return None
    if session.end is None or not session.polls_are_recorded(wait.start.frame.t, session.end.frame.t):
        return None
    told = (
        f"After {len(session.acks)} acks nothing came for {seconds(wait.waited_s)}, and in all polls of that time the "
        "canister had nothing for this client: it forgot it, as it does when it is upgraded or installed again."
    )
    return Evidence((wait.start.number, *session.end_frames), told, (session.name,))


def _wait(session: SessionFacts) -> _Wait | None:
    if not session.closed_by_client("Ack message timeout") or session.end is None:
        return None
    started = session.acks[-1:] or session.sent[:1]
    if not started:
        return None
    start = started[0]
    acked = 0
    if isinstance(start.service, AckMessage):
        acked = start.service.last_incoming_sequence_num
    unacked = [d.sequence_num for d in session.sent if d.sequence_num is not None and d.sequence_num > acked]
    arrived = [d for d in session.received if d.number > start.number]
    return _Wait(start, session.end.frame.t - start.frame.t, unacked, arrived)


def _unacked(session: SessionFacts, wait: _Wait) -> tuple[str, str]:
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
    spacing = _spacing_s(session)
    if spacing is not None and spacing > wait.waited_s:
        return "ACK_INTERVAL_MISMATCH", f"{told} Other sessions got one every {seconds(spacing)}."
    open_s = 0.0 if session.opened is None else session.last - session.opened.frame.t
    expected_s = _expected_s(session, wait)
    if expected_s < DEFAULT_S and open_s < DEFAULT_S + BOUND_S:
        return "ACK_INTERVAL_MISMATCH", (
            f"{told} So the client expects one every {seconds(expected_s)} (it waits {seconds(BOUND_S)} more); CDKs "
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


def _stopped(session: SessionFacts, wait: _Wait) -> tuple[str, str]:
    """Acks came, and then no more."""
    expected_s, spacing = _expected_s(session, wait), _spacing_s(session)
    acks = f"{len(session.acks)} acks, the last" if len(session.acks) > 1 else "an ack"
    told = (
        f"After {acks} in frame {wait.start.number}, none came for {seconds(wait.waited_s)}; "
        f"{numbers(wait.unacked) or 'nothing'} waited for one."
    )
    if spacing is not None and spacing > wait.waited_s:
        return "ACK_INTERVAL_MISMATCH", (
            f"{told} The canister sends one every {seconds(spacing)}, the client expects one every "
            f"{seconds(expected_s)} and waits for {seconds(BOUND_S)} more."
        )
    if wait.arrived and _made_apart_s(wait.start, wait.arrived[-1]) > expected_s + TOLERANCE_S:
        return "ACK_INTERVAL_MISMATCH", (
            f"{told} Meanwhile {len(wait.arrived)} other messages came without a gap, so that none was withheld: the "
            f"canister's interval is longer than the client's {seconds(expected_s)}."
        )
    if spacing is None and expected_s < DEFAULT_S:
        return "ACK_INTERVAL_MISMATCH", (
            f"{told} So the client expects one every {seconds(expected_s)} (it waits {seconds(BOUND_S)} more); CDKs "
            f"send them every {seconds(DEFAULT_S)} unless told otherwise. Acks that the gateway withholds "
            "(ACKS_WITHHELD) would look the same: look at the canister's configuration."
        )
    regular = "" if spacing is None else f" Before, they came every {seconds(spacing)}."
    if (other := _acked_meanwhile(session, wait)) is not None:
        regular += (
            f" {_last_words(wait)} Meanwhile session {other.frame.session} of the same canister got its own (frame "
            f"{other.number}). Where the same principal opened another session that is not recorded "
            "(PRINCIPAL_TAKEOVER), it"
        )
    else:
        regular += f" {_last_words(wait)} A canister that was upgraded and forgot its clients (UPGRADE_WIPE)"
    return "ACKS_WITHHELD", f"{told}{regular} looks the same to one client.{_next_time(session)}"


def _acked_meanwhile(session: SessionFacts, wait: _Wait) -> DecodedFrame | None:
    """An ack that another session of the canister got during the wait: the canister has not forgotten everybody."""
    end = wait.start.frame.t + wait.waited_s
    others = [it for it in session.whole.sessions if it is not session and it.asked_canister == session.asked_canister]
    acks = (ack for it in others for ack in it.acks)
    return next((ack for ack in acks if wait.start.frame.t + TOLERANCE_S < ack.frame.t < end), None)


def _expected_s(session: SessionFacts, wait: _Wait) -> float:
    """How often the client expects an ack: as configured, or less if it gave up before that was over.

    Its timer may be late and is never early. A wait that is shorter than the bound was ended by an ack
    that came too late for what it left open, and tells nothing.
    """
    shown_s = wait.waited_s - BOUND_S
    if shown_s <= TOLERANCE_S or shown_s > session.ack_interval_s - TOLERANCE_S:
        return session.ack_interval_s
    return shown_s


def _last_words(wait: _Wait) -> str:
    if not wait.arrived:
        return "Nothing else came either."
    count = f"{len(wait.arrived)} other messages" if len(wait.arrived) > 1 else "one other message"
    return f"Only {count} came, the last {seconds(wait.arrived[-1].frame.t - wait.start.frame.t)} after the ack."


def _next_time(session: SessionFacts) -> str:
    """What tells whether the canister said nothing or the gateway passed nothing on."""
    if session.has_network_side:
        return f" {RECORD_POLLS}"
    return f" {RECORD_NETWORK} A second session, through another gateway, tells too."


def _made_apart_s(one: DecodedFrame, other: DecodedFrame) -> float:
    """Between two canister messages by the canister's own clock, whatever their ways took."""
    if one.message is None or other.message is None:
        return 0.0
    return (other.message.timestamp_ns - one.message.timestamp_ns) / NS_PER_S


def _spacing_s(session: SessionFacts) -> float | None:
    """The canister's ack interval as its own timestamps show it, in this session or in another one."""
    gaps = [
        _made_apart_s(one, other)
        for each in session.whole.sessions
        if each.asked_canister == session.asked_canister
        for one, other in pairwise(each.acks)
    ]
    return min(gaps) if gaps else None
