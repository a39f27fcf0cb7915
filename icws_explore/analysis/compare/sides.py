"""What two sessions are asked besides their events: how they are set up, which versions speak, how they keep time.

Each function gives a table of facts in words. A fact that a recording does not hold is missing, and a fact that is
missing on one side is no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, pairwise
from statistics import median, quantiles
from typing import Final
from urllib.parse import urlsplit

from icws_explore.capture import SessionInfo
from icws_explore.protocol import candid
from icws_explore.protocol.certificate import decode_cached
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import DecodeError, DidError
from icws_explore.protocol.keys.public_keys import parse_public_key

from ..decode import DecodedFrame
from ..doctor.facts import BUSY_S
from .events import Event, SessionEvents

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_TAG: Final = b"\xd9\xd9\xf7"  # CBOR that describes itself, RFC 8949
_MAX_MESSAGES: Final = 200  # messages of each direction whose type is looked at
_MIN_JITTER_S: Final = 1.0  # a subnet's rounds and the gateway's polls; real networks are never more regular
_FEW: Final = 8  # fewer latencies tell no spread
_SPREADS: Final = 3  # interquartile ranges


def settings(info: SessionInfo, session: SessionEvents) -> Mapping[str, str]:
    """What was configured. The port on this machine is another one each time and is left out."""
    canister = session.facts.canister_id
    key = info.root_key
    found = {
        "gateway": _address(info.gateway_url),
        "network": _address(info.network_url),
        "canister": None if canister is None else canister.text,
        "root key": None if key is None else "mainnet's" if key == MAINNET_ROOT_KEY else "of another network",
        "ack interval": None if info.ack_interval_ms is None else f"{info.ack_interval_ms:,} ms",
        "declared message type": _type(info.app_type),
    }
    return {name: value for name, value in found.items() if value is not None}


def _address(url: str | None) -> str | None:
    """A URL without the port if it is one of this machine."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return url
    return f"{parts.scheme}://this machine" if host in _LOOPBACK else url


def _type(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return candid.type_text(candid.parse_type(text))
    except DidError:
        return text


def versions(session: SessionEvents) -> Mapping[str, str]:
    """Which client, gateway and canister speak, as far as the form of their frames shows it."""
    frames = [event.decoded for event in session.events]
    found = dict(spoken_versions(frames))
    for name, kind in (("types of the client's messages", "message"), ("types of the canister's messages", "app")):
        types = sorted(
            {text for d in islice((d for d in frames if d.kind == kind), _MAX_MESSAGES) for text in _wire(d)}
        )
        if types:
            found[name] = "; ".join(types)
    return found


def spoken_versions(frames: Sequence[DecodedFrame]) -> Mapping[str, str]:
    """The same from the first request and the first canister message alone."""
    request = next((decoded for decoded in frames if decoded.envelope is not None), None)
    answer = next((decoded for decoded in frames if decoded.canister_message is not None), None)
    return {**({} if request is None else _client(request)), **({} if answer is None else _canister(answer))}


def _client(request: DecodedFrame) -> Mapping[str, str]:
    envelope = request.envelope
    assert envelope is not None
    links = envelope.sender_delegation or ()
    found = {
        "client's CBOR": "of indefinite length" if request.indefinite_layers else "of definite length",
        "nonce in the client's requests": "no" if envelope.nonce is None else "yes",
        "delegations of the client's identity": str(len(links)),
    }
    if envelope.sender_pubkey is not None:
        try:
            found["client's identity"] = str(parse_public_key(envelope.sender_pubkey).kind)
        except DecodeError:
            found["client's identity"] = "unreadable"
    return found


def _canister(answer: DecodedFrame) -> Mapping[str, str]:
    message = answer.canister_message
    assert message is not None
    found = {"canister's CDK": "Rust" if message.content.startswith(_TAG) else "Motoko"}
    try:
        delegation = decode_cached(message.cert).delegation
        found["certificates"] = "of the root subnet" if delegation is None else "of a subnet, with a delegation"
    except DecodeError:
        pass  # the proofs say so
    return found


def _wire(decoded: DecodedFrame) -> Iterable[str]:
    """The types with which an application message describes itself."""
    if decoded.message is None:
        return ()
    try:
        return [candid.type_text(kind) for kind, _ in candid.decode_typed(decoded.message.content)]
    except (DecodeError, DidError):
        return ()


def jitter_s(sessions: Sequence[SessionEvents]) -> float:
    """By how much times (s) may differ that mean the same: the spread of latencies in the calmer of the sessions."""
    clocks = [session.facts.facts.capture.info.clock for session in sessions]
    busy = [BUSY_S * clock.scale for clock in clocks if clock.kind == "scaled"]
    spreads = []
    for session in sessions:
        ways = [way for _, way in ways_s(session)]
        if len(ways) >= _FEW:
            lower, _, upper = quantiles(ways, n=4)
            spreads.append(_SPREADS * (upper - lower))
    return max(_MIN_JITTER_S, *busy, min(spreads, default=0.0))


def ways_s(session: SessionEvents) -> list[tuple[Event, float]]:
    """How much longer (s) than usual each canister message was on its way. "Usual" cancels the clocks' skew."""
    raw = [(e, e.decoded.frame.t - e.made_s) for e in session.events if e.made_s is not None]
    usual = median(way for _, way in raw) if raw else 0.0
    return [(event, way - usual) for event, way in raw]


def ack_spacing_s(session: SessionEvents) -> float | None:
    """The usual time (s) between two acks by the canister's clock; None with fewer than two."""
    made = [event.made_s for event in session.events if event.stream == "ack" and event.made_s is not None]
    return median(after - before for before, after in pairwise(made)) if len(made) > 1 else None


def open_wait_s(session: SessionEvents) -> tuple[Event, float] | None:
    """The OpenMessage, and how long (s) after ws_open it came."""
    asked = next((event for event in session.events if event.decoded.kind == "open_request"), None)
    opened = next((event for event in session.events if event.decoded.kind == "open"), None)
    return None if asked is None or opened is None else (opened, opened.at_s - asked.at_s)


def keep_alive_waits_s(session: SessionEvents) -> list[tuple[Event, float]]:
    """Each keep-alive, and how long (s) after the ack that it answers it left."""
    found, waiting = [], None
    for event in session.events:
        if event.stream == "ack":
            waiting = event
        elif event.stream == "keep_alive" and waiting is not None:
            found.append((event, event.at_s - waiting.at_s))
            waiting = None
    return found
