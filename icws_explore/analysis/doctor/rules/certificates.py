"""The first canister message whose proof fails, by the step that fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.constants import MAINNET_ROOT_KEY, MAX_CERTIFICATE_AGE_S
from icws_explore.protocol.steps import Step

from ...decode import DecodedFrame
from ..facts import LOOP, SessionFacts
from ..finding import count, seconds
from ..network_side import RECORD_POLLS, cause_of, frames_of, quoted
from ..proofs import CERTIFICATE_STEPS, certificate_time_s, is_certified_under
from ..registry import ACKS, OPENING, UPWARD, Evidence, session_rule

PROOF_S: Final = 5.0  # how long a busy machine or a phone may take to verify a certificate in JavaScript
_CLOSE: Final = 'close(4000, "Error receiving message")'
_NOT_INSTALLED: Final = "contains no Wasm module"  # the replica's words (IC0537)


@session_rule(
    "ROOT_KEY",
    sdk=f'It reports "Error creating certificate: Signature verification failed" (a TrustError) and calls {_CLOSE}.',
    fix="Give the client the URL of the network that the canister is on, and use ic-websocket-js 0.4.0 or later.",
    source="ic-websocket-js 0.5.0 ic-websocket.ts; @dfinity/agent certificate.ts",
)
def root_key(session: SessionFacts) -> Iterator[Evidence]:
    bad = _failing(session, *CERTIFICATE_STEPS)
    if bad is not None and (key := _other_root_key(session, bad[0])) is not None:
        name = "mainnet's" if key == MAINNET_ROOT_KEY else f"that of another known network (…{key.hex()[-16:]})"
        if key in session.facts.network.root_keys:
            name = f"the one in the network's recorded status (…{key.hex()[-16:]})"
        text = (
            f"The certificate of frame {bad[0].number} does not verify under the configured root key "
            f"(…{(session.facts.root_key or b'').hex()[-16:]}). It verifies under {name}."
        )
        yield Evidence((bad[0].number, *session.end_frames), text)


@session_rule(
    "WRONG_CANISTER",
    sdk='For a message it reports "Could not find certified data for this canister in the certificate." and calls '
    f"{_CLOSE}. If its requests go to a canister that does not exist or has no ws_ methods, the gateway's first poll "
    'fails and onclose gets code 1005. If they go to one that does not answer: close(4000, "Open connection timeout").',
    fix="Use one canister id everywhere: in the configuration, in the envelopes, and the one whose data is certified. "
    "It is the id of the canister with the ws_ methods (the backend), not of the frontend or asset canister.",
    source="ic-websocket-js 0.5.0 utils.ts; interface specification, Certification",
    explains=("POLLER_DEAD", *OPENING, *UPWARD, *ACKS),
)
def wrong_canister(session: SessionFacts) -> Iterator[Evidence]:
    meant = session.canister_id
    for decoded, envelope in session.requests:
        if meant is not None and envelope.canister_id not in (None, meant):
            is_configured = session.facts.canister_id is not None
            begin = f"The configured canister is {meant}" if is_configured else f"The session began with {meant}"
            text = f"{begin}, but frame {decoded.number} goes to {envelope.canister_id}."
            yield Evidence((decoded.number,), text)
            return
        call = session.answer(decoded)
        cause = None if call is None or not call.failed else cause_of(call)
        if call is not None and (cause == "canister" or (cause == "code" and decoded is session.open_request)):
            text = f"Frame {decoded.number} goes to {envelope.canister_id}, and {quoted(call)}."
            fix = None
            if _NOT_INSTALLED in call.text:
                text += " The canister exists, but it is empty."
                fix = "Install the canister's code (dfx deploy), or use the id of the canister that has it."
            elif cause == "code":
                text += " A frontend (asset) canister has no ws_ methods."
            yield Evidence((decoded.number, *frames_of(call)), text, fix=fix)
            return
    yield from _certified_by_another(session)
    yield from _without_methods(session)


def _certified_by_another(session: SessionFacts) -> Iterator[Evidence]:
    bad = _failing(session, "certified_data", "delegation")
    if bad is None:
        return
    decoded, step = bad
    if step.step == "certified_data" and not isinstance(step.expected, bytes):
        text = f"Frame {decoded.number} is certified by another canister than {session.canister_id}: {step.detail}."
        yield Evidence((decoded.number, *session.end_frames), text)
    elif step.step == "delegation" and is_certified_under(decoded, session.facts.root_key):
        text = (
            f"The certificate of frame {decoded.number} is valid, but it comes from a subnet that does not host "
            f"{session.canister_id}: {step.detail}."
        )
        yield Evidence((decoded.number, *session.end_frames), text)


def _without_methods(session: SessionFacts) -> Iterator[Evidence]:
    """The first poll failed at once, and nothing in the recording says that the canister has ws_ methods."""
    if not session.fails_at_first_poll or len(session.facts.first_poll_failures[session.path]) >= LOOP:
        return
    assert session.end is not None
    assert session.open_request is not None
    text = (
        f"The gateway ended the session without a code {seconds(session.end.frame.t - session.open_request.frame.t)} "
        f"after a valid ws_open (frame {session.open_request.number}): its first poll of {session.asked_canister} "
        "failed. The most common reason is an id without a ws_get_messages method, such as that of the frontend "
        "(asset) canister. A canister that is stopped or not installed (POLLER_DEAD) and one with a CDK up to 0.3.0 "
        "that does not list this gateway (GATEWAY_NOT_REGISTERED) look the same. The gateway's log names the error."
    )
    yield Evidence((session.open_request.number, *session.end_frames), text)


@session_rule(
    "BAD_CERTIFICATE",
    sdk=f"It calls {_CLOSE} and logs nothing else.",
    fix="Do not trust this gateway: no canister of the network made this message.",
    source="ic-websocket-js 0.5.0 utils.ts; interface specification, Certificate",
)
def bad_certificate(session: SessionFacts) -> Iterator[Evidence]:
    bad = _failing(session, *CERTIFICATE_STEPS)
    if bad is None or _other_root_key(session, bad[0]) is not None:
        return
    decoded, step = bad
    if step.step == "delegation" and is_certified_under(decoded, session.facts.root_key):
        return  # WRONG_CANISTER
    text = (
        f"The certificate of frame {decoded.number} fails at the step {step.step}, under every known root key: "
        f"{step.detail}.{_as_polled(session, decoded)}"
    )
    is_first = decoded.number == next((d.number for d in session.frames if d.canister_message is not None), None)
    if is_first and not session.facts.network.root_keys:
        text += (
            " It is the first message of the session, so the network's root key may just not be known here "
            "(ROOT_KEY): run the doctor with --root-key or --network to tell."
        )
    yield Evidence((decoded.number, *session.end_frames), text)


@session_rule(
    "STALE_CERTIFICATE",
    sdk=f'It reports "Certificate is signed more than 5 minutes in the past" (or "in the future") and calls {_CLOSE}.',
    fix="Set the client's clock. Reconnect after the machine has slept. If the gateway held the message back, use "
    "another gateway.",
    source="@dfinity/agent 2.4.1 certificate.ts",
)
def stale_certificate(session: SessionFacts) -> Iterator[Evidence]:
    bad = _failing(session, "time")
    if bad is None:
        return
    decoded, step = bad
    age_s = _age_s(decoded)
    if age_s is None:
        text = f"The certificate of frame {decoded.number} has no time: {step.detail}."
    else:
        which = "old" if age_s > 0 else "ahead of the client's clock"
        text = (
            f"The certificate of frame {decoded.number} was {seconds(abs(age_s))} {which}; the limit is "
            f"{MAX_CERTIFICATE_AGE_S} s."
        )
        text += _held_back(session, decoded) or _ages_before(session, decoded)
    yield Evidence((decoded.number, *session.end_frames), text)


@session_rule(
    "CERTIFIED_DATA_CLASH",
    sdk=f'It reports "Witness != Tree passed in ic-certification" and calls {_CLOSE}.',
    fix="Let only one part of the canister set its certified data. Other code (assets, certified variables) overwrites "
    "what the CDK has set.",
    source="ic-websocket-js 0.5.0 utils.ts; catalogue: inferred",
)
def certified_data_clash(session: SessionFacts) -> Iterator[Evidence]:
    bad = _failing(session, "certified_data")
    if bad is not None and isinstance(bad[1].expected, bytes) and not _is_altered(session, bad[0]):
        decoded, step = bad
        good = sum(1 for d in session.received if d.number < decoded.number)
        text = (
            f"The certificate of frame {decoded.number} is {session.valid_text}, but the witness does not belong to "
            f"it: {step.detail}. "
        )
        text += f"The {count(good, 'message')} before it fitted." if good else "It is the session's first message."
        text += (
            _as_polled(session, decoded)
            or f" A witness that was altered on its way (BODY_HASH) looks the same. {RECORD_POLLS}"
        )
        yield Evidence((decoded.number, *session.end_frames), text)


@session_rule(
    "BODY_HASH",
    sdk=f'It reports "Certificate validation failed" without a reason and calls {_CLOSE}.',
    fix="Relay the bytes unchanged: something between canister and client alters or re-encodes them.",
    source="ic-websocket-js 0.5.0 utils.ts",
)
def body_hash(session: SessionFacts) -> Iterator[Evidence]:
    bad = _failing(session, "lookup", "body")
    garbled = _garbled(session)
    if garbled is not None and (bad is None or garbled.number < bad[0].number):
        text = f"Frame {garbled.number} ({garbled.size:,} bytes) is not a canister message: {garbled.summary}."
        yield Evidence((garbled.number, *session.end_frames), text)
    elif bad is not None:
        text = (
            f"The proof of frame {bad[0].number} (certificate and witness) is {session.valid_text}, but it does not "
            f"belong to this message: {bad[1].detail}."
        )
        yield Evidence((bad[0].number, *session.end_frames), text + _as_polled(session, bad[0]))
    elif (bad := _failing(session, "certified_data")) is not None and _is_altered(session, bad[0]):
        text = f"Frame {bad[0].number} is not what the canister gave: {bad[1].detail}.{_as_polled(session, bad[0])}"
        yield Evidence((bad[0].number, *session.end_frames), text)


@session_rule(
    "IGNORES_PROOFS",
    severity="info",
    sdk=f"It closes at the first message whose proof fails: {_CLOSE}.",
    fix="Let the client close when a proof fails. ic4j logs the failure and goes on: check isMessageBodyValid there.",
    source="ic4j-websocket: a failed certificate is logged and ignored",
)
def ignores_proofs(session: SessionFacts) -> Iterator[Evidence]:
    bad = session.rejected_message
    if bad is None or bad[1].step == "sequence":
        return
    if bad[1].step in CERTIFICATE_STEPS and not any(d.number < bad[0].number for d in session.received):
        return  # the client may know the root key under which the certificate verifies
    later = [d for d in session.sent if d.frame.t > bad[0].frame.t + PROOF_S]
    if later:
        text = (
            f"The proof of frame {bad[0].number} fails, and {seconds(later[0].frame.t - bad[0].frame.t)} later the "
            f"client still sends messages (frame {later[0].number}): it does not act on failed proofs."
        )
        yield Evidence((bad[0].number, later[0].number), text)


def _garbled(session: SessionFacts) -> DecodedFrame | None:
    """The first frame from a gateway that is not a canister message, although the handshake shows a real gateway."""
    if session.handshake is None:
        return None
    incoming = (d for d in session.frames if d.frame.direction == "in" and d.kind == "malformed")
    return next((d for d in incoming if d.canister_message is None), None)


def _as_polled(session: SessionFacts, decoded: DecodedFrame) -> str:
    """Whether the canister gave the message to the gateway like this, if the poll is recorded."""
    polled = session.polled(decoded)
    if polled is None or decoded.canister_message is None:
        return ""
    altered = polled.differences(decoded.canister_message)
    if not altered:
        return f" The canister gave the gateway the same bytes (frame {polled.frame})."
    what = " and ".join(altered)
    return (
        f" The canister gave the gateway another {what} (frame {polled.frame}): the message was altered between "
        "canister and client."
    )


def _is_altered(session: SessionFacts, decoded: DecodedFrame) -> bool:
    polled = session.polled(decoded)
    if polled is None or decoded.canister_message is None:
        return False
    return bool(polled.differences(decoded.canister_message))


def _held_back(session: SessionFacts, decoded: DecodedFrame) -> str:
    """How long the gateway had the message, if the poll is recorded."""
    polled = session.polled(decoded)
    if polled is None:
        return ""
    return f" The gateway received it {seconds(decoded.frame.t - polled.t)} earlier (frame {polled.frame})."


def _failing(session: SessionFacts, *steps: str) -> tuple[DecodedFrame, Step] | None:
    """The session's first rejected message, if it fails at one of those steps."""
    bad = session.rejected_message
    return bad if bad is not None and bad[1].step in steps else None


def _other_root_key(session: SessionFacts, decoded: DecodedFrame) -> bytes | None:
    """A known root key, not the configured one, under which the certificate verifies."""
    for key in session.facts.known_root_keys:
        if key != session.facts.root_key and is_certified_under(decoded, key):
            return key
    return None


def _age_s(decoded: DecodedFrame) -> float | None:
    """How old the certificate was when it was received (s); negative for one from the future."""
    certified = certificate_time_s(decoded)
    return None if certified is None else decoded.frame.t - certified


def _ages_before(session: SessionFacts, bad: DecodedFrame) -> str:
    """How old the earlier certificates were: whether the clock or the way is to blame."""
    ages = [age for d in session.received if d.number < bad.number and (age := _age_s(d)) is not None]
    if not ages:
        return (
            " It is the session's first message, which points to the client's clock: compare it with another machine."
        )
    youngest, oldest = seconds(min(ages)), seconds(max(ages))
    usual = f"{youngest} to {oldest}" if youngest != oldest else youngest
    return (
        f" The {count(len(ages), 'certificate')} before it {'was' if len(ages) == 1 else 'were'} {usual} old: either "
        "the message was held back, or the machine slept, or its clock was changed. " + RECORD_POLLS
    )
