"""All instants in a session's frames, extracted once for every timing table.

There are three clocks, and each field says which one it uses:

- the capture's clock: when a frame passed (``Frame.t``);
- the network's clock: a message's ``timestamp`` and its certificate's ``time``;
- the client's clock: the ``timestamp`` and the ``ingress_expiry`` of what it signs. In a live capture
  it is the capture's clock; behind a tap it need not be.

Instants are floats in seconds since `Origin`, the capture's first frame. Floats of that size resolve
nanoseconds; seconds since the epoch would not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from icws_explore.capture import Capture
from icws_explore.protocol.certificate import time_ns_cached
from icws_explore.protocol.constants import ACK_INTERVAL_MS, NS_PER_S
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, CloseReason, KeepAliveMessage

from ..decode import DecodedFrame, Kind, shared_frames


@dataclass(frozen=True, slots=True)
class Origin:
    """The instant that counts as 0, in seconds since the epoch on the capture's clock."""

    t: float = 0.0

    def of_frame(self, t: float) -> float:
        """Convert a frame's time to seconds since the origin."""
        return t - self.t

    def of_ns(self, at_ns: int) -> float:
        """Convert nanoseconds since the epoch, on any clock, to seconds since the origin."""
        return (at_ns - round(self.t * NS_PER_S)) / NS_PER_S


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame of the client. ``at`` is on the capture's clock, ``stamped`` and ``expires`` are on the client's.

    ``reports`` is the last sequence number of the canister that a keep-alive reports as received.
    """

    frame: int
    at: float
    kind: Kind
    sequence_num: int | None = None
    stamped: float | None = None
    expires: float | None = None
    reports: int | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A canister message. ``at`` is on the capture's clock, ``made`` and ``certified`` are on the network's.

    ``made`` is the canister's timestamp, ``certified`` the time in the message's certificate. ``acks`` is the
    last sequence number of the client that an ack covers.
    """

    frame: int
    at: float
    kind: Kind
    made: float
    certified: float | None = None
    sequence_num: int | None = None
    acks: int | None = None
    close_reason: CloseReason | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The first recorded close of the connection. ``at`` is on the capture's clock."""

    frame: int
    at: float
    direction: str
    code: int | None
    reason: str


@dataclass(slots=True)
class SessionInstants:
    """The instants of one session, in the order of its frames. ``last`` belongs to the last frame so far."""

    session: str | None
    ack_interval_s: float
    handshake: float | None = None
    asked: Sent | None = None
    sent: list[Sent] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    ended: Ended | None = None
    first: float | None = None
    last: float = 0.0
    known_skew: tuple[tuple[int, int], Any] | None = field(default=None, repr=False, compare=False)  # see skew.py

    @property
    def opened(self) -> Received | None:
        """The canister's first OpenMessage."""
        return next((message for message in self.received if message.kind == "open"), None)

    @property
    def acks(self) -> list[Received]:
        return [message for message in self.received if message.acks is not None]

    @property
    def numbered(self) -> list[Sent]:
        """The client's frames with a sequence number: those that wait for an ack."""
        return [sent for sent in self.sent if sent.sequence_num is not None]


class Instants:
    """The instants of every session of a capture; `feed` takes further frames of a live session."""

    def __init__(self, capture: Capture) -> None:
        self.origin = Origin(capture.frames[0].t if capture.frames else 0.0)
        configured = capture.info.ack_interval_ms
        self.ack_interval_s = (ACK_INTERVAL_MS if configured is None else configured) / 1000
        self.sessions: dict[str | None, SessionInstants] = {}
        self._is_empty = not capture.frames

    def feed(self, frames: Iterable[DecodedFrame]) -> None:
        """Take further frames, in order."""
        for decoded in frames:
            if self._is_empty:
                self.origin, self._is_empty = Origin(decoded.frame.t), False
            self._take(decoded)

    def _take(self, decoded: DecodedFrame) -> None:
        if decoded.frame.is_http:
            return  # HTTP between gateway and network belongs to no session
        name = decoded.frame.session
        session = self.sessions.get(name)
        if session is None:
            session = self.sessions[name] = SessionInstants(name, self.ack_interval_s)
        at = self.origin.of_frame(decoded.frame.t)
        session.first = at if session.first is None else session.first
        session.last = max(session.last, at)
        if decoded.frame.op == "close" and session.ended is None:
            frame = decoded.frame
            session.ended = Ended(decoded.number, at, frame.direction, frame.code, frame.reason or "")
        elif decoded.kind == "handshake" and session.handshake is None:
            session.handshake = at
        elif decoded.envelope is not None and decoded.kind != "malformed":
            sent = self._sent(decoded, at)
            session.sent.append(sent)
            if sent.kind == "open_request" and session.asked is None:
                session.asked = sent
        elif decoded.canister_message is not None and decoded.message is not None:
            session.received.append(self._received(decoded, at))

    def _sent(self, decoded: DecodedFrame, at: float) -> Sent:
        assert decoded.envelope is not None
        expiry_ns = decoded.envelope.content.get("ingress_expiry")
        reports = decoded.service.last_incoming_sequence_num if isinstance(decoded.service, KeepAliveMessage) else None
        return Sent(
            decoded.number,
            at,
            decoded.kind,
            decoded.sequence_num,
            None if decoded.message is None else self.origin.of_ns(decoded.message.timestamp_ns),
            self.origin.of_ns(expiry_ns) if isinstance(expiry_ns, int) else None,
            reports,
        )

    def _received(self, decoded: DecodedFrame, at: float) -> Received:
        assert decoded.canister_message is not None
        assert decoded.message is not None
        certified_ns = _certified_ns(decoded.canister_message.cert)
        service = decoded.service
        return Received(
            decoded.number,
            at,
            decoded.kind,
            self.origin.of_ns(decoded.message.timestamp_ns),
            None if certified_ns is None else self.origin.of_ns(certified_ns),
            decoded.sequence_num,
            service.last_incoming_sequence_num if isinstance(service, AckMessage) else None,
            service.reason if isinstance(service, CloseMessage) else None,
        )


def _certified_ns(cert: bytes) -> int | None:
    """Return the time in a certificate, or None if there is none or it cannot be decoded."""
    try:
        return time_ns_cached(cert)
    except DecodeError:
        return None


def instants(capture: Capture, frames: Iterable[DecodedFrame] | None = None) -> Instants:
    """Return the instants of a whole capture. ``frames`` are its decoded frames, if the caller has them."""
    found = Instants(capture)
    found.feed(shared_frames(capture) if frames is None else frames)
    return found
