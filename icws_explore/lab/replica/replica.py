"""The replica itself: takes up requests, executes them, certifies what came of it. Told the time, never asleep.

It runs one subnet of one node. A call that passed the checks is executed ``update_latency_ms``
later, in the order of arrival; every read certifies the state as it is at that moment, so that a
certificate's ``time`` is the protocol's now. Source: interface specification, "Abstract behavior".

Rounds: when the replica executes what it has taken up, and who waits for it.

The replica itself is pure (it is told the time); this drives it on an event loop, by the clock.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from icws_explore.live.clock import Clock
from icws_explore.live.loop import wait_at_most
from icws_explore.protocol.canister import CanisterHost, Outcome, Reject
from icws_explore.protocol.certificate import Layout
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.hashtree import Path
from icws_explore.protocol.principal import Principal

from ..log import LabLog, Testimony
from .admission import (
    NotReplicated,
    Refused,
    Request,
    admit,
    canister_not_found,
    canister_stopped,
    no_management_method,
)
from .history import IngressHistory
from .read_state import Reader, Target, authorise
from .state_tree import CANISTER, REQUEST_STATUS
from .subnet import LabKeys, Subnet, canister_content, query_answer, signed

CALL_TIMEOUT_S: Final = 10.0  # protocol seconds; ingress_message_certificate_timeout_seconds
_MIN_CALL_TIMEOUT_S: Final = 1.0  # real seconds: under a fast clock a busy machine needs some
_DUPLICATE: Final = "Duplicate request. Message is already being tracked and executed."
_TIMED_OUT: Final = "Message did not complete execution and certification within the replica defined timeout."


class Rounds:
    """Runs ``replica`` under ``clock``. `run` is a task's body; the rest is called from its loop."""

    def __init__(self, replica: Replica, clock: Clock) -> None:
        self.replica = replica
        self._clock = clock
        self._wake = asyncio.Event()
        self._waiting: dict[bytes, asyncio.Event] = {}
        self.failure = ""  # what ended `run`, if something other than its cancellation did

    def submit(self, body: bytes, effective_id: Principal) -> Submission:
        """Take up a call. Raises Refused and NotReplicated."""
        if self.failure:
            raise Refused(503, f"The replica has stopped: {self.failure}")
        submission = self.replica.submit(body, effective_id)
        self._wake.set()
        return submission

    def wake(self) -> None:
        """Something has changed that may be due earlier (a canister was installed, a timer set)."""
        self._wake.set()

    async def wait_for(self, submission: Submission) -> str | None:
        """Wait for the call's end. Returns None, or why the caller has to ask read_state instead."""
        if submission.finished:
            return None
        if submission.request_id in self._waiting:
            return _DUPLICATE
        done = self._waiting[submission.request_id] = asyncio.Event()
        try:
            timeout_s = max(self._clock.real_seconds(CALL_TIMEOUT_S), _MIN_CALL_TIMEOUT_S)
            if not await wait_at_most(done, timeout_s):
                return _TIMED_OUT
        finally:
            del self._waiting[submission.request_id]
        return None if self.replica.has_finished(submission.request_id) else _TIMED_OUT

    async def run(self) -> None:
        """Execute what is due, until cancelled; then nobody is left waiting."""
        try:
            await self._run()
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
            raise
        finally:
            for waiting in self._waiting.values():
                waiting.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            due_ns = self.replica.next_due_ns()
            if due_ns is None:
                await self._wake.wait()
                continue
            left_s = self._clock.real_seconds((due_ns - self.replica.now_ns) / NS_PER_S)
            if left_s > 0:
                await wait_at_most(self._wake, left_s)
                continue
            for request_id in self.replica.execute():
                if (waiting := self._waiting.get(request_id)) is not None:
                    waiting.set()
            await asyncio.sleep(0)  # a canister that never runs out of timers must not stop the loop


IMPL_VERSION: Final = "icws_explore-lab"


def status_of(root_key: bytes) -> dict[str, Any]:
    """What /api/v2/status of a network with that root key (DER) answers."""
    return {
        "ic_api_version": "0.18.0",
        "impl_version": IMPL_VERSION,
        "replica_health_status": "healthy",
        "root_key": root_key,
    }


@dataclass(frozen=True, slots=True)
class Submission:
    """A call that was taken up; ``finished`` when it is a replay of one that has ended already."""

    request_id: bytes
    finished: bool


class Replica:
    """One subnet's replica. All times come from ``now_ns``, its own clock; nothing here waits or does I/O."""

    def __init__(
        self,
        keys: LabKeys,
        now_ns: Callable[[], int],
        log: LabLog,
        *,
        update_latency_ms: float,
        delegated: bool = True,
    ) -> None:
        """``delegated`` False certifies with the root key itself, as the root subnet does."""
        self._now_ns = now_ns
        self._testimony = Testimony(log)
        self._latency_ns = round(update_latency_ms * NS_PER_MS)
        self._subnet = Subnet(keys, delegated=delegated)
        self._hosts: dict[Principal, CanisterHost] = {}
        self._stopped: set[Principal] = set()
        self._history = IngressHistory()
        self._queue: deque[tuple[int, Request]] = deque()
        self._certifying: Layout = "classic"

    @property
    def now_ns(self) -> int:
        """Its own clock, ns since the epoch."""
        return self._now_ns()

    @property
    def root_key(self) -> bytes:
        """The network's root key, DER."""
        return self._subnet.root_key

    @property
    def subnet_id(self) -> Principal:
        return self._subnet.id

    @property
    def canisters(self) -> dict[Principal, CanisterHost]:
        return dict(self._hosts)

    def status(self) -> dict[str, Any]:
        """What /api/v2/status answers."""
        return status_of(self.root_key)

    # Canisters

    def add_canister(self, canister_id: Principal) -> CanisterHost:
        """A host without code under ``canister_id``; whoever added it installs the code."""
        host = CanisterHost(
            canister_id,
            certify=lambda _data: self._certify_data(canister_id),
            on_print=lambda at_ns, text: self._testimony.printed(canister_id, at_ns, text),
        )
        self._hosts[canister_id] = host
        return host

    def remove_canister(self, canister_id: Principal) -> None:
        """It is gone, as one that was deleted."""
        del self._hosts[canister_id]
        self._subnet.state.remove_canister(canister_id)

    def stop_canister(self, canister_id: Principal) -> None:
        """It stays, with its memory, and takes no calls until it is started."""
        self._stopped.add(canister_id)
        self._testimony.stopped(canister_id)

    def start_canister(self, canister_id: Principal) -> None:
        """Calls are taken again; timers that fell due meanwhile go off now."""
        if canister_id in self._stopped:
            self._hosts[canister_id].resume(self._now_ns())
            self._stopped.discard(canister_id)
        self._testimony.started(canister_id)

    # Requests, as HTTP bodies

    def submit(self, body: bytes, effective_id: Principal) -> Submission:
        """Take up a call. Raises Refused (HTTP error) and NotReplicated (a reject that is not certified)."""
        request = self._admit(body, "call", effective_id)
        known = self._history.get(request.request_id)
        if known is not None:
            self._testimony.replayed(request)
            return Submission(request.request_id, known.status.is_final)
        if (reject := self._unavailable(request)) is not None:
            self._testimony.not_replicated(request, reject)
            raise NotReplicated(reject)
        entry = self._history.receive(
            request.request_id, request.sender, request.canister_id, request.ingress_expiry_ns
        )
        self._subnet.state.put_request(entry)
        self._queue.append((self._now_ns() + self._latency_ns, request))
        self._testimony.received(request)
        return Submission(request.request_id, finished=False)

    def has_finished(self, request_id: bytes) -> bool:
        """Whether the call was executed."""
        entry = self._history.get(request_id)
        return entry is not None and entry.status.is_final

    def query(self, body: bytes, effective_id: Principal, layout: Layout) -> dict[str, Any]:
        """The signed answer to a query. Raises Refused."""
        request = self._admit(body, "query", effective_id)
        now_ns = self._now_ns()
        outcome: Outcome | None = self._unavailable(request)
        if outcome is None:
            self._certifying = layout
            host = self._hosts[request.canister_id]
            outcome = host.query(request.method, request.arg, caller=request.sender, now_ns=now_ns)
        self._testimony.queried(request, outcome)
        return signed(query_answer(outcome), request.request_id, now_ns, self._subnet.node)

    def read_state(self, body: bytes, effective_id: Principal, target: Target, layout: Layout) -> bytes:
        """The certificate for the paths that were asked for, and ``time``. Raises Refused."""
        # Only the subnet's older endpoint tells nothing that is anybody's own.
        authenticate = target is Target.CANISTER or layout == "sharded"
        request = self._admit(body, "read_state", effective_id, authenticate=authenticate)
        reader = Reader(
            sender=request.sender,
            targets=request.targets,
            target=target,
            effective_id=effective_id,
            version=2 if layout == "classic" else 3,
            root_subnet_id=self._subnet.root_id,
            status_of=self._history.get,
        )
        with self._testimony.refusals("read_state", effective_id):
            authorise(request.paths, reader)
        return self._certify(request.paths, layout)

    def certify_request(self, request_id: bytes, layout: Layout) -> bytes:
        """The certificate that tells a call's status, as the synchronous call endpoints answer it."""
        return self._certify([(REQUEST_STATUS, request_id)], layout)

    # Execution

    def next_due_ns(self) -> int | None:
        """When `execute` has something to do next: a call, or a canister's timer. None: nothing is waiting."""
        due = [host.next_timer_ns for canister_id, host in self._hosts.items() if canister_id not in self._stopped]
        if self._queue:
            due.append(self._queue[0][0])
        return min((at_ns for at_ns in due if at_ns is not None), default=None)

    def execute(self) -> list[bytes]:
        """Execute the calls and timers that are due; returns the ids of the calls."""
        now_ns = self._now_ns()
        finished = []
        while self._queue and self._queue[0][0] <= now_ns:
            _, request = self._queue.popleft()
            outcome = self._run(request, now_ns)
            self._subnet.state.put_request(self._history.finish(request.request_id, outcome, now_ns))
            finished.append(request.request_id)
        for canister_id, host in self._hosts.items():
            if canister_id not in self._stopped:  # whose timers rest
                self._testimony.timers(canister_id, host.advance(now_ns))
        for entry in self._history.drop_answers():
            self._subnet.state.put_request(entry)
        for request_id in self._history.forget(now_ns):
            self._subnet.state.remove_request(request_id)
        return finished

    def _run(self, request: Request, now_ns: int) -> Outcome:
        outcome: Outcome | None = self._unavailable(request)  # it may have been stopped meanwhile
        if outcome is None:
            host = self._hosts[request.canister_id]
            outcome = host.update(request.method, request.arg, caller=request.sender, now_ns=now_ns)
        self._testimony.executed(request, outcome)
        return outcome

    def _admit(self, body: bytes, kind: str, effective_id: Principal, *, authenticate: bool = True) -> Request:
        with self._testimony.refusals(kind, effective_id):
            return admit(body, kind, effective_id, self._now_ns(), root_key=self.root_key, authenticate=authenticate)

    def _unavailable(self, request: Request) -> Reject | None:
        if request.canister_id == Principal.MANAGEMENT:
            return no_management_method(request.method)
        if request.canister_id not in self._hosts:
            return canister_not_found(request.canister_id)
        return canister_stopped(request.canister_id) if request.canister_id in self._stopped else None

    # Certification

    def _certify_data(self, canister_id: Principal) -> bytes:
        """The data certificate that a query sees."""
        return self._certify([(CANISTER, canister_id.raw, b"certified_data")], self._certifying)

    def _certify(self, paths: Iterable[Path], layout: Layout) -> bytes:
        for canister_id, host in self._hosts.items():
            self._subnet.state.put_canister(canister_id, canister_content(host))
        return self._subnet.certify(paths, layout, self._now_ns())
