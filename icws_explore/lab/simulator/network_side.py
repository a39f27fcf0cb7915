"""`NetworkSide`: what a tap between a simulation's gateways and its network records.

It records what ``icws tap … --network URL`` does: every call with its answer, and the polls that fail. A simulation
has no HTTP, so the requests and answers are made here, with the bytes that the lab's gateway and replica would send.
Times are true time; an answer has the time at which the replica gives it.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

from icws_explore.analysis.network_calls import read_exchange
from icws_explore.capture import Frame
from icws_explore.protocol import cbor
from icws_explore.protocol.canister import Outcome, Reject
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import Envelope
from icws_explore.protocol.principal import Principal

from ..replica.admission import Refused, Request
from ..replica.history import Entry, Status
from ..replica.http import certified_answer, not_replicated_answer
from ..replica.replica import CALL_TIMEOUT_S
from ..replica.state_tree import REQUEST_STATUS
from ..replica.subnet import Subnet, query_answer, signed
from .scheduler import VirtualScheduler

ACCEPTED: Final = 202


class Exchange:
    """A request to the network, and its answer. This one records nothing."""

    def refused(self, refused: Refused) -> None:
        """The network refuses the request with an HTTP error."""

    def not_replicated(self, reject: Reject) -> None:
        """The network accepts a call, and its ingress filter rejects it."""

    def admitted(self) -> None:
        """The network accepts a call."""

    def executed(self, request: Request, outcome: Outcome, now_ns: int) -> None:
        """A call was executed. ``now_ns`` is the replica's time, ns since the epoch."""

    def queried(self, outcome: Outcome, now_ns: int) -> None:
        """A query was executed. ``now_ns`` is the replica's time, ns since the epoch."""


class NetworkSide:
    """Appends to ``frames``. ``subnet`` certifies and signs the answers."""

    def __init__(self, frames: list[Frame], scheduler: VirtualScheduler, subnet: Subnet) -> None:
        self.frames = frames
        self.scheduler = scheduler
        self.subnet = subnet
        self._numbers = itertools.count(1)

    def call(self, canister_id: Principal, envelope: bytes, *, asynchronous: bool) -> Exchange:
        """A gateway sends a call. ``asynchronous``: to the endpoint that answers when it has accepted the call."""
        target = f"POST /api/{'v2' if asynchronous else 'v3'}/canister/{canister_id}/call"
        return _RecordedCall(self, self.request(envelope, target), asynchronous=asynchronous)

    def query(self, canister_id: Principal, envelope: Envelope) -> Exchange:
        """A gateway, or a page, sends a query. It is recorded if it fails."""
        request = self.request(envelope.encode(), f"POST /api/v2/canister/{canister_id}/query")
        return _RecordedQuery(self, request, envelope.request_id)

    def request(self, body: bytes, target: str) -> Frame:
        """Return the frame of a request that is sent now."""
        t = self.scheduler.now_ns / NS_PER_S
        return Frame(t, "out", "request", body, reason=target, session=f"http-{next(self._numbers)}")

    def answer(self, request: Frame, status: int, body: bytes) -> Frame:
        """Return the frame of an answer that is given now."""
        t = self.scheduler.now_ns / NS_PER_S
        return Frame(t, "in", "response", body, status, request.reason, request.session)


class _Recorded(Exchange):
    def __init__(self, side: NetworkSide, request: Frame) -> None:
        self._side = side
        self._request = request
        self._is_answered = False

    def refused(self, refused: Refused) -> None:
        self._answer(refused.status, refused.text.encode())

    def _answer_cbor(self, answer: dict[str, Any]) -> None:
        self._answer(200, cbor.dumps(answer, tagged=True))

    def _answer(self, status: int, body: bytes) -> None:
        if not self._is_answered:
            self._is_answered = True
            self._record(self._side.answer(self._request, status, body))

    def _record(self, answer: Frame) -> None:
        self._side.frames.append(answer)


class _RecordedCall(_Recorded):
    def __init__(self, side: NetworkSide, request: Frame, *, asynchronous: bool) -> None:
        super().__init__(side, request)
        self._asynchronous = asynchronous
        side.frames.append(request)

    def not_replicated(self, reject: Reject) -> None:
        self._answer_cbor(not_replicated_answer(reject, asynchronous=self._asynchronous))

    def admitted(self) -> None:
        scheduler = self._side.scheduler
        wait_ns = 0 if self._asynchronous else round(CALL_TIMEOUT_S * NS_PER_S)
        scheduler.at(scheduler.now_ns + wait_ns, self._answer, ACCEPTED, b"")

    def executed(self, request: Request, outcome: Outcome, now_ns: int) -> None:
        if self._is_answered:
            return
        status, subnet = Status.REJECTED if isinstance(outcome, Reject) else Status.REPLIED, self._side.subnet
        entry = Entry(
            request.request_id, request.sender, request.canister_id, request.ingress_expiry_ns, status, outcome
        )
        subnet.state.put_request(entry)
        certificate = subnet.certify([(REQUEST_STATUS, request.request_id)], "classic", now_ns)
        subnet.state.remove_request(request.request_id)
        self._answer_cbor(certified_answer(certificate))


class _RecordedQuery(_Recorded):
    def __init__(self, side: NetworkSide, request: Frame, request_id: bytes) -> None:
        super().__init__(side, request)
        self._request_id = request_id

    def queried(self, outcome: Outcome, now_ns: int) -> None:
        self._answer_cbor(signed(query_answer(outcome), self._request_id, now_ns, self._side.subnet.node))

    def _record(self, answer: Frame) -> None:
        if read_exchange(self._request, answer).failed:
            self._side.frames.extend((self._request, answer))
