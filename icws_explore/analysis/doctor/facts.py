"""What a capture says, derived once for all rules: decoded frames, proofs, keys, and its sessions.

What can be said of a message's proof where no root key is known: all but who signed the certificate.

A HAR or a packet capture names no network. That the content is not the one of the witness, the witness
not the one that was certified, the certificate too old or of another canister shows all the same.

What a capture says of one session, derived once for all rules: who, when, how it ended, what was proved.

A session is judged up to its first close: the SDK goes on with frames after its own close(4000), and
what comes of those is no cause of anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Final

from icws_explore.capture import Capture
from icws_explore.protocol.certificate import Certificate, check_certificate, decode_cached, time_step
from icws_explore.protocol.constants import ACK_INTERVAL_MS, CLOSE_BY_SDK, MAINNET_ROOT_KEY, NS_PER_S, OPEN_TIMEOUT_MS
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, OpenMessage
from icws_explore.protocol.steps import Step

from ..decode import DecodedFrame, shared_frames
from ..envelopes import EnvelopeVerdict, capture_canister, check_frames
from ..network_calls import NetworkCall
from ..verify import MessageVerdict, verify_frames
from .network_side import NetworkSide, Polled

OF_THE_CERTIFICATE = ("parse", "delegation", "signature")
_TRIED = 3  # messages; one of them may have been altered
_LEFT_OUT = "left out: no root key is known"


def check_but_signature(
    cert: bytes, *, canister_id: object, root_key: bytes, now_ns: int, max_age_s: float
) -> tuple[Certificate | None, list[Step]]:
    """In the place of check_certificate: whatever signature and delegation there are, they pass."""
    del canister_id, root_key
    try:
        certificate = decode_cached(cert)
    except DecodeError as error:
        return None, [Step("parse", False, str(error))]
    passed = [Step(name, True, _LEFT_OUT) for name in OF_THE_CERTIFICATE]
    return certificate, [*passed, time_step(certificate, now_ns, max_age_s)]


def certifies(decoded: DecodedFrame, root_key: bytes | None) -> bool:
    """Whether the certificate of a canister message is signed under that root key (DER), whatever its age."""
    if root_key is None or decoded.canister_message is None:
        return False
    now_ns = round(decoded.frame.t * NS_PER_S)
    _, steps = check_certificate(decoded.canister_message.cert, canister_id=None, root_key=root_key, now_ns=now_ns)
    return all(step.ok for step in steps if step.step in OF_THE_CERTIFICATE)


def fitting_root_key(frames: Iterable[DecodedFrame], root_keys: Iterable[bytes]) -> bytes | None:
    """That of ``root_keys`` (DER) under which the first messages were certified; None: none of them."""
    messages = [decoded for decoded in frames if decoded.canister_message is not None][:_TRIED]
    return next((key for key in root_keys if any(certifies(decoded, key) for decoded in messages)), None)


OPEN_LIMIT_S: Final = OPEN_TIMEOUT_MS / 1000
TOLERANCE_S: Final = 2.0  # what a timer and a busy machine may be late by

POLL_WINDOW_S: Final = 5.0  # a gateway ends its sessions as soon as it has the answer to a fatal poll
NO_CODE: Final = (None, 1005)  # of a close frame that carries none
LOST: Final = 1006  # of a connection that ended without a close frame


class SessionFacts:
    """One WebSocket session up to its end. Times are seconds since the epoch, on the capture's clock."""

    def __init__(self, whole: CaptureFacts, name: str | None, frames: list[DecodedFrame]) -> None:
        self.whole = whole
        self.name = name
        self.all_frames = frames
        closes = [index for index, decoded in enumerate(frames) if decoded.frame.op == "close"]
        self.frames = frames[: closes[0] + 1] if closes else frames
        self.end: DecodedFrame | None = frames[closes[0]] if closes else None

    # Who and what

    @cached_property
    def handshake(self) -> DecodedFrame | None:
        return next((d for d in self.frames if d.handshake is not None), None)

    @property
    def gateway(self) -> Principal | None:
        """Who the gateway says it is."""
        if self.handshake is None or self.handshake.handshake is None:
            return None
        return self.handshake.handshake.gateway_principal

    @cached_property
    def requests(self) -> list[tuple[DecodedFrame, Envelope]]:
        """What the client sent that is an envelope at least."""
        return [(d, d.envelope) for d in self.frames if d.envelope is not None]

    @cached_property
    def open_request(self) -> DecodedFrame | None:
        return next((d for d in self.frames if d.open_args is not None), None)

    @cached_property
    def opened(self) -> DecodedFrame | None:
        return next((d for d in self.received if isinstance(d.service, OpenMessage)), None)

    @cached_property
    def received(self) -> list[DecodedFrame]:
        """Canister messages whose sequence number could be read."""
        return [d for d in self.frames if d.canister_message is not None and d.message is not None]

    @cached_property
    def sent(self) -> list[DecodedFrame]:
        """What the client numbered: messages and keep-alives."""
        return [d for d in self.frames if d.envelope is not None and d.sequence_num is not None]

    @cached_property
    def acks(self) -> list[DecodedFrame]:
        return [d for d in self.received if isinstance(d.service, AckMessage)]

    @cached_property
    def canister_close(self) -> DecodedFrame | None:
        """The first CloseMessage."""
        return next((d for d in self.received if isinstance(d.service, CloseMessage)), None)

    @cached_property
    def client_key(self) -> ClientKey | None:
        opening = self.open_request
        if opening is None or opening.envelope is None or opening.open_args is None or opening.envelope.sender is None:
            return None
        return ClientKey(opening.envelope.sender, opening.open_args.client_nonce)

    @cached_property
    def canister_id(self) -> Principal | None:
        """The canister that was meant: the configured one, else that of the first request."""
        if self.whole.canister_id is not None:
            return self.whole.canister_id
        return self.asked_canister

    @cached_property
    def asked_canister(self) -> Principal | None:
        """The canister that the first request names."""
        return next((e.canister_id for _, e in self.requests if e.canister_id is not None), None)

    @property
    def configured_interval_s(self) -> float | None:
        """The client's ack interval, where the capture says it."""
        configured_ms = self.whole.capture.info.ack_interval_ms
        return None if configured_ms is None else configured_ms / 1000

    @property
    def ack_interval_s(self) -> float:
        return ACK_INTERVAL_MS / 1000 if self.configured_interval_s is None else self.configured_interval_s

    # When and how

    @property
    def began(self) -> float:
        return self.frames[0].frame.t

    @cached_property
    def connected(self) -> float:
        """When the connection was made; where nothing tells, the time of the first frame."""
        if (upgraded := self.whole.upgrades.get(self.name)) is not None:
            return min(upgraded, self.began)
        info, alone = self.whole.capture.info, len(self.whole.sessions) == 1
        is_comparable = info.origin in ("live", "simulated") and info.clock.kind != "scaled"
        if not alone or info.started_at is None or not is_comparable:
            return self.began
        try:
            return min(datetime.fromisoformat(info.started_at).timestamp(), self.began)
        except ValueError:
            return self.began

    @property
    def last(self) -> float:
        """The time of the last frame up to the end."""
        return max(d.frame.t for d in self.frames)

    def at(self, decoded: DecodedFrame) -> float:
        """Seconds since the session's first frame."""
        return decoded.frame.t - self.began

    def closed_by_client(self, reason: str) -> bool:
        """Whether the SDK ended it with code 4000 and that reason, be it the answer to its close that was recorded."""
        end = None if self.end is None else self.end.frame
        return end is not None and end.code == CLOSE_BY_SDK and end.reason == reason

    @property
    def end_frames(self) -> tuple[int, ...]:
        return () if self.end is None else (self.end.number,)

    # What the network said

    def answer(self, decoded: DecodedFrame | None) -> NetworkCall | None:
        """The call that the gateway made of the client's frame; None where the recording has no such thing."""
        return None if decoded is None else self.whole.network.answers.get(decoded.number)

    def is_admitted(self, decoded: DecodedFrame) -> bool:
        """The network is known to have taken the request up: nothing is wrong with its envelope."""
        call = self.answer(decoded)
        return call is not None and call.is_admitted

    @cached_property
    def has_network_side(self) -> bool:
        """What passed between this session's gateway and the network is in the recording."""
        return self.whole.network.is_recorded((d.number for d, _ in self.requests), self.gateway)

    def polled(self, decoded: DecodedFrame) -> Polled | None:
        """That canister message as the canister gave it to the gateway, where the poll is recorded."""
        if decoded.canister_message is None:
            return None
        return self.whole.network.polls.messages.get((self.asked_canister, decoded.canister_message.key))

    @cached_property
    def given(self) -> list[Polled]:
        """All that the canister gave for this client."""
        return self.whole.network.polls.for_client(self.asked_canister, self.client_key)

    def polls_are_recorded(self, since: float, until: float) -> bool:
        """Whether the recording holds polls that went well between those times (seconds since the epoch)."""
        return self.whole.network.polls.is_recorded(self.asked_canister, self.gateway, since, until)

    @cached_property
    def fatal_poll(self) -> NetworkCall | None:
        """The poll at whose answer the gateway gave the canister up when it ended this session."""
        if self.end is None:
            return None
        window_s, end = max(POLL_WINDOW_S, self.whole.jitter_s), self.end.frame.t
        polls = self.whole.network.fatal_polls(self.asked_canister, self.gateway)
        times = [(call, self.whole.capture.frames[call.response or call.request].t) for call in polls]
        return next((call for call, t in reversed(times) if abs(t - end) <= window_s), None)

    @cached_property
    def is_unanswered(self) -> bool:
        """ws_open was sent, and no OpenMessage came in the 60 s for which the SDK waits."""
        if self.open_request is None or self.opened is not None:
            return False
        waited = self.last - self.open_request.frame.t
        return self.closed_by_client("Open connection timeout") or waited >= OPEN_LIMIT_S

    # Proofs

    @cached_property
    def bad_message(self) -> tuple[DecodedFrame, Step] | None:
        """The first canister message that the SDK refuses, and at which step."""
        if self.canister_id is None:
            return None
        for decoded in self.frames:
            verdict = self.whole.verdicts.get(decoded.number)
            failure = None if verdict is None else verdict.failure
            if failure is not None and failure.step != "client_key":
                return decoded, failure
        return None

    @cached_property
    def bad_request(self) -> tuple[DecodedFrame, Step] | None:
        """The first request that a replica refuses, and at which step; the time taken from the frame."""
        for decoded, _ in self.requests:
            verdict = self.whole.envelope_verdicts.get(decoded.number)
            failure = None if verdict is None else verdict.failure
            if failure is not None:
                return decoded, failure
        return None

    @property
    def genuine(self) -> str:
        """What a proof is in which no step fails."""
        return "genuine" if self.whole.root_key is not None else "whole (who signed it is not judged: no root key)"

    def is_heeded(self, decoded: DecodedFrame) -> bool:
        """Neither that message nor one before it is bad: the SDK gets as far as to act on it."""
        if self.bad_message is not None and self.bad_message[0].number <= decoded.number:
            return False
        numbers = [d.sequence_num or 0 for d in self.received if d.number <= decoded.number]
        return all(later == earlier + 1 for earlier, later in pairwise(numbers))

    def is_authentic(self, decoded: DecodedFrame) -> bool:
        """No step of the proof fails; so far as proofs are judged at all."""
        verdict = self.whole.verdicts.get(decoded.number)
        return verdict is None or verdict.failure is None or verdict.failure.step in ("sequence", "client_key")


BUSY_S: Final = 0.5  # real seconds
SWITCHING_PROTOCOLS: Final = 101  # an HTTP status

__all__ = ["LOST", "NO_CODE", "TOLERANCE_S", "CaptureFacts", "SessionFacts"]


class CaptureFacts:
    """A capture and its sessions. ``root_key`` (DER) and ``canister_id`` override the capture's own.

    ``known_root_keys`` are those under which a certificate may verify instead; mainnet's is one always,
    and so are the capture's and those that a network named in the recording.
    """

    def __init__(
        self,
        capture: Capture,
        *,
        root_key: bytes | None = None,
        canister_id: Principal | None = None,
        known_root_keys: Iterable[bytes] = (),
        frames: Sequence[DecodedFrame] | None = None,
    ) -> None:
        self.capture = capture
        self._frames = frames
        self._named_key = capture.info.root_key if root_key is None else root_key
        self.canister_id = canister_id or capture_canister(capture)
        self.network = NetworkSide(capture)
        recorded = () if capture.info.root_key is None else (capture.info.root_key,)
        known = (*known_root_keys, *self.network.root_keys, *recorded, MAINNET_ROOT_KEY)
        self.known_root_keys: tuple[bytes, ...] = tuple(dict.fromkeys(known))
        self.is_judged = capture.info.crypto == "real"  # else no signature was ever meant to hold

    @property
    def jitter_s(self) -> float:
        """What a scaled clock makes of a moment in which a machine was busy: too little to conclude from."""
        clock = self.capture.info.clock
        return BUSY_S * clock.scale if clock.kind == "scaled" else 0.0

    @cached_property
    def frames(self) -> list[DecodedFrame]:
        return list(shared_frames(self.capture) if self._frames is None else self._frames)

    @cached_property
    def root_key(self) -> bytes | None:
        """As given or recorded, DER; else that of the known ones under which the first messages were certified."""
        if self._named_key is not None or not self.is_judged:
            return self._named_key
        return fitting_root_key(self.frames, self.known_root_keys)

    @cached_property
    def sessions(self) -> tuple[SessionFacts, ...]:
        by_name: dict[str | None, list[DecodedFrame]] = {}
        for decoded in self.frames:
            if not decoded.frame.is_http:
                by_name.setdefault(decoded.frame.session, []).append(decoded)
        return tuple(SessionFacts(self, name, frames) for name, frames in by_name.items())

    @cached_property
    def upgrades(self) -> Mapping[str | None, float]:
        """By session, when its WebSocket was opened: a tap records it of gateways that then say nothing."""
        return {f.session: f.t for f in self.capture.http if f.op == "response" and f.code == SWITCHING_PROTOCOLS}

    @cached_property
    def verdicts(self) -> Mapping[int, MessageVerdict]:
        """By frame number, the walk over each canister message; without the signatures where no root key is known."""
        if not self.is_judged:
            return {}
        walked = verify_frames(
            self.frames,
            self.capture,
            root_key=self.root_key or b"",
            canister_id=self.canister_id,
            check_certificate=check_but_signature if self.root_key is None else check_certificate,
        )
        return {verdict.frame: verdict for verdict in walked}

    @cached_property
    def envelope_verdicts(self) -> Mapping[int, EnvelopeVerdict]:
        """By frame number, the walk over each request of a client; not over those that the network took up."""
        if not self.is_judged:
            return {}
        admitted = {number for number, call in self.network.answers.items() if call.is_admitted}
        frames = (decoded for decoded in self.frames if decoded.number not in admitted)
        walked = check_frames(frames, root_key=self.root_key, canister_id=self.canister_id)
        return {verdict.frame: verdict for verdict in walked}
