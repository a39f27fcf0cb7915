"""Where messages were lost: on which side of the gateway, as far as a recording tells.

A client sees only gaps: a number of the canister's that never came, or a message of its own that no ack covers. A tap
in front of the network also sees what the gateway was given and what it passed on (`analysis.doctor.network_side`).
With both, a lost message has a place: before the gateway, at it, or behind it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from icws_explore.analysis.decode import DecodedFrame
from icws_explore.analysis.doctor.network_side import NetworkSide
from icws_explore.analysis.flow import Step
from icws_explore.analysis.network_calls import NetworkCall
from icws_explore.analysis.passages import Place
from icws_explore.analysis.timing.instants import instants
from icws_explore.analysis.timing.skew import skew_of
from icws_explore.capture import Capture
from icws_explore.protocol.constants import LATENCY_BOUND_MS, NS_PER_S
from icws_explore.protocol.service_messages import AckMessage

from ..formatting import one_line, shorten
from ..mermaid import range_text

_PLACES: Final[dict[Place, str]] = {
    "unsent": "not sent by the client",
    "client to gateway": "dropped by the gateway",
    "gateway to canister": "refused by the network",
    "canister to gateway": "not given to the gateway",
    "gateway to client": "dropped by the gateway",
    "unknown": "lost between canister and client",
}
_MAX_RANGES: Final = 5
_MAX_TEXT: Final = 60  # of an answer of the network's
_LATENCY_S: Final = LATENCY_BOUND_MS / 1000


@dataclass(frozen=True, slots=True)
class Loss:
    """Messages that were lost at one place. ``numbers`` are their sequence numbers."""

    place: Place
    numbers: tuple[range, ...]
    why: str = ""

    @property
    def words(self) -> str:
        """What happened to them."""
        return self.why or _PLACES[self.place]

    @property
    def text(self) -> str:
        """Their numbers and what happened to them."""
        shown = ", ".join(range_text(part[0], part[-1]) for part in self.numbers[:_MAX_RANGES])
        more = ", …" if len(self.numbers) > _MAX_RANGES else ""
        return f"{shown}{more} {self.words}"


class Losses:
    """What a recording tells of lost messages in one session. ``frames`` are the session's."""

    def __init__(self, capture: Capture, frames: Sequence[DecodedFrame]) -> None:
        network = NetworkSide(capture) if capture.http else None
        self._answers: Mapping[int, NetworkCall] = {} if network is None else network.answers
        self._relayed = max((decoded.number for decoded in frames if decoded.number in self._answers), default=-1)
        self._start = frames[0].frame.t if frames else 0.0
        self._end = capture.frames[-1].t if frames else 0.0
        self._given = None if network is None else _given(network, frames)
        acks = [decoded.service for decoded in frames if isinstance(decoded.service, AckMessage)]
        self._acked = max((ack.last_incoming_sequence_num for ack in acks), default=0)
        self._unacked = _unacked(capture, frames)

    def before(self, step: Step) -> list[Loss]:
        """The messages that are missing ahead of ``step`` and never came, by the place where they were lost."""
        if step.source == "client":
            return [Loss("unsent", step.lost)] if step.lost else []
        if self._given is None:
            return [Loss("unknown", step.lost)] if step.lost else []
        had = [part for gap in step.lost for part in _parts(gap, self._given, inside=True)]
        never = [part for gap in step.lost for part in _parts(gap, self._given, inside=False)]
        found = [Loss("canister to gateway", tuple(never)), Loss("gateway to client", tuple(had))]
        return [loss for loss in found if loss.numbers]

    def of(self, step: Step) -> Loss | None:
        """Where the client's message in ``step`` was lost; None if it arrived, or if nothing tells that it did not."""
        if step.source != "client" or step.target != "canister":
            return None
        numbers = () if step.sequence_num is None else (range(step.sequence_num, step.sequence_num + 1),)
        if step.sequence_num is not None and step.sequence_num <= self._acked:
            return None
        call = self._answers.get(step.frame)
        if call is not None:
            return Loss("gateway to canister", numbers, _answer_text(call)) if call.failed else None
        is_over = self._relayed > step.frame or self._start + step.at_s + _LATENCY_S < self._end
        if self._relayed >= 0 and is_over:
            return Loss("client to gateway", numbers)
        return Loss("unknown", numbers, self._unacked[step.frame]) if step.frame in self._unacked else None


def _answer_text(call: NetworkCall) -> str:
    return shorten(one_line(f"{call.outcome}: {' '.join(call.text.split())}"), _MAX_TEXT)


def _given(network: NetworkSide, frames: Sequence[DecodedFrame]) -> list[int] | None:
    """The numbers that the canister gave the gateway for this client, sorted; None if its polls are not recorded."""
    keys = {decoded.message.client_key for decoded in frames if decoded.message is not None}
    numbers = {
        polled.sequence_num for polled in network.polls.messages.values() if polled.message.client_key in keys
    } - {None}
    return sorted(number for number in numbers if number is not None) or None


def _parts(gap: range, given: Sequence[int], *, inside: bool) -> Iterator[range]:
    """The parts of ``gap`` whose numbers are in ``given`` (sorted), or those whose numbers are not."""
    known = given[bisect_left(given, gap.start) : bisect_left(given, gap.stop)]
    start = gap.start
    for number in [*known, gap.stop]:
        if not inside and number > start:
            yield range(start, number)
        if inside and number < gap.stop:
            yield range(number, number + 1)
        start = number + 1


def _unacked(capture: Capture, frames: Sequence[DecodedFrame]) -> dict[int, str]:
    """By frame, messages of the client that no ack covers although the canister made one long after they were sent.

    Long is more than the latency bound of the protocol, with the clocks as far apart as the recording allows.
    """
    known = instants(capture, frames).sessions
    if not frames or frames[0].frame.session not in known:
        return {}
    skew_s = skew_of(known[frames[0].frame.session]).min_s
    acks = [
        (decoded.message.timestamp_ns / NS_PER_S + skew_s, decoded.service.last_incoming_sequence_num)
        for decoded in frames
        if isinstance(decoded.service, AckMessage) and decoded.message is not None
    ]
    found = {}
    for decoded in frames:
        number = decoded.sequence_num
        if decoded.frame.direction != "out" or number is None:
            continue
        covered = [last for made, last in acks if made > decoded.frame.t + _LATENCY_S]
        if covered and max(covered) < number:
            found[decoded.number] = f"lost: a later ack covers only up to {max(covered)}"
    return found
