"""A recording as spans, named as the gateway's own tracing names them.

Gateway 1.4.6 traces with OpenTelemetry. Of its spans a recording shows these (ws_listener.rs,
client_session_handler.rs, client_session.rs, canister_poller.rs):

- ``Client Session Handler`` (``client_id``): a connection, with the child
- ``Client Session`` (``canister_id``): from the handshake to the close, with the children
- ``Client Message``: a request of the client until it is relayed,
- ``Canister Message`` (``message_key``, ``canister_id``): a canister message until it is sent to the client;
- ``Polling Iteration`` (``canister_id``, ``polling_iteration``) with the child ``Relay Canister Messages``: a poll,
  where a tap recorded the network's side (``--all-queries``). A Canister Message follows from the relay.

``Accept Connection`` (the TLS handshake) shows in no recording. What this project knows besides has attributes that
begin with ``icws.``. Times are in nanoseconds since the epoch, on the recording's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from icws_explore.capture import Capture
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.credentials import without_credentials

from .decode import DecodedFrame
from .doctor.facts import CaptureFacts, SessionFacts
from .export import exported
from .network_calls import NetworkCall

Attribute = str | int | float | bool
_NORMAL: Final = (None, CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD)
_SHOWN: Final = 10  # characters of the gateway's principal in its service name: ic-ws-gw-abcde


@dataclass(slots=True)
class Span:
    """``parent`` and ``follows`` are places in the list of spans. ``error`` is the description of a failed span.

    ``events`` are names with their times (ns) and attributes.
    """

    name: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Attribute] = field(default_factory=dict)
    parent: int | None = None
    follows: tuple[int, ...] = ()
    error: str | None = None
    events: list[tuple[str, int, Mapping[str, Attribute]]] = field(default_factory=list)


def service_name(capture: Capture) -> str:
    """The service's name as the gateway gives it: ic-ws-gw- and the first five letters of its principal."""
    gateway = next((each.gateway for each in CaptureFacts(capture).sessions if each.gateway is not None), None)
    return "ic-ws-gw-" + ("unknown" if gateway is None else gateway.text[:5])


def resource(capture: Capture) -> dict[str, Attribute]:
    """What describes all spans of a recording."""
    info = capture.info
    found: dict[str, Attribute | None] = {
        "service.name": service_name(capture),
        "icws.origin": info.origin,
        "icws.clock": str(info.clock),
        "icws.gateway_url": info.gateway_url,
        "icws.network_url": info.network_url,
    }
    return {name: value for name, value in found.items() if value is not None}


def spans(capture: Capture, *, redact: bool = False) -> list[Span]:
    """The spans of a recording; every parent stands ahead of its children. Of other protocols there are none."""
    kept, frames = exported(capture, redact=redact)
    facts = CaptureFacts(kept, frames=frames)
    found: list[Span] = []
    relays = _polls(facts, found, redact=redact)
    for client_id, session in enumerate(facts.sessions):
        _session(session, client_id, relays, found, redact=redact)
    return found


def _fault(call: NetworkCall, *, redact: bool) -> str | None:
    """Why a call failed, in the network's words; redacted only how. None for a call that did not fail."""
    if not call.failed:
        return None
    return call.outcome if redact else without_credentials(call.text) or call.outcome


def _ns(t: float) -> int:
    return max(0, round(t * NS_PER_S))


def _polls(facts: CaptureFacts, found: list[Span], *, redact: bool) -> Mapping[str, int]:
    """Add a span for each recorded poll. Returns the place of each message's relay, by the message's key."""
    relays: dict[str, int] = {}
    iterations: dict[str, Iterator[int]] = {}
    keys: dict[int, list[str]] = {}
    for (_, key), polled in facts.network.polls.messages.items():
        keys.setdefault(polled.frame, []).append(key)
    for call in facts.network.calls:
        if call.method_name != "ws_get_messages":
            continue
        canister = "" if call.canister_id is None else call.canister_id.text
        frames = facts.capture.frames
        start = _ns(frames[call.request].t)
        end = start if call.response is None else max(start, _ns(frames[call.response].t))
        iteration = next(iterations.setdefault(canister, count()))
        attributes: dict[str, Attribute] = {
            "canister_id": canister,
            "polling_iteration": iteration,
            "icws.frame": call.request,
            "icws.outcome": call.outcome,
        }
        found.append(Span("Polling Iteration", start, end, attributes, error=_fault(call, redact=redact)))
        given = () if call.response is None else keys.get(call.response, ())
        if given:
            found.append(Span("Relay Canister Messages", end, end, parent=len(found) - 1))
            relays |= dict.fromkeys(given, len(found) - 1)
    return relays


def _session(
    session: SessionFacts, client_id: int, relays: Mapping[str, int], found: list[Span], *, redact: bool
) -> None:
    """Add the spans of one session."""
    start, end = _ns(session.connected), _ns(session.last)
    named: dict[str, Attribute] = {} if session.name is None else {"icws.session": session.name}
    found.append(Span("Client Session Handler", start, end, {"client_id": client_id, **named}))
    about: dict[str, Attribute] = dict(named)
    if session.canister_id is not None:
        about["canister_id"] = session.canister_id.text
    if session.client_key is not None:
        about["icws.client_principal"] = session.client_key.client_principal.text
    own = Span("Client Session", _ns(session.began), end, about, parent=len(found) - 1)
    found.append(own)
    place = len(found) - 1
    for decoded in session.frames:
        at = _ns(decoded.frame.t)
        if decoded.envelope is not None:
            found.append(_client_message(session, decoded, at, place, redact=redact))
        elif decoded.canister_message is not None:
            found.append(_canister_message(session, decoded, at, place, relays, found))
        elif decoded.frame.op == "close":
            code, reason = decoded.frame.code, without_credentials(decoded.frame.reason or "")
            own.events.append(("close", at, {"icws.code": code or 0, "icws.reason": reason, **_facts(decoded)}))
            own.error = None if code in _NORMAL else without_credentials(decoded.summary)
        else:
            own.events.append((decoded.kind, at, _facts(decoded)))


def _client_message(session: SessionFacts, decoded: DecodedFrame, at: int, parent: int, *, redact: bool) -> Span:
    """From the client's frame to the network's answer, if that was recorded."""
    call = session.facts.network.answers.get(decoded.number)
    answered = None if call is None or call.response is None else session.facts.capture.frames[call.response].t
    attributes = _facts(decoded)
    error = str(decoded.error) if decoded.kind == "malformed" else None
    if call is not None:
        attributes["icws.outcome"] = call.outcome
        error = _fault(call, redact=redact) or error
    return Span(
        "Client Message", at, at if answered is None else max(at, _ns(answered)), attributes, parent, error=error
    )


def _canister_message(
    session: SessionFacts, decoded: DecodedFrame, at: int, parent: int, relays: Mapping[str, int], found: list[Span]
) -> Span:
    """From the poll that brought the message, if that was recorded, to the client."""
    outer = decoded.canister_message
    assert outer is not None
    attributes: dict[str, Attribute] = {"message_key": outer.key[:200], **_facts(decoded)}
    if session.canister_id is not None:
        attributes["canister_id"] = session.canister_id.text
    if decoded.message is not None:
        attributes["icws.made_ns"] = str(decoded.message.timestamp_ns)  # a nat64 is larger than OTLP's integers
    relay = relays.get(outer.key)
    start = at if relay is None else min(at, found[relay].end_ns)
    error = str(decoded.error) if decoded.kind == "malformed" else None
    return Span("Canister Message", start, at, attributes, parent, () if relay is None else (relay,), error)


def _facts(decoded: DecodedFrame) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {
        "icws.frame": decoded.number,
        "icws.kind": decoded.kind,
        "icws.direction": decoded.frame.direction,
        "icws.size": decoded.size,
        "icws.summary": without_credentials(decoded.summary),
    }
    if decoded.sequence_num is not None:
        found["icws.sequence_num"] = str(decoded.sequence_num)
    return found
