"""The replica: it accepts requests, executes calls and certifies the outcome; and the loop that drives it.

`Replica` is one subnet of one node, under an injected clock. It executes a call ``update_latency_ms`` after it has
accepted it, in the order of arrival. Each read certifies the current state, so the ``time`` in a certificate is the
replica's current time. It does no I/O and never waits.

`ReplicaLoop` calls it from an event loop when something is due, and lets callers wait for the end of a call.

Source: interface specification, "Abstract behavior".
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from icws_explore.live.clock import Clock
from icws_explore.live.loop import wait_at_most
from icws_explore.protocol.canister import CanisterHost, Outcome, Reject, canister_not_found
from icws_explore.protocol.certificate import Layout
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.hashtree import Path
from icws_explore.protocol.principal import Principal

from ..log import LabLog, ReplicaLog
from .admission import (
    NotReplicated,
    Refused,
    Request,
    admit,
    canister_frozen,
    canister_stopped,
    no_management_method,
)
from .history import IngressHistory
from .management import Management
from .read_state import Reader, Target, authorise
from .state_tree import CANISTER, REQUEST_STATUS
from .subnet import LabKeys, Subnet, canister_content, query_answer, signed

CALL_TIMEOUT_S: Final = 10.0  # protocol seconds; the replica's ingress_message_certificate_timeout_seconds
_MIN_CALL_TIMEOUT_S: Final = 1.0  # real seconds: a busy machine needs that long even under a fast clock
_DUPLICATE: Final = "Duplicate request. Message is already being tracked and executed."
_TIMED_OUT: Final = "Message did not complete execution and certification within the replica defined timeout."
IMPL_VERSION: Final = "icws_explore-lab"


def status_of(root_key: bytes) -> dict[str, Any]:
    """Return what /api/v2/status answers on a network with this root key (DER)."""
    return {
        "ic_api_version": "0.18.0",
        "impl_version": IMPL_VERSION,
        "replica_health_status": "healthy",
        "root_key": root_key,
    }


@dataclass(frozen=True, slots=True)
class Submission:
    """A call that the replica has accepted. ``finished``: it is a copy of a call that has been executed already."""

    request_id: bytes
    finished: bool


class Replica:
    """The replica of one subnet. See the module."""

    def __init__(
        self,
        keys: LabKeys,
        now_ns: Callable[[], int],
        log: LabLog,
        *,
        update_latency_ms: float,
        delegated: bool = True,
    ) -> None:
        """Create a replica without canisters.

        ``now_ns`` is its clock (ns since the epoch), ``update_latency_ms`` the time from accepting a call to
        executing it. With ``delegated`` False it certifies with the root key itself, as the root subnet does.
        """
        self._now_ns = now_ns
        self._replica_log = ReplicaLog(log)
        self._latency_ns = round(update_latency_ms * NS_PER_MS)
        self._subnet = Subnet(keys, delegated=delegated)
        self._hosts: dict[Principal, CanisterHost] = {}
        self._management = Management(keys.secret("raw_rand"))
        self._stopped: set[Principal] = set()
        self._frozen: set[Principal] = set()
        self._history = IngressHistory()
        self._queue: deque[tuple[int, Request]] = deque()
        self._certifying: Layout = "classic"

    @property
    def now_ns(self) -> int:
        """The replica's time, ns since the epoch."""
        return self._now_ns()

    @property
    def root_key(self) -> bytes:
        """The network's root key, DER."""
        return self._subnet.root_key

    @property
    def subnet_id(self) -> Principal:
        """The principal of the subnet."""
        return self._subnet.id

    @property
    def canisters(self) -> dict[Principal, CanisterHost]:
        """A copy of the map from canister id to host."""
        return dict(self._hosts)

    def status(self) -> dict[str, Any]:
        """Return what /api/v2/status answers."""
        return status_of(self.root_key)

    # Canisters

    def add_canister(self, canister_id: Principal) -> CanisterHost:
        """Add an empty canister and return its host. The caller installs the code."""
        host = CanisterHost(
            canister_id,
            certify=lambda _data: self._certify_data(canister_id),
            on_print=lambda at_ns, text: self._replica_log.printed(canister_id, at_ns, text),
            on_call=lambda callee, method, arg, is_query: self._call(canister_id, callee, method, arg, is_query),
            subnet=(self.subnet_id, self.root_key),
        )
        self._hosts[canister_id] = host
        return host

    def remove_canister(self, canister_id: Principal) -> None:
        """Delete a canister."""
        del self._hosts[canister_id]
        self._subnet.state.remove_canister(canister_id)

    def stop_canister(self, canister_id: Principal) -> None:
        """Stop a canister: it refuses calls and queries, and its timers do not fire."""
        self._stopped.add(canister_id)
        self._replica_log.stopped(canister_id)

    def freeze_canister(self, canister_id: Principal) -> None:
        """Use a canister's cycles up: it refuses calls and queries, and its timers do not fire."""
        self._frozen.add(canister_id)
        self._replica_log.frozen(canister_id)

    def uninstall_canister(self, canister_id: Principal) -> None:
        """Remove a canister's code and memory. The canister itself stays."""
        self._hosts[canister_id].uninstall()
        self._replica_log.uninstalled(canister_id)

    def start_canister(self, canister_id: Principal) -> None:
        """Start a stopped canister. Timers that became due meanwhile fire now."""
        if canister_id in self._stopped:
            self._hosts[canister_id].resume(self._now_ns())
            self._stopped.discard(canister_id)
        self._replica_log.started(canister_id)

    # Requests (bodies of HTTP requests)

    def submit(self, body: bytes, effective_id: Principal) -> Submission:
        """Accept a call. Raises Refused (the answer is an HTTP error) and NotReplicated (a reject without proof)."""
        request = self._admit(body, "call", effective_id)
        known = self._history.get(request.request_id)
        if known is not None:
            self._replica_log.replayed(request)
            return Submission(request.request_id, known.status.is_final)
        if (reject := self._unavailable(request)) is not None:
            self._replica_log.not_replicated(request, reject)
            raise NotReplicated(reject)
        if (reject := self._inspected(request)) is not None:
            self._replica_log.not_replicated(request, reject)
            raise NotReplicated(reject)
        entry = self._history.receive(
            request.request_id, request.sender, request.canister_id, request.ingress_expiry_ns
        )
        self._subnet.state.put_request(entry)
        self._queue.append((self._now_ns() + self._latency_ns, request))
        self._replica_log.received(request)
        return Submission(request.request_id, finished=False)

    def has_finished(self, request_id: bytes) -> bool:
        """Whether the call has been executed."""
        entry = self._history.get(request_id)
        return entry is not None and entry.status.is_final

    def query(self, body: bytes, effective_id: Principal, layout: Layout) -> dict[str, Any]:
        """Execute a query and return the signed answer. Raises Refused."""
        request = self._admit(body, "query", effective_id)
        now_ns = self._now_ns()
        outcome: Outcome | None = self._unavailable(request)
        if outcome is None:
            self._certifying = layout
            host = self._hosts[request.canister_id]
            outcome = host.query(request.method, request.arg, caller=request.sender, now_ns=now_ns)
        self._replica_log.queried(request, outcome)
        return signed(query_answer(outcome), request.request_id, now_ns, self._subnet.node)

    def read_state(self, body: bytes, effective_id: Principal, target: Target, layout: Layout) -> bytes:
        """Return a certificate for the requested paths and for ``/time``. Raises Refused."""
        # The subnet's older endpoint serves only public paths, so it checks no signature.
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
        with self._replica_log.refusals("read_state", effective_id):
            authorise(request.paths, reader)
        return self._certify(request.paths, layout)

    def certify_request(self, request_id: bytes, layout: Layout) -> bytes:
        """Return the certificate with a call's status, as the synchronous call endpoints answer it."""
        return self._certify([(REQUEST_STATUS, request_id)], layout)

    # Execution

    def next_due_ns(self) -> int | None:
        """Return when the next call or canister timer is due (ns since the epoch); None if there is none."""
        due = [host.next_timer_ns for canister_id, host in self._hosts.items() if self._has_timers(canister_id)]
        if self._queue:
            due.append(self._queue[0][0])
        return min((at_ns for at_ns in due if at_ns is not None), default=None)

    def execute(self) -> list[bytes]:
        """Execute the calls and timers that are due. Returns the request ids of the calls."""
        now_ns, log_ns = self._now_ns(), self._replica_log.now_ns
        finished = []
        while self._queue and self._queue[0][0] <= now_ns:
            _, request = self._queue.popleft()
            outcome = self._run(request, now_ns, log_ns)
            self._subnet.state.put_request(self._history.finish(request.request_id, outcome, now_ns))
            finished.append(request.request_id)
        for canister_id, host in self._hosts.items():
            if self._has_timers(canister_id):
                self._replica_log.timers(canister_id, host.advance(now_ns))
        for entry in self._history.drop_answers():
            self._subnet.state.put_request(entry)
        for request_id in self._history.forget(now_ns):
            self._subnet.state.remove_request(request_id)
        return finished

    def _has_timers(self, canister_id: Principal) -> bool:
        """Whether a canister's timers fire."""
        return canister_id not in self._stopped and canister_id not in self._frozen

    def _run(self, request: Request, now_ns: int, log_ns: int) -> Outcome:
        outcome: Outcome | None = self._unavailable(request)  # the canister may have been stopped meanwhile
        if outcome is None:
            host = self._hosts[request.canister_id]
            outcome = host.update(request.method, request.arg, caller=request.sender, now_ns=now_ns)
        self._replica_log.executed(request, outcome, log_ns)
        return outcome

    def _call(self, caller: Principal, callee: Principal, method: str, arg: bytes, is_query: bool) -> Outcome:
        """Execute a canister's call to another one, at once."""
        if callee == Principal.MANAGEMENT:
            return self._management.call(method)
        if (reject := self._unavailable_canister(callee)) is not None:
            return reject
        host = self._hosts[callee]
        run = host.query if is_query else host.update
        return run(method, arg, caller=caller, now_ns=self._hosts[caller].now_ns)

    def _inspected(self, request: Request) -> Reject | None:
        host = self._hosts[request.canister_id]
        return host.inspect(request.method, request.arg, caller=request.sender, now_ns=self._now_ns())

    def _admit(self, body: bytes, kind: str, effective_id: Principal, *, authenticate: bool = True) -> Request:
        with self._replica_log.refusals(kind, effective_id):
            return admit(body, kind, effective_id, self._now_ns(), root_key=self.root_key, authenticate=authenticate)

    def _unavailable(self, request: Request) -> Reject | None:
        if request.canister_id == Principal.MANAGEMENT:
            return no_management_method(request.method)
        return self._unavailable_canister(request.canister_id)

    def _unavailable_canister(self, canister_id: Principal) -> Reject | None:
        if canister_id not in self._hosts:
            return canister_not_found(canister_id)
        if canister_id in self._frozen:
            return canister_frozen(canister_id)
        return canister_stopped(canister_id) if canister_id in self._stopped else None

    # Certification

    def _certify_data(self, canister_id: Principal) -> bytes:
        """Return the data certificate of a canister, which its query can read."""
        return self._certify([(CANISTER, canister_id.raw, b"certified_data")], self._certifying)

    def _certify(self, paths: Iterable[Path], layout: Layout) -> bytes:
        for canister_id, host in self._hosts.items():
            self._subnet.state.put_canister(canister_id, canister_content(host))
        return self._subnet.certify(paths, layout, self._now_ns())


class ReplicaLoop:
    """Drives ``replica`` by ``clock``. `run` is the body of a task; call the other methods on the same event loop."""

    def __init__(self, replica: Replica, clock: Clock) -> None:
        self.replica = replica
        self.failure = ""  # the error that ended `run`, if it was not cancelled
        self._clock = clock
        self._wake = asyncio.Event()
        self._waiting: dict[bytes, asyncio.Event] = {}

    def submit(self, body: bytes, effective_id: Principal) -> Submission:
        """Accept a call. Raises Refused and NotReplicated."""
        if self.failure:
            raise Refused(503, f"The replica has stopped: {self.failure}")
        submission = self.replica.submit(body, effective_id)
        self._wake.set()
        return submission

    def wake(self) -> None:
        """Check again what is due next, after a canister was installed or a timer was set."""
        self._wake.set()

    async def wait_for(self, submission: Submission) -> str | None:
        """Wait until the call has been executed, for at most `CALL_TIMEOUT_S`.

        Returns None, or the text that tells the caller to poll read_state instead.
        """
        if submission.finished:
            return None
        if submission.request_id in self._waiting:
            return _DUPLICATE
        done = self._waiting[submission.request_id] = asyncio.Event()
        try:
            until_ns = self._clock.now_ns() + round(CALL_TIMEOUT_S * NS_PER_S)
            at_least_until_s = monotonic() + _MIN_CALL_TIMEOUT_S
            while not done.is_set():
                left_s = self._clock.real_seconds((until_ns - self._clock.now_ns()) / NS_PER_S)
                left_s = max(left_s, at_least_until_s - monotonic())
                if left_s <= 0:
                    return _TIMED_OUT
                await wait_at_most(done, left_s)
        finally:
            del self._waiting[submission.request_id]
        return None if self.replica.has_finished(submission.request_id) else _TIMED_OUT

    async def run(self) -> None:
        """Execute what is due, until this is cancelled. At the end every `wait_for` returns."""
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
            await asyncio.sleep(0)  # a canister whose timers are always due must not block the event loop
