"""The first canister message whose proof does not hold, by the step at which it fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.certificate import decode_cached
from icws_explore.protocol.constants import MAINNET_ROOT_KEY, MAX_CERTIFICATE_AGE_S, NS_PER_S
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.steps import Step

from ...decode import DecodedFrame
from ..facts import OF_THE_CERTIFICATE, SessionFacts, certifies
from ..finding import seconds
from ..network_side import RECORD_POLLS, cause_of, frames_of, quoted
from ..registry import ACKS, UPWARD, Evidence, session_rule

_CLOSE: Final = 'close(4000, "Error receiving message")'


@session_rule(
    "ROOT_KEY",
    sdk=f'"Error creating certificate: Signature verification failed" (a TrustError), then {_CLOSE}.',
    fix="Give the client the URL of the network that the canister is on, and use ic-websocket-js 0.4.0 or later.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts; @dfinity/agent certificate.ts",
)
def root_key(session: SessionFacts) -> Iterator[Evidence]:
    bad = _failing(session, *OF_THE_CERTIFICATE)
    if bad is not None and (key := _other_root_key(session, bad[0])) is not None:
        name = "mainnet's" if key == MAINNET_ROOT_KEY else f"another known network's (…{key.hex()[-16:]})"
        if key in session.whole.network.root_keys:
            name = f"the one that the network names in its recorded status (…{key.hex()[-16:]})"
        told = (
            f"The certificate of frame {bad[0].number} is not good under the configured root key "
            f"(…{(session.whole.root_key or b'').hex()[-16:]}), but it is under {name}."
        )
        yield Evidence((bad[0].number, *session.end_frames), told)


@session_rule(
    "WRONG_CANISTER",
    sdk='For a message: "Could not find certified data for this canister in the certificate." and '
    f"{_CLOSE}. For requests to a canister that is not there, onclose with 1005: the gateway's first poll fails. For "
    'requests to one that answers nothing, close(4000, "Open connection timeout").',
    fix="Use one canister id: the configured one, the envelope's and the one that certifies have to be the same.",
    source="ic-websocket-js 0.5.0 utils.ts; interface specification, Certification",
    explains=("OPEN_TIMEOUT", "ON_OPEN_TRAP", *UPWARD, *ACKS),
)
def wrong_canister(session: SessionFacts) -> Iterator[Evidence]:
    meant = session.canister_id
    for decoded, envelope in session.requests:
        if meant is not None and envelope.canister_id not in (None, meant):
            which = "The session began" if session.whole.canister_id is None else "The configured canister is"
            with_it = f"with canister {meant}" if session.whole.canister_id is None else f"{meant}"
            told = f"{which} {with_it}, but frame {decoded.number} goes to {envelope.canister_id}."
            yield Evidence((decoded.number,), told)
            return
        call = session.answer(decoded)
        if call is not None and call.failed and cause_of(call) == "canister":
            told = f"Frame {decoded.number} goes to {envelope.canister_id}, and {quoted(call)}."
            yield Evidence((decoded.number, *frames_of(call)), told)
            return
    bad = _failing(session, "certified_data", "delegation")
    if bad is None:
        return
    decoded, step = bad
    if step.step == "certified_data" and not isinstance(step.expected, bytes):
        told = f"Frame {decoded.number} is certified by another canister than {session.canister_id}: {step.detail}."
        yield Evidence((decoded.number, *session.end_frames), told)
    elif step.step == "delegation" and certifies(decoded, session.whole.root_key):
        told = (
            f"The certificate of frame {decoded.number} is genuine, but comes from a subnet that does not hold "
            f"{session.canister_id}: {step.detail}."
        )
        yield Evidence((decoded.number, *session.end_frames), told)


@session_rule(
    "BAD_CERTIFICATE",
    sdk=f"{_CLOSE}: no other log.",
    fix="Do not trust this gateway: no canister of the network made this message.",
    source="ic-websocket-js 0.5.0 utils.ts; interface specification, Certificate",
)
def bad_certificate(session: SessionFacts) -> Iterator[Evidence]:
    bad = _failing(session, *OF_THE_CERTIFICATE)
    if bad is None or _other_root_key(session, bad[0]) is not None:
        return
    decoded, step = bad
    if step.step == "delegation" and certifies(decoded, session.whole.root_key):
        return  # WRONG_CANISTER
    told = (
        f"The certificate of frame {decoded.number} fails at its {step.step}, under every known root key: "
        f"{step.detail}.{_as_given(session, decoded)}"
    )
    is_first = decoded.number == next((d.number for d in session.frames if d.canister_message is not None), None)
    if is_first and not session.whole.network.root_keys:
        told += (
            " It is the first one of the session, so it may be the root key of a network that is not known here "
            "(ROOT_KEY): diagnose with --root-key to tell."
        )
    yield Evidence((decoded.number, *session.end_frames), told)


@session_rule(
    "STALE_CERTIFICATE",
    sdk=f'"Certificate is signed more than 5 minutes in the past" (or "in the future"), then {_CLOSE}.',
    fix="Set the client's clock; reconnect after a sleep; a gateway that holds messages back for so long is to blame "
    "itself.",
    source="@dfinity/agent 2.4.1 certificate.ts",
)
def stale_certificate(session: SessionFacts) -> Iterator[Evidence]:
    bad = _failing(session, "time")
    if bad is None:
        return
    decoded, step = bad
    age_s = _age_s(decoded)
    if age_s is None:
        told = f"The certificate of frame {decoded.number} shows no time: {step.detail}."
    else:
        which = "old" if age_s > 0 else "ahead of the client's clock"
        told = (
            f"Frame {decoded.number} came with a certificate {seconds(abs(age_s))} {which}; "
            f"{MAX_CERTIFICATE_AGE_S} s are allowed."
        )
        told += _held_back(session, decoded) or _others_ages(session, decoded)
    yield Evidence((decoded.number, *session.end_frames), told)


@session_rule(
    "CERTIFIED_DATA_CLASH",
    sdk=f'"Witness != Tree passed in ic-certification", then {_CLOSE}.',
    fix="Let one part of the canister own its certified data: another one (assets, certified variables) overwrites it.",
    source="ic-websocket-js 0.5.0 utils.ts; catalogue: inferred",
)
def certified_data_clash(session: SessionFacts) -> Iterator[Evidence]:
    bad = _failing(session, "certified_data")
    if bad is not None and isinstance(bad[1].expected, bytes) and not _is_altered(session, bad[0]):
        decoded, step = bad
        good = sum(1 for d in session.received if d.number < decoded.number)
        told = (
            f"The certificate of frame {decoded.number} is {session.genuine}, and the witness another one: "
            f"{step.detail}. {f'The {good} before it fitted.' if good else 'It is the first message of the session.'}"
        )
        told += (
            _as_given(session, decoded)
            or f" A witness that was altered on the way looks the same (BODY_HASH). {RECORD_POLLS}"
        )
        yield Evidence((decoded.number, *session.end_frames), told)


@session_rule(
    "BODY_HASH",
    sdk=f'"Certificate validation failed" without a reason, then {_CLOSE}.',
    fix="Relay the bytes untouched: something between canister and client alters or re-encodes them.",
    source="ic-websocket-js 0.5.0 utils.ts",
)
def body_hash(session: SessionFacts) -> Iterator[Evidence]:
    bad = _failing(session, "lookup", "body")
    garbled = _garbled(session)
    if garbled is not None and (bad is None or garbled.number < bad[0].number):
        told = f"Frame {garbled.number}, {garbled.size} bytes, is no canister message any more: {garbled.summary}."
        yield Evidence((garbled.number, *session.end_frames), told)
    elif bad is not None:
        told = (
            f"The proof of frame {bad[0].number}, certificate and witness, is {session.genuine}, but it is none of "
            f"this message: {bad[1].detail}."
        )
        yield Evidence((bad[0].number, *session.end_frames), told + _as_given(session, bad[0]))
    elif (bad := _failing(session, "certified_data")) is not None and _is_altered(session, bad[0]):
        told = f"Frame {bad[0].number} is not as the canister gave it: {bad[1].detail}.{_as_given(session, bad[0])}"
        yield Evidence((bad[0].number, *session.end_frames), told)


def _garbled(session: SessionFacts) -> DecodedFrame | None:
    """The first frame from a gateway, which says that it is one, in which there is no canister message."""
    if session.handshake is None:
        return None
    incoming = (d for d in session.frames if d.frame.direction == "in" and d.kind == "malformed")
    return next((d for d in incoming if d.canister_message is None), None)


def _as_given(session: SessionFacts, decoded: DecodedFrame) -> str:
    """Whether the canister gave it so to the gateway, where the poll is recorded."""
    given = session.polled(decoded)
    if given is None or decoded.canister_message is None:
        return ""
    altered = given.differences(decoded.canister_message)
    if not altered:
        return f" The canister itself gave it so to the gateway (frame {given.frame})."
    what = " and ".join(altered)
    return f" The canister gave the gateway another {what} (frame {given.frame}): it was altered between the two."


def _is_altered(session: SessionFacts, decoded: DecodedFrame) -> bool:
    given = session.polled(decoded)
    return (
        given is not None and decoded.canister_message is not None and bool(given.differences(decoded.canister_message))
    )


def _held_back(session: SessionFacts, decoded: DecodedFrame) -> str:
    """Where the message was for how long, where the poll is recorded."""
    given = session.polled(decoded)
    if given is None:
        return ""
    return f" The gateway had it {seconds(decoded.frame.t - given.t)} before (frame {given.frame})."


def _failing(session: SessionFacts, *steps: str) -> tuple[DecodedFrame, Step] | None:
    """The session's first bad message, if it fails at one of those steps."""
    bad = session.bad_message
    return bad if bad is not None and bad[1].step in steps else None


def _other_root_key(session: SessionFacts, decoded: DecodedFrame) -> bytes | None:
    """A known root key, not the configured one, under which the certificate is good."""
    for key in session.whole.known_root_keys:
        if key != session.whole.root_key and certifies(decoded, key):
            return key
    return None


def _age_s(decoded: DecodedFrame) -> float | None:
    """How old the certificate was when it was received, seconds; negative for one from the future."""
    if decoded.canister_message is None:
        return None
    try:
        time_ns = decode_cached(decoded.canister_message.cert).time_ns
    except DecodeError:
        return None
    return None if time_ns is None else decoded.frame.t - time_ns / NS_PER_S


def _others_ages(session: SessionFacts, bad: DecodedFrame) -> str:
    """What the messages before tell about whose fault it is."""
    ages = [age for d in session.received if d.number < bad.number and (age := _age_s(d)) is not None]
    if not ages:
        return " It is the first one, which points to the client's clock: compare it with another machine's."
    youngest, oldest = seconds(min(ages)), seconds(max(ages))
    usual = f"{youngest} to {oldest}" if youngest != oldest else youngest
    return (
        f" Before it, {len(ages)} came {usual} old: a message that was held back, a machine that slept, or a clock "
        f"that was set in between. {RECORD_POLLS}"
    )
