"""The client's requests: what a replica refuses, judged by the first that it does. Nobody tells the client.

Where the network's answers are recorded they decide: what it took up is not to blame, and what it
refused is, in its own words.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

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
    'Nobody tells it of the refusal. Before the session is open: close(4000, "Open connection timeout") after 60 s; '
    'later, close(4000, "Ack message timeout") or the canister\'s CloseMessage.'
)
_LATEST_S: Final = INGRESS_WINDOW_S + INGRESS_DRIFT_S
_RAW_DELTA: Final = 10**12  # ns since the epoch are a million times as many


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
            continue  # a canister that takes anybody
        if envelope.sender is not None and envelope.sender.is_anonymous:
            sent = (
                f"{envelope.method_name or 'the request'} (frame {decoded.number}) is sent by the anonymous principal"
            )
            unseen = "which the canister answers with an Err that the gateway does not forward"
            told = f"{sent} 2vxsx-fae, {unseen}." if call is None else f"{sent} 2vxsx-fae, and {quoted(call)}."
            yield Evidence((decoded.number, *frames_of(call)), told)
            return


@session_rule(
    "DELEGATION_DROPPED",
    sdk="Up to 0.2.1 it has no open time-out; a gateway of its time ends the connection: onclose with code 1006. "
    f"{_UNOPENED}",
    fix="Upgrade ic-websocket-js to 0.2.2 or later, which sends sender_delegation.",
    source="forum, IC WebSocket: Stable Release, #13-19",
    explains=("BAD_SIGNATURE", *REFUSED),
)
def delegation_dropped(session: SessionFacts) -> Iterator[Evidence]:
    for decoded, envelope in _unadmitted(session):
        if envelope.sender_delegation or envelope.sender_pubkey is None or not _is_canister_key(envelope.sender_pubkey):
            continue
        if session.whole.is_judged and not _fails_at(session, decoded, "signature", "sender"):
            continue  # a canister signature in its own right
        told = (
            f"Frame {decoded.number} names the public key of a canister signature, as Internet Identity gives it, but "
            "carries no sender_delegation: the session key that signed it stands for nobody."
        )
        yield _evidence(session, decoded, told)
        return


@session_rule(
    "DELEGATION_EXPIRED",
    sdk=_UNOPENED,
    fix="Log in again before the delegation ends; where it names targets, let them include this canister.",
    source="interface specification, Authentication; catalogue: inferred",
    explains=("BAD_SIGNATURE", *REFUSED),
)
def delegation_expired(session: SessionFacts) -> Iterator[Evidence]:
    for decoded, envelope in _unadmitted(session):
        for link in envelope.sender_delegation or ():
            left_s = link.delegation.expiration_ns / NS_PER_S - decoded.frame.t
            targets = link.delegation.targets
            if left_s < 0:
                told = f"When frame {decoded.number} was sent, its delegation had expired {seconds(-left_s)} before."
            elif targets is not None and envelope.canister_id is not None and envelope.canister_id not in targets:
                named = ", ".join(str(target) for target in targets[:3]) or "no canister"
                told = (
                    f"The delegation of frame {decoded.number} is for {named} only, and the request goes to "
                    f"{envelope.canister_id}."
                )
            else:
                continue
            yield _evidence(session, decoded, told)
            return
    yield from _in_its_words(session, "delegation")


@session_rule(
    "AGENT_V3_EXPIRY",
    sdk='With a WebSocket that gives ArrayBuffers it stops at the handshake: "Uint8Array expected", then '
    f'close(4000, "Error receiving message"). With one that gives Uint8Arrays, ws_open expires in 1970. {_UNOPENED}',
    fix="Pin @dfinity/agent to ^2.3: from 3.0 on it reads no ArrayBuffers, and its Expiry is a duration, which "
    "ic-websocket-js sends as a time.",
    source="@dfinity/agent 3 cbor.ts and transforms.ts; seen with 3.4.3",
    explains=("INGRESS_EXPIRY", *REFUSED),
)
def agent_v3_expiry(session: SessionFacts) -> Iterator[Evidence]:
    handshake = session.handshake
    heard = [d for d in session.frames if d.frame.direction == "in" and d.frame.op in ("binary", "text")]
    if heard == [handshake] and not session.requests and session.closed_by_client("Error receiving message"):
        assert handshake is not None
        told = (
            f"The gateway's handshake (frame {handshake.number}) is sound, and the client could not read it: it closed "
            "before any request. So does ic-websocket-js with any @dfinity/agent 3."
        )
        yield Evidence((handshake.number, *session.end_frames), told)
        return
    for decoded, envelope in _unadmitted(session):
        expiry = envelope.ingress_expiry_ns
        if expiry is not None and 0 < expiry < _RAW_DELTA:
            told = (
                f"The ingress_expiry of frame {decoded.number} is {expiry}: a duration in milliseconds, where a "
                "replica reads nanoseconds since 1970."
            )
            yield _evidence(session, decoded, told)
            return


@session_rule(
    "INGRESS_EXPIRY",
    sdk=f'{_UNOPENED} The gateway logs "Specified ingress_expiry not within expected range".',
    fix="Set the client's clock (NTP): nothing in the SDK follows the network's time.",
    source="dfinity/icp-js-core#491",
    explains=REFUSED,
)
def ingress_expiry(session: SessionFacts) -> Iterator[Evidence]:
    error_s = _clock_error_s(session)
    for decoded, envelope in _unadmitted(session):
        expiry_ns = envelope.ingress_expiry_ns
        if expiry_ns is None:
            continue
        ahead_s = expiry_ns / NS_PER_S - (decoded.frame.t - error_s)
        if 0 <= ahead_s <= _LATEST_S:
            continue
        if ahead_s < 0:
            told = f"When frame {decoded.number} was sent, its ingress_expiry was {seconds(-ahead_s)} in the past."
        else:
            told = (
                f"The ingress_expiry of frame {decoded.number} is {seconds(ahead_s)} ahead; a replica takes at most "
                f"{_LATEST_S:.0f} s."
            )
        if error_s:
            told += f" By the time at which the recording began, the client's clock is off by {seconds(error_s)}."
        yield _evidence(session, decoded, told)
        return
    yield from _in_its_words(session, "expiry", " By the recorder's clock it was right: that one is wrong, too.")


@session_rule(
    "BAD_SIGNATURE",
    sdk=_UNOPENED,
    fix="Sign what is sent, with the key that is sent: nothing in the content may change behind the signature.",
    source="interface specification, Authentication",
    explains=REFUSED,
)
def bad_signature(session: SessionFacts) -> Iterator[Evidence]:
    for decoded, _ in _unadmitted(session):
        if (failed := _fails_at(session, decoded, "request_id", "sender", "signature", "delegation")) is not None:
            yield _evidence(session, decoded, f"A replica refuses frame {decoded.number} at its {failed}.")
            return
    yield from _in_its_words(session, "signature")


def _unadmitted(session: SessionFacts) -> Iterator[tuple[DecodedFrame, Envelope]]:
    """The requests that the network is not known to have taken up."""
    return ((decoded, envelope) for decoded, envelope in session.requests if not session.is_admitted(decoded))


def _evidence(session: SessionFacts, decoded: DecodedFrame, told: str) -> Evidence:
    """With what the network said to it, where that is recorded."""
    call = session.answer(decoded)
    if call is not None and call.failed:
        told += f" So it was: {quoted(call)}."
    return Evidence((decoded.number, *frames_of(call)), told)


def _in_its_words(session: SessionFacts, cause: Cause, more: str = "") -> Iterator[Evidence]:
    """A request with which nothing seems to be wrong, and which the network refused for that cause."""
    for decoded, _ in session.requests:
        call = session.answer(decoded)
        if call is not None and call.outcome == "refused" and cause_of(call) == cause:
            told = f"To frame {decoded.number} {quoted(call)}.{more}"
            yield Evidence((decoded.number, *frames_of(call)), told)
            return


def _fails_at(session: SessionFacts, decoded: DecodedFrame, *steps: str) -> str | None:
    """The first of those steps that fails, with its detail."""
    verdict = session.whole.envelope_verdicts.get(decoded.number)
    failed = [step for step in (verdict.steps if verdict else ()) if step.ok is False and step.step in steps]
    return f"{failed[0].step.replace('_', ' ')}: {failed[0].detail}" if failed else None


def _is_canister_key(public_key_der: bytes) -> bool:
    try:
        return parse_public_key(public_key_der).kind is KeyKind.CANISTER
    except DecodeError:
        return False


def _clock_error_s(session: SessionFacts) -> float:
    """How far the frames' clock is from the one that started the recording, where that is another one.

    Frames from before the beginning have a clock that is slow. One that is fast shows only where the
    first session is known to begin with the recording: in a simulation. A session that opened had a
    clock that was right enough, and need not have begun with the recording: it may be one of several.
    """
    info = session.whole.capture.info
    if info.started_at is None or session.opened is not None or session.name != session.whole.sessions[0].name:
        return 0.0
    try:
        error_s = session.began - datetime.fromisoformat(info.started_at).timestamp()
    except ValueError:
        return 0.0
    is_meaningful = error_s < 0 or info.origin == "simulated"
    return error_s if is_meaningful and abs(error_s) > INGRESS_DRIFT_S else 0.0
