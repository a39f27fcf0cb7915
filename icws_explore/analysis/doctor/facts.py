"""What a recording says, worked out once for all rules: its sessions, their proofs, and how they ended.

`CaptureFacts` is a whole recording. `SessionFacts` is one WebSocket session in it, up to its first close: after
its own close(4000) the SDK goes on processing frames, and what happens then is not the cause of anything.
Sockets that speak another protocol are no sessions; `CaptureFacts.left_out` lists them.

Everything is computed on first use and kept. All times are seconds since the epoch on the recording's clock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from itertools import accumulate, pairwise
from math import inf
from typing import Final

from icws_explore.capture import Capture, cut_note
from icws_explore.capture.files import collector_paused
from icws_explore.capture.upgrade import Upgrade
from icws_explore.protocol.certificate import check_certificate
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import ACK_INTERVAL_MS, MAINNET_ROOT_KEY, NS_PER_S, OPEN_TIMEOUT_MS
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, OpenMessage
from icws_explore.protocol.steps import Step

from ..decode import DecodedFrame, shared_frames
from ..envelopes import EnvelopeVerdict, capture_canister, check_frames
from ..network_calls import NetworkCall
from ..verify import MessageVerdict, verify_frames
from .finding import LeftOut
from .lookups import Neighbours
from .network_side import NetworkSide, Polled
from .other_protocols import protocol_of
from .proofs import certificate_time_s, check_without_root_key, matching_root_key

OPEN_LIMIT_S: Final = OPEN_TIMEOUT_MS / 1000
TOLERANCE_S: Final = 2.0  # how late a timer of a busy machine may fire
POLL_WINDOW_S: Final = 5.0  # a gateway ends its sessions as soon as it has the answer to a fatal poll
BUSY_S: Final = 0.5  # real seconds for which a machine may be busy
QUICK_S: Final = 1.0  # a query is answered faster than this, a call that has to be executed is not
LOOP: Final = 3  # sessions that fail alike, after which it is no accident
NO_CODE: Final = (None, CloseCode.NO_STATUS_RCVD)  # of a close frame without a code
LOST: Final = CloseCode.ABNORMAL_CLOSURE  # of a connection that ended without a close frame
SWITCHING_PROTOCOLS: Final = 101  # the HTTP status of a successful upgrade

Path = tuple[Principal | None, Principal | None]  # the gateway and the canister of a session
CanisterClient = tuple[Principal | None, Principal]  # the canister and the client's principal

__all__ = [
    "LOOP",
    "LOST",
    "NO_CODE",
    "TOLERANCE_S",
    "CanisterClient",
    "CaptureFacts",
    "Path",
    "SessionFacts",
    "made_apart_s",
]


class CaptureFacts:
    """A recording and its sessions. ``root_key`` (DER) and ``canister_id`` override what the recording says.

    ``known_root_keys`` (DER) are further keys under which a certificate may verify. Mainnet's key, the
    recording's own and those that a network named in the recording are always among them. ``frames`` are the
    recording's decoded frames, if they are decoded already.
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
        self.has_real_crypto = capture.info.crypto == "real"

    @property
    def jitter_s(self) -> float:
        """How long a busy moment of the machine is on the recording's clock (s). 0 unless the clock is scaled."""
        clock = self.capture.info.clock
        return BUSY_S * clock.scale if clock.kind == "scaled" else 0.0

    @property
    def is_local(self) -> bool:
        """Whether the network or the gateway is on the same machine: a local replica, not mainnet."""
        urls = (self.capture.info.network_url, self.capture.info.gateway_url)
        return any(host in url for url in urls if url for host in ("//127.", "//localhost", "//[::1]", "//0.0.0.0"))

    @cached_property
    def frames(self) -> list[DecodedFrame]:
        """All frames of the recording, decoded."""
        with collector_paused():
            return list(shared_frames(self.capture) if self._frames is None else self._frames)

    @cached_property
    def root_key(self) -> bytes | None:
        """The root key (DER) to verify under: the given or recorded one, else a known one that fits, else None."""
        if self._named_key is not None or not self.has_real_crypto:
            return self._named_key
        return matching_root_key(self.frames, self.known_root_keys)

    @cached_property
    def _sockets(self) -> Mapping[str | None, list[DecodedFrame]]:
        by_name: dict[str | None, list[DecodedFrame]] = {}
        for decoded in self.frames:
            if not decoded.frame.is_http:
                by_name.setdefault(decoded.frame.session, []).append(decoded)
        return by_name

    @cached_property
    def _other_protocols(self) -> Mapping[str | None, str]:
        """The sockets that speak another protocol, and which one.

        Whoever records a tap or a live session has named the gateway. There a socket of another protocol is
        left out only beside a session of this one; alone, it is a wrong URL (NO_HANDSHAKE).
        """
        found = {name: protocol_of(frames) for name, frames in self._sockets.items()}
        others = {name: protocol for name, protocol in found.items() if protocol is not None}
        if self.capture.info.origin in ("har", "pcap", "mitmproxy") or len(others) < len(self._sockets):
            return others
        return {}

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The sockets that speak another protocol."""
        return tuple(LeftOut(name, protocol) for name, protocol in self._other_protocols.items())

    @cached_property
    def sessions(self) -> tuple[SessionFacts, ...]:
        """The sessions of this protocol, in the order of their first frames."""
        return tuple(
            SessionFacts(self, name, frames)
            for name, frames in self._sockets.items()
            if name not in self._other_protocols
        )

    @cached_property
    def neighbours(self) -> Neighbours:
        """The other sessions of a session's client, gateway or canister."""
        return Neighbours(self.sessions)

    @cached_property
    def notes(self) -> frozenset[str]:
        """What the recorder noted."""
        return frozenset(self.capture.notes)

    @cached_property
    def is_dated(self) -> bool:
        """Whether a session received a message; its certificate tells what time it was."""
        return any(session.received for session in self.sessions)

    @cached_property
    def upgrades(self) -> Mapping[str | None, float]:
        """By session, when its WebSocket was opened. A tap records it for a gateway that then says nothing."""
        return {f.session: f.t for f in self.capture.http if f.op == "response" and f.code == SWITCHING_PROTOCOLS}

    @cached_property
    def failed_upgrades(self) -> list[tuple[int, Upgrade]]:
        """The WebSockets that never opened, with the numbers of their frames."""
        frames = enumerate(self.capture.frames)
        return [(number, upgrade) for number, frame in frames if (upgrade := Upgrade.of(frame)) is not None]

    @cached_property
    def verdicts(self) -> Mapping[int, MessageVerdict]:
        """By frame number, the verification of each canister message; without signatures if no root key is known."""
        if not self.has_real_crypto:
            return {}
        verified = verify_frames(
            self.frames,
            self.capture,
            root_key=self.root_key or b"",
            canister_id=self.canister_id,
            check_certificate=check_without_root_key if self.root_key is None else check_certificate,
        )
        return {verdict.frame: verdict for verdict in verified}

    @cached_property
    def envelope_verdicts(self) -> Mapping[int, EnvelopeVerdict]:
        """By frame number, the verification of each client request that the network is not known to have accepted."""
        if not self.has_real_crypto:
            return {}
        admitted = {number for number, call in self.network.answers.items() if call.is_admitted}
        mine = {decoded.number for session in self.sessions for decoded in session.all_frames}
        frames = (decoded for decoded in self.frames if decoded.number in mine and decoded.number not in admitted)
        checked = check_frames(frames, root_key=self.root_key, canister_id=self.canister_id)
        return {verdict.frame: verdict for verdict in checked}

    @cached_property
    def served_paths(self) -> frozenset[Path]:
        """The gateways and canisters through which a session opened."""
        return frozenset(session.path for session in self.sessions if session.opened is not None)

    @cached_property
    def first_poll_failures(self) -> Mapping[Path, list[SessionFacts]]:
        """By gateway and canister, the sessions that ended because the gateway's first poll failed."""
        found: dict[Path, list[SessionFacts]] = {}
        for session in self.sessions:
            if session.fails_at_first_poll:
                found.setdefault(session.path, []).append(session)
        return found

    @cached_property
    def ack_spacing_s(self) -> Mapping[Principal | None, float]:
        """By canister, the shortest time (s) between two acks of a session, by the canister's own timestamps."""
        found: dict[Principal | None, float] = {}
        for session in self.sessions:
            canister = session.asked_canister
            for one, other in pairwise(session.acks):
                found[canister] = min(made_apart_s(one, other), found.get(canister, inf))
        return found

    @cached_property
    def received_by_path(self) -> Mapping[Path, list[tuple[float, int, DecodedFrame, SessionFacts]]]:
        """By gateway and canister, the canister messages of all sessions by their times and numbers."""
        found: dict[Path, list[tuple[float, int, DecodedFrame, SessionFacts]]] = {}
        for session in self.sessions:
            found.setdefault(session.path, []).extend((d.frame.t, d.number, d, session) for d in session.received)
        return {path: sorted(those, key=lambda each: each[:2]) for path, those in found.items()}

    def received_by_others(self, session: SessionFacts, since: float, until: float) -> tuple[int, DecodedFrame | None]:
        """How many messages other sessions of the same gateway and canister received between, and the first one."""
        heard = self.received_by_path[session.path]
        start, stop = bisect_right(heard, (since, inf)), bisect_left(heard, (until,))
        first = next((heard[at][2] for at in range(start, stop) if heard[at][3] is not session), None)
        return stop - start - sum(since < d.frame.t < until for d in session.received), first

    @cached_property
    def clock_slow_s(self) -> float:
        """By how many seconds the recorder's clock is slow at least, by the times in the certificates; 0 if none says.

        A certificate cannot come before it was made. Only for recorders that stamp all sessions by one clock.
        """
        if self.capture.info.origin not in ("tap", "har", "pcap", "mitmproxy"):
            return 0.0
        times = ((certificate_time_s(d), d.frame.t) for session in self.sessions for d in session.received)
        return max((certified - t for certified, t in times if certified is not None), default=0.0)


def made_apart_s(one: DecodedFrame, other: DecodedFrame) -> float:
    """The time (s) between two canister messages by the canister's clock, however long each was under way."""
    if one.message is None or other.message is None:
        return 0.0
    return (other.message.timestamp_ns - one.message.timestamp_ns) / NS_PER_S


class SessionFacts:
    """One WebSocket session up to its first close."""

    def __init__(self, facts: CaptureFacts, name: str | None, frames: list[DecodedFrame]) -> None:
        self.facts = facts
        self.name = name
        self.all_frames = frames
        closes = [index for index, decoded in enumerate(frames) if decoded.frame.op == "close"]
        self.frames = frames[: closes[0] + 1] if closes else frames
        self.end: DecodedFrame | None = frames[closes[0]] if closes else None

    # What passed

    @cached_property
    def handshake(self) -> DecodedFrame | None:
        """The gateway's handshake."""
        return next((d for d in self.frames if d.handshake is not None), None)

    @property
    def gateway(self) -> Principal | None:
        """The gateway's principal, as its handshake names it."""
        if self.handshake is None or self.handshake.handshake is None:
            return None
        return self.handshake.handshake.gateway_principal

    @cached_property
    def requests(self) -> list[tuple[DecodedFrame, Envelope]]:
        """The client's frames that hold an envelope."""
        return [(d, d.envelope) for d in self.frames if d.envelope is not None]

    @cached_property
    def open_request(self) -> DecodedFrame | None:
        """The client's first ws_open."""
        return next((d for d in self.frames if d.open_args is not None), None)

    @cached_property
    def opened(self) -> DecodedFrame | None:
        """The canister's OpenMessage."""
        return next((d for d in self.received if isinstance(d.service, OpenMessage)), None)

    @cached_property
    def received(self) -> list[DecodedFrame]:
        """The canister messages whose sequence number could be read."""
        return [d for d in self.frames if d.canister_message is not None and d.message is not None]

    @cached_property
    def sent(self) -> list[DecodedFrame]:
        """The client's numbered messages: application messages and keep-alives. A request sent twice counts once."""
        numbered = [d for d in self.frames if d.envelope is not None and d.sequence_num is not None]
        return list({d.frame.data: d for d in reversed(numbered)}.values())[::-1]

    @cached_property
    def acks(self) -> list[DecodedFrame]:
        """The canister's AckMessages."""
        return [d for d in self.received if isinstance(d.service, AckMessage)]

    @cached_property
    def canister_close(self) -> DecodedFrame | None:
        """The canister's first CloseMessage."""
        return next((d for d in self.received if isinstance(d.service, CloseMessage)), None)

    # Who takes part

    @cached_property
    def client_key(self) -> ClientKey | None:
        """The client's principal and nonce, as its ws_open has them."""
        opening = self.open_request
        if opening is None or opening.envelope is None or opening.open_args is None or opening.envelope.sender is None:
            return None
        return ClientKey(opening.envelope.sender, opening.open_args.client_nonce)

    @cached_property
    def client(self) -> CanisterClient | None:
        """The canister and the client's principal; None without a ws_open."""
        return None if self.client_key is None else (self.asked_canister, self.client_key.client_principal)

    @cached_property
    def canister_id(self) -> Principal | None:
        """The canister that was meant: the configured one, else the one that the first request names."""
        if self.facts.canister_id is not None:
            return self.facts.canister_id
        return self.asked_canister

    @cached_property
    def asked_canister(self) -> Principal | None:
        """The canister that the first request names."""
        return next((e.canister_id for _, e in self.requests if e.canister_id is not None), None)

    @property
    def path(self) -> Path:
        """The gateway and the canister."""
        return self.gateway, self.asked_canister

    @property
    def configured_interval_s(self) -> float | None:
        """The client's ack interval (s), if the recording says it."""
        configured_ms = self.facts.capture.info.ack_interval_ms
        return None if configured_ms is None else configured_ms / 1000

    @property
    def ack_interval_s(self) -> float:
        """The client's ack interval (s): as configured, else the SDK's default."""
        return ACK_INTERVAL_MS / 1000 if self.configured_interval_s is None else self.configured_interval_s

    # When and how it ended

    @property
    def began(self) -> float:
        """The time of the first frame."""
        return self.frames[0].frame.t

    @cached_property
    def connected(self) -> float:
        """When the connection was made; the time of the first frame if the recording does not say it."""
        if (upgraded := self.facts.upgrades.get(self.name)) is not None:
            return min(upgraded, self.began)
        info, is_alone = self.facts.capture.info, len(self.facts.sessions) == 1
        is_comparable = info.origin in ("live", "simulated") and info.clock.kind != "scaled"
        if not is_alone or info.started_at is None or not is_comparable:
            return self.began
        try:
            return min(datetime.fromisoformat(info.started_at).timestamp(), self.began)
        except ValueError:
            return self.began

    @cached_property
    def last(self) -> float:
        """The time of the last frame up to the end."""
        return max(d.frame.t for d in self.frames)

    @cached_property
    def last_heard(self) -> float:
        """The time of the last canister message; minus infinity if there is none."""
        return max((d.frame.t for d in self.received), default=-inf)

    @cached_property
    def last_used(self) -> float:
        """When its client last did something; minus infinity if it did nothing.

        A HAR holds no ends, and a connection that broke is noticed minutes later.
        """
        return max(
            (d.frame.t for d in self.frames if d.frame.direction == "out" and d.frame.code != LOST), default=-inf
        )

    def at(self, decoded: DecodedFrame) -> float:
        """How long after the session's first frame a frame passed (s)."""
        return decoded.frame.t - self.began

    def closed_by_client(self, reason: str) -> bool:
        """Whether the SDK ended the session with code 4000 and that reason, or the answer to such a close says so."""
        end = None if self.end is None else self.end.frame
        return end is not None and end.code == CloseCode.CLOSED_BY_SDK and end.reason == reason

    @property
    def end_frames(self) -> tuple[int, ...]:
        """The number of the close frame, if there is one."""
        return () if self.end is None else (self.end.number,)

    @property
    def is_lost(self) -> bool:
        """Whether the connection ended without a close frame (1006) while neither side had closed the session.

        A session that was still open when the tap ended was cut by the tap, which says nothing about the session.
        """
        lost = self.end is not None and self.end.frame.code == LOST and self.canister_close is None
        return lost and cut_note(self.name) not in self.facts.notes

    @property
    def silence_s(self) -> float:
        """How long nothing passed before the end (s); 0 if there is no end."""
        before = [d.frame.t for d in self.frames if d is not self.end]
        return self.end.frame.t - max(before) if self.end is not None and before else 0.0

    @cached_property
    def is_unanswered(self) -> bool:
        """ws_open was sent, and no OpenMessage came in the 60 s for which the SDK waits."""
        if self.open_request is None or self.opened is not None:
            return False
        waited = self.last - self.open_request.frame.t
        return self.closed_by_client("Open connection timeout") or waited >= OPEN_LIMIT_S

    @property
    def ends_at_open_request(self) -> bool:
        """Whether nothing follows ws_open in a HAR, which says neither how long the page waited nor how it ended."""
        is_last = self.open_request is not None and self.frames[-1] is self.open_request
        return is_last and self.facts.capture.info.origin == "har"

    # What the network answered

    def answer(self, decoded: DecodedFrame | None) -> NetworkCall | None:
        """The network call that the gateway made for a frame of the client; None if it is not recorded."""
        return None if decoded is None else self.facts.network.answers.get(decoded.number)

    def is_admitted(self, decoded: DecodedFrame) -> bool:
        """Whether the network is known to have accepted the request, so that its envelope was good.

        Its answer says so, or the canister's: an OpenMessage for ws_open, an ack for a message.
        """
        call = self.answer(decoded)
        if call is not None:
            return call.is_admitted
        if decoded is self.open_request:
            return self.opened is not None and self.is_authentic(self.opened)
        return 0 < (decoded.sequence_num or 0) <= self._acked

    @cached_property
    def _acked(self) -> int:
        """The highest number that an authentic ack covers."""
        acks = (d.service for d in self.acks if self.is_authentic(d))
        return max((ack.last_incoming_sequence_num for ack in acks if isinstance(ack, AckMessage)), default=0)

    @cached_property
    def altered_request(self) -> DecodedFrame | None:
        """The first request that a replica would refuse although the canister is known to have received it.

        So the recording holds other bytes than the client sent, and tells nothing about any envelope.
        """
        for decoded, _ in self.requests:
            verdict = self.facts.envelope_verdicts.get(decoded.number)
            if verdict is not None and verdict.failure is not None and self.is_admitted(decoded):
                return decoded
        return None

    def envelope_failure(self, decoded: DecodedFrame) -> Step | None:
        """The step at which a replica refuses a request; None if it accepts it, or if nothing can be said."""
        verdict = self.facts.envelope_verdicts.get(decoded.number)
        if verdict is None or self.altered_request is not None:
            return None
        return verdict.failure

    @cached_property
    def has_network_side(self) -> bool:
        """Whether the recording holds what passed between this session's gateway and the network."""
        return self.facts.network.is_recorded((d.number for d, _ in self.requests), self.gateway)

    def polled(self, decoded: DecodedFrame) -> Polled | None:
        """The same canister message as the canister gave it to the gateway, if that poll is recorded."""
        if decoded.canister_message is None:
            return None
        return self.facts.network.polls.messages.get((self.asked_canister, decoded.canister_message.key))

    @cached_property
    def polled_messages(self) -> list[Polled]:
        """All messages that the canister gave the gateway for this client, as far as polls are recorded."""
        return self.facts.network.polls.for_client(self.asked_canister, self.client_key)

    def polls_are_recorded(self, since: float, until: float) -> bool:
        """Whether the recording holds successful polls between those times."""
        return self.facts.network.polls.is_recorded(self.asked_canister, self.gateway, since, until)

    @cached_property
    def failed_polls(self) -> list[NetworkCall]:
        """The failed polls of this session's gateway to its canister while the session lasted."""
        failed = self.facts.network.failed_polls_between
        return failed(self.asked_canister, self.gateway, self.began, self.last)

    @cached_property
    def fatal_poll(self) -> NetworkCall | None:
        """The poll after whose answer the gateway gave the canister up and ended this session."""
        if self.end is None:
            return None
        window_s, end = max(POLL_WINDOW_S, self.facts.jitter_s), self.end.frame.t
        return self.facts.network.fatal_poll_near(self.asked_canister, self.gateway, end, window_s)

    @cached_property
    def fails_at_first_poll(self) -> bool:
        """Whether the gateway gave up faster than a call is executed, and no recorded answer says why.

        A recording that names the application's message type knows the canister's interface, so there the
        canister has the ws_ methods.
        """
        end, opening = self.end, self.open_request
        if opening is None or end is None or self.opened is not None or self.facts.capture.info.app_type is not None:
            return False
        is_dropped = end.frame.direction == "in" and end.frame.code in NO_CODE
        is_quick = end.frame.t - opening.frame.t < QUICK_S
        has_answer = self.answer(opening) is not None or self.fatal_poll is not None
        return (
            is_dropped and is_quick and not has_answer and self.could_open and self.path not in self.facts.served_paths
        )

    # Proofs

    @property
    def could_open(self) -> bool:
        """Whether nothing is wrong with ws_open: its sender, its gateway and its signature."""
        opening = self.open_request
        if opening is None or opening.open_args is None or opening.envelope is None or opening.envelope.sender is None:
            return False
        is_this_gateway = opening.open_args.gateway_principal == self.gateway
        return is_this_gateway and not opening.envelope.sender.is_anonymous and self.refused_request is None

    @cached_property
    def rejected_message(self) -> tuple[DecodedFrame, Step] | None:
        """The first canister message that the SDK rejects, and the step that fails."""
        if self.canister_id is None:
            return None
        for decoded in self.frames:
            verdict = self.facts.verdicts.get(decoded.number)
            failure = None if verdict is None else verdict.failure
            if failure is not None and failure.step != "client_key":
                return decoded, failure
        return None

    @cached_property
    def refused_request(self) -> tuple[DecodedFrame, Step] | None:
        """The first request that a replica refuses, and the step that fails. The frame's time is taken as its clock."""
        for decoded, _ in self.requests:
            failure = self.envelope_failure(decoded)
            if failure is not None:
                return decoded, failure
        return None

    @property
    def valid_text(self) -> str:
        """What to call a proof of which no step fails."""
        if self.facts.root_key is not None:
            return "valid"
        return "valid as far as it was checked (its signature was not: no root key is known)"

    def reaches_sdk(self, decoded: DecodedFrame) -> bool:
        """Whether the SDK acts on a canister message: neither it nor one before it is rejected or out of order."""
        if self.rejected_message is not None and self.rejected_message[0].number <= decoded.number:
            return False
        return decoded.number < self._first_out_of_order

    @cached_property
    def _first_out_of_order(self) -> float:
        """The frame of the first canister message that does not follow the one before; infinite if all do."""
        pairs = pairwise(self.received)
        return next((d.number for before, d in pairs if (d.sequence_num or 0) != (before.sequence_num or 0) + 1), inf)

    def highest_sent(self, before: DecodedFrame) -> int:
        """The highest number that the client had sent before a frame; 0 if it had sent none."""
        frames, highest = self._sent_so_far
        return highest[bisect_left(frames, before.number)]

    @cached_property
    def _sent_so_far(self) -> tuple[list[int], list[int]]:
        """The frames of the client's numbered messages; and the highest number before each, and after the last."""
        sent = sorted(self.sent, key=lambda d: d.number)  # a request that was sent twice stands at its second place
        return [d.number for d in sent], list(accumulate((d.sequence_num or 0 for d in sent), max, initial=0))

    def is_authentic(self, decoded: DecodedFrame) -> bool:
        """Whether no step of a message's proof fails, as far as it was checked."""
        verdict = self.facts.verdicts.get(decoded.number)
        return verdict is None or verdict.failure is None or verdict.failure.step in ("sequence", "client_key")
