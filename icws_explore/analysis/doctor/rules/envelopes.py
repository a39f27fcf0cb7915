"""The client's requests that a replica refuses, by the first reason. Nobody tells the client about a refusal.

If the network's answers are recorded, they decide: a request that the network accepted is good, and one that it
refused is refused for the reason that it gave.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from icws_explore.protocol.constants import INGRESS_DRIFT_S, INGRESS_WINDOW_S, NS_PER_S
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.keys.public_keys import KeyKind, parse_public_key

from ...decode import DecodedFrame
from ..facts import SessionFacts
from ..finding import seconds
from ..network_side import Cause, cause_of, frames_of, quoted
from ..registry import REFUSED, Evidence, session_rule

_UNOPENED: Final = (
    "It is not told about the refusal. Before the session is open it calls "
    'close(4000, "Open connection timeout") after 60 s. Later it calls close(4000, "Ack message timeout"), or the '
    "canister sends a CloseMessage."
)
_LATEST_S: Final = INGRESS_WINDOW_S + INGRESS_DRIFT_S
_RAW_DELTA: Final = 10**12  # nanoseconds since the epoch are a million times as many
_REUSED_S: Final = 61.0  # @dfinity/agent rounds an expiry to the minute, so that requests of one minute share it
_LOCAL_CLOCK: Final = (
    " The network is a local one. Its replica runs in WSL2, a virtual machine or a container, whose clock stops while "
    "the computer sleeps: then the replica's clock is wrong, not the client's."
)
_SCALED_FIX: Final = (
    "The lab's clock is {:g} times as fast as the real one, which no client on the real clock can follow: use one "
    "that goes by the lab's clock, as icws.connect(lab) does, or a lab without --time-scale."
)
_LOCAL_FIX: Final = (
    "Compare both clocks. For a local replica: set its clock (WSL2: wsl --shutdown, or sudo hwclock -s; a virtual "
    "machine or Docker: restart it). Otherwise set the client's clock (NTP)."
)


@session_rule(
    "ANONYMOUS",
    sdk='It refuses to be made with such an identity: "Identity must be a SignIdentity".',
    fix="Sign with a key: an Ed25519 or secp256k1 identity, or a delegation such as Internet Identity's.",
    source="CDK 0.4.1 lib.rs: Anonymous principal is not allowed",
    explains=REFUSED,
)
def anonymous(session: SessionFacts) -> Iterator[Evidence]:
    for decoded, envelope in session.requests:
        call = session.answer(decoded)
        if call is not None and call.outcome == "replied":
            continue  # the canister accepts anonymous clients
        if envelope.sender is not None and envelope.sender.is_anonymous:
            sent = f"The sender of {envelope.method_name or 'the request'} (frame {decoded.number}) is the anonymous"
            unseen = "The canister answers with an Err that the gateway does not forward"
            text = (
                f"{sent} principal 2vxsx-fae. {unseen}."
                if call is None
                else f"{sent} principal 2vxsx-fae, and {quoted(call)}."
            )
            yield Evidence((decoded.number, *frames_of(call)), text)
            return


@session_rule(
    "DELEGATION_DROPPED",
    sdk="Versions up to 0.2.1 have no open time-out; a gateway of their time ends the connection, and onclose gets "
    f"code 1006. {_UNOPENED}",
    fix="Upgrade ic-websocket-js to 0.2.2 or later, which sends sender_delegation.",
    source="forum, IC WebSocket: Stable Release, #13-19",
    explains=("BAD_SIGNATURE", *REFUSED),
)
def delegation_dropped(session: SessionFacts) -> Iterator[Evidence]:
    for decoded, envelope in _unadmitted(session):
        if envelope.sender_delegation or envelope.sender_pubkey is None or not _is_canister_key(envelope.sender_pubkey):
            continue
        if session.facts.has_real_crypto and not _fails_at(session, decoded, "signature", "sender"):
            continue  # the canister itself signed
        text = (
            f"Frame {decoded.number} names the public key of a canister signature, as Internet Identity gives it, but "
            "has no sender_delegation: the session key that signed it has no authority."
        )
        yield _evidence(session, decoded, text)
        return


@session_rule(
    "DELEGATION_EXPIRED",
    sdk=_UNOPENED,
    fix="Log in again before the delegation expires. If it names targets, they have to include this canister.",
    source="interface specification, Authentication; catalogue: inferred",
    explains=("BAD_SIGNATURE", *REFUSED),
)
def delegation_expired(session: SessionFacts) -> Iterator[Evidence]:
    for decoded, envelope in _unadmitted(session):
        for link in envelope.sender_delegation or ():
            left_s = link.delegation.expiration_ns / NS_PER_S - decoded.frame.t
            targets = link.delegation.targets
            if left_s < 0:
                text = f"When frame {decoded.number} was sent, its delegation had expired {seconds(-left_s)} before."
            elif targets is not None and envelope.canister_id is not None and envelope.canister_id not in targets:
                named = ", ".join(str(target) for target in targets[:3]) or "no canister"
                text = (
                    f"The delegation of frame {decoded.number} is only for {named}, and the request goes to "
                    f"{envelope.canister_id}."
                )
            else:
                continue
            yield _evidence(session, decoded, text)
            return
    yield from _as_answered(session, "delegation")


@session_rule(
    "AGENT_V3_EXPIRY",
    sdk='With a WebSocket that gives ArrayBuffers it stops at the handshake: it reports "Uint8Array expected" and '
    'calls close(4000, "Error receiving message"). With one that gives Uint8Arrays, ws_open expires in 1970. '
    f"{_UNOPENED}",
    fix="Pin @dfinity/agent to ^2.3. From 3.0 on it reads no ArrayBuffers, and its Expiry is a duration, which "
    "ic-websocket-js sends as a time.",
    source="@dfinity/agent 3 cbor.ts and transforms.ts; seen with 3.4.3",
    explains=("INGRESS_EXPIRY", *REFUSED),
)
def agent_v3_expiry(session: SessionFacts) -> Iterator[Evidence]:
    handshake = session.handshake
    received = [d for d in session.frames if d.frame.direction == "in" and d.frame.op in ("binary", "text")]
    if received == [handshake] and not session.requests and session.closed_by_client("Error receiving message"):
        assert handshake is not None
        text = (
            f"The gateway's handshake (frame {handshake.number}) is correct, but the client could not read it: it "
            "closed before it sent a request. ic-websocket-js does this with any @dfinity/agent 3."
        )
        yield Evidence((handshake.number, *session.end_frames), text)
        return
    for decoded, envelope in _unadmitted(session):
        expiry = envelope.ingress_expiry_ns
        if expiry is not None and 0 < expiry < _RAW_DELTA:
            text = (
                f"The ingress_expiry of frame {decoded.number} is {expiry}: a duration in milliseconds, where a "
                "replica expects nanoseconds since 1970."
            )
            yield _evidence(session, decoded, text)
            return


class _Expired(NamedTuple):
    """A request whose expiry a replica refuses; ``ahead_s`` is how far ahead of the request's time it is."""

    decoded: DecodedFrame
    expiry_ns: int
    ahead_s: float
    clock_text: str


def _expired(session: SessionFacts) -> _Expired | None:
    """The first request with an expiry that is past or too far ahead, by the best clock that the recording has."""
    fast_s, slow_s = _clock_error_s(session), 0.0
    if session.opened is None and session.is_unanswered:
        slow_s = max(0.0, session.facts.clock_slow_s)
    for decoded, envelope in _unadmitted(session):
        expiry_ns = envelope.ingress_expiry_ns
        if expiry_ns is None:
            continue
        ahead_s = expiry_ns / NS_PER_S - (decoded.frame.t - fast_s + slow_s)
        if 0 <= ahead_s <= _LATEST_S:
            continue
        clock = ""
        if fast_s:
            clock = f" By the time at which the recording began, the client's clock is off by {seconds(fast_s)}."
        elif slow_s:
            left_s = expiry_ns / NS_PER_S - decoded.frame.t
            clock = (
                f" By the certificates of the canister's messages the client's clock is at least {seconds(slow_s)} "
                f"slow, and the request was valid for only {seconds(left_s)}."
            )
        return _Expired(decoded, expiry_ns, ahead_s, clock)
    return None


@session_rule(
    "INGRESS_EXPIRY",
    sdk=f'{_UNOPENED} The gateway logs "Specified ingress_expiry not within expected range".',
    fix="Set the client's clock (NTP): the SDK does not correct it by the network's time.",
    source="dfinity/icp-js-core#491",
    explains=REFUSED,
)
def ingress_expiry(session: SessionFacts) -> Iterator[Evidence]:
    expired = _expired(session)
    if expired is None:
        more = " By the recorder's clock the expiry was right"
        more += f".{_LOCAL_CLOCK}" if session.facts.is_local else ", so that clock is wrong as well."
        if any(cause_of(poll) == "expiry" for poll in session.failed_polls):
            more += " The network refused the gateway's polls for the same reason."
        yield from _as_answered(session, "expiry", more, fix=_LOCAL_FIX if session.facts.is_local else None)
        return
    number = expired.decoded.number
    if expired.ahead_s < 0:
        text = f"When frame {number} was sent, its ingress_expiry was {seconds(-expired.ahead_s)} in the past."
    else:
        text = (
            f"The ingress_expiry of frame {number} is {seconds(expired.ahead_s)} ahead; a replica accepts at most "
            f"{_LATEST_S:.0f} s."
        )
    clock = session.facts.capture.info.clock
    fix = _SCALED_FIX.format(clock.scale) if clock.kind == "scaled" else None
    yield replace(_evidence(session, expired.decoded, text + expired.clock_text), fix=fix)


@session_rule(
    "EXPIRY_REUSED",
    sdk="It computes a new expiry for each request.",
    fix="Compute ingress_expiry anew for each request: the current time plus at most five minutes.",
    source="interface specification, Authentication; custom clients",
    explains=("INGRESS_EXPIRY", *REFUSED),
)
def expiry_reused(session: SessionFacts) -> Iterator[Evidence]:
    expired = _expired(session)
    if expired is None or expired.ahead_s >= 0:
        return
    for decoded, envelope in session.requests:
        if decoded.number >= expired.decoded.number:
            return
        apart_s = expired.decoded.frame.t - decoded.frame.t
        if envelope.ingress_expiry_ns == expired.expiry_ns and apart_s > _REUSED_S:
            text = (
                f"Frame {expired.decoded.number} has the same ingress_expiry as frame {decoded.number}, which was sent "
                f"{seconds(apart_s)} earlier. It had expired {seconds(-expired.ahead_s)} before the request was sent."
            )
            yield _evidence(session, expired.decoded, text)
            return


@session_rule(
    "BAD_SIGNATURE",
    sdk=_UNOPENED,
    fix="Sign exactly what is sent, with the key that is sent: the content must not change after signing.",
    source="interface specification, Authentication",
    explains=REFUSED,
)
def bad_signature(session: SessionFacts) -> Iterator[Evidence]:
    for decoded, _ in _unadmitted(session):
        if (failed := _fails_at(session, decoded, "request_id", "sender", "signature", "delegation")) is not None:
            yield _evidence(session, decoded, f"A replica refuses frame {decoded.number} at the step {failed}.")
            return
    yield from _as_answered(session, "signature")


def _unadmitted(session: SessionFacts) -> Iterator[tuple[DecodedFrame, Envelope]]:
    """The requests that the network is not known to have accepted."""
    return ((decoded, envelope) for decoded, envelope in session.requests if not session.is_admitted(decoded))


def _evidence(session: SessionFacts, decoded: DecodedFrame, text: str) -> Evidence:
    """The evidence, with the network's answer if that is recorded."""
    call = session.answer(decoded)
    if call is not None and call.failed:
        text += f" The answer confirms it: {quoted(call)}."
    return Evidence((decoded.number, *frames_of(call)), text)


def _as_answered(session: SessionFacts, cause: Cause, more: str = "", *, fix: str | None = None) -> Iterator[Evidence]:
    """A request that looks good here and that the network refused for that cause."""
    for decoded, _ in session.requests:
        call = session.answer(decoded)
        if call is not None and call.outcome == "refused" and cause_of(call) == cause:
            text = f"The gateway relayed frame {decoded.number}, and {quoted(call)}.{more}"
            yield Evidence((decoded.number, *frames_of(call)), text, fix=fix)
            return


def _fails_at(session: SessionFacts, decoded: DecodedFrame, *steps: str) -> str | None:
    """The first of those steps that fails, with its detail."""
    if session.altered_request is not None:
        return None
    verdict = session.facts.envelope_verdicts.get(decoded.number)
    failed = [step for step in (verdict.steps if verdict else ()) if step.ok is False and step.step in steps]
    return f"{failed[0].step.replace('_', ' ')}: {failed[0].detail}" if failed else None


def _is_canister_key(public_key_der: bytes) -> bool:
    try:
        return parse_public_key(public_key_der).kind is KeyKind.CANISTER
    except DecodeError:
        return False


def _clock_error_s(session: SessionFacts) -> float:
    """How far the clock of the frames is ahead of the clock that started the recording (s), if it is another clock.

    Frames from before the recording's start have a slow clock. A fast clock shows only if the first session is
    known to begin with the recording, as in a simulation. The clock of a session that opened was right enough,
    and such a session need not have begun with the recording.
    """
    info = session.facts.capture.info
    if info.started_at is None or session.opened is not None or session.name != session.facts.sessions[0].name:
        return 0.0
    try:
        error_s = session.began - datetime.fromisoformat(info.started_at).timestamp()
    except ValueError:
        return 0.0
    is_meaningful = error_s < 0 or info.origin == "simulated"
    return error_s if is_meaningful and abs(error_s) > INGRESS_DRIFT_S else 0.0
