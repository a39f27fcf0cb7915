"""What a capture says of one session, derived once for all rules: who, when, how it ended, what was proved.

A session is judged up to its first close: the SDK goes on with frames after its own close(4000), and
what comes of those is no cause of anything.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from icws_explore.protocol.constants import ACK_INTERVAL_MS, CLOSE_BY_SDK, OPEN_TIMEOUT_MS
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, OpenMessage
from icws_explore.protocol.steps import Step

from ..decode import DecodedFrame
from ..network_calls import NetworkCall
from .polls import Polled

if TYPE_CHECKING:
    from .facts import CaptureFacts

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
