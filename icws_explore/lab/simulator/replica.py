"""`SimReplica`: the simulated replica. It executes relayed calls, runs the canister's timers and answers polls.

It checks requests as the lab's replica does (`lab.replica.admission`), runs the canister on the same host, and gets
certificates from the lab's subnet. It leaves out what no client can notice: HTTP, the certified history of requests,
and the signatures of the gateway's own queries and ws_close calls. A recorded `network_side.Exchange` shows what HTTP
would.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

from icws_explore.protocol.arguments import decode_result, encode_close_args, encode_poll_args
from icws_explore.protocol.canister import (
    App,
    AppCanister,
    CanisterCode,
    CanisterHost,
    CdkConfig,
    Outcome,
    Reject,
    SystemApi,
    canister_not_found,
)
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.gateway.events import AgentFailed, PollOutcome, Rejected, Replied
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal

from ..faults import Faults, HttpRequest
from ..log import LabLog, ReplicaLog
from ..queues import CdkQueues, PolledQueues
from ..replica.admission import Refused, Request, admit, canister_frozen, canister_stopped, check_expiry
from ..replica.management import Management
from ..replica.state_tree import CANISTER
from ..replica.subnet import FIRST_CANISTER, Subnet, canister_content, canister_principal
from .conditions import LatencyModel
from .crypto import Cryptography
from .event_log import CallRecord, EventLog
from .network_side import Exchange
from .queue_watch import QueueWatch
from .scheduler import VirtualScheduler

CANISTER_ID: Final = canister_principal(FIRST_CANISTER)  # of every simulation's canister
_RETURNS_RESULT: Final = ("ws_open", "ws_message", "ws_close")


class SimReplica:
    """One canister on one subnet.

    ``gateways`` are the principals whose queues are noted in ``event_log``. ``on_change()`` is called whenever a
    queue may have grown, ``on_refused(session, why)`` for every relayed call that comes to nothing. ``rng`` draws
    the latencies of updates; with ``ordered`` a session's calls are executed in the order of their arrival.
    """

    def __init__(
        self,
        app: App,
        config: CdkConfig,
        *,
        cryptography: Cryptography,
        gateways: Sequence[Principal],
        scheduler: VirtualScheduler,
        latency: LatencyModel,
        rng: random.Random,
        faults: Faults,
        log: LabLog,
        event_log: EventLog,
        on_change: Callable[[], None],
        on_refused: Callable[[int, str], None],
        ordered: bool,
    ) -> None:
        self.app = app
        self.config = config
        self.canister_id = CANISTER_ID
        self._scheduler = scheduler
        self._latency = latency
        self._rng = rng
        self._faults = faults
        self._log = log
        self._event_log = event_log
        self._on_change = on_change
        self._on_refused = on_refused
        self._ordered = ordered
        self._testimony = ReplicaLog(log)
        self._subnet: Subnet = cryptography.subnet
        self._envelope_check = cryptography.envelope_check
        self._host = CanisterHost(
            self.canister_id,
            certify=self._certify,
            on_print=lambda at_ns, text: self._testimony.printed(self.canister_id, at_ns, text),
            on_call=self._call,
            subnet=(self._subnet.id, self.root_key),
        )
        self._management = Management(cryptography.keys.secret("raw_rand"))
        self._content = canister_content(self._host)
        self._code: CanisterCode | None = None
        self._queue_watch = QueueWatch(self._host, gateways, event_log, faults)
        self._timer_ns: int | None = None
        self._last_ns: dict[int, int] = {}  # by session: the time at which its latest call is executed
        self._known: set[bytes] = set()  # the ids of accepted requests
        self._is_stopped = False
        self._is_frozen = False

    @property
    def root_key(self) -> bytes:
        """The network's root key, DER."""
        return self._subnet.root_key

    @property
    def clients(self) -> tuple[Principal, ...]:
        """The principals that the canister takes for connected."""
        return self._queue_watch.clients

    def now_ns(self) -> int:
        """The canister's clock, in ns since the epoch."""
        now_ns = self._scheduler.now_ns
        return now_ns + self._faults.clock_error_ns("canister", 0, now_ns)

    def install(self) -> None:
        """Install the app. Raises LabError if its init traps."""
        self._check(self._host.install(self._factory, now_ns=self.now_ns()))

    def upgrade(self, app: App | None = None) -> None:
        """Replace the code by another app's, or by its own. The CDK's state is lost. Raises LabError if init traps."""
        self.look()
        self.app = app or self.app
        self._check(self._host.upgrade(self._factory, now_ns=self.now_ns()))
        self._testimony.upgraded(self.canister_id)

    def stop(self) -> None:
        """Stop the canister: it accepts no calls and no queries, and its timers do not run."""
        self.look()
        self._is_stopped = True
        self._testimony.stopped(self.canister_id)
        self._on_change()

    def freeze(self) -> None:
        """Use the canister's cycles up: it accepts no calls and no queries, and its timers do not run."""
        self.look()
        self._is_frozen = True
        self._testimony.frozen(self.canister_id)
        self._on_change()

    def call(self, session: int, envelope: bytes, relayed_ns: int, exchange: Exchange) -> None:
        """A relayed call arrives: check it and plan its execution."""
        now_ns = self._scheduler.now_ns
        try:
            with self._testimony.refusals("call", self.canister_id):
                self._pass_on("call")
                request = admit(
                    envelope,
                    "call",
                    self.canister_id,
                    self.now_ns(),
                    root_key=self.root_key,
                    check_envelope=self._envelope_check,
                )
        except Refused as refused:
            self._event_log.lost.append((relayed_ns, envelope))
            self._on_refused(session, f"HTTP {refused.status}: {refused.text.splitlines()[0]}")
            exchange.refused(refused)
            return
        if (reject := self._unavailable() or self._inspected(request)) is not None:
            self._event_log.lost.append((relayed_ns, envelope))
            self._testimony.not_replicated(request, reject)
            self._on_refused(session, f"reject code {reject.code}: {reject.text}")
            exchange.not_replicated(reject)
            return
        exchange.admitted()
        if request.request_id in self._known:
            self._testimony.replayed(request)
            return
        self._known.add(request.request_id)
        record = self._event_log.calls[request.request_id] = CallRecord(relayed_ns, now_ns)
        self._scheduler.at(self._execution_ns(session), self._execute, request, record, exchange)

    def close(self, session: int, gateway: Principal, client_key: ClientKey) -> None:
        """The gateway's ws_close arrives: plan its execution."""
        self._scheduler.at(self._execution_ns(session), self._execute_close, gateway, client_key)

    def poll(self, gateway: Principal, nonce: int, expiry_ns: int, exchange: Exchange) -> PollOutcome:
        """Return the outcome of the query ws_get_messages, whose ingress_expiry is ``expiry_ns`` (since the epoch)."""
        try:
            outcome = self.query(gateway, "ws_get_messages", encode_poll_args(nonce), expiry_ns, exchange)
        except Refused as refused:
            return AgentFailed("HttpError", f"HTTP {refused.status}: {' '.join(refused.text.split())}")
        self._queue_watch.polled(gateway, nonce, outcome)
        return Rejected(outcome.code, outcome.text) if isinstance(outcome, Reject) else Replied(outcome.data)

    def query(self, caller: Principal, method: str, arg: bytes, expiry_ns: int, exchange: Exchange) -> Outcome:
        """Execute a query whose ingress_expiry is ``expiry_ns`` (since the epoch). Raises Refused."""
        try:
            self._pass_on("query")
            check_expiry(expiry_ns, self.now_ns())
        except Refused as refused:
            exchange.refused(refused)
            raise
        outcome: Outcome | None = self._unavailable()
        if outcome is None:
            outcome = self._host.query(method, arg, caller=caller, now_ns=self.now_ns())
        exchange.queried(outcome, self.now_ns())
        return outcome

    def has_messages(self, gateway: Principal, nonce: int) -> bool:
        """Return whether such a poll may return anything but an empty result. False: it would not."""
        return self._unavailable() is not None or self._queue_watch.may_have_news(gateway, nonce)

    def look(self) -> None:
        """Note every message that the canister has queued, in the event log."""
        self._queue_watch.look()

    def changed(self) -> None:
        """The canister ran: note the messages it queued, plan its next timer and call ``on_change``."""
        self._queue_watch.changed(self._scheduler.now_ns)
        self._plan_timer()
        self._on_change()

    def _plan_timer(self) -> None:
        due_ns = self._host.next_timer_ns
        if due_ns is None or due_ns == self._timer_ns:
            return
        self._timer_ns = due_ns
        error_ns = self._faults.clock_error_ns("canister", 0, self._scheduler.now_ns)
        self._scheduler.at(due_ns - error_ns, self._run_timers, due_ns)

    def _run_timers(self, due_ns: int) -> None:
        if due_ns != self._timer_ns:
            return
        self._timer_ns = None
        if self._unavailable() is not None:
            return
        self._testimony.timers(self.canister_id, self._host.advance(self.now_ns()))
        self.changed()

    def _execution_ns(self, session: int) -> int:
        """Return the time at which a call that arrives now is executed."""
        at_ns = self._scheduler.now_ns + self._latency.update_ns(self._rng)
        if self._ordered:
            at_ns = self._last_ns[session] = max(at_ns, self._last_ns.get(session, 0))
        return at_ns

    def _execute(self, request: Request, record: CallRecord, exchange: Exchange) -> None:
        outcome = self._update(request.method, request.arg, request.sender)
        record.executed_ns = self._scheduler.now_ns
        record.fate = _fate(request.method, outcome)
        if record.fate != "accepted":
            self._testimony.executed(request, outcome, self._scheduler.now_ns)
        exchange.executed(request, outcome, self.now_ns())
        self.changed()

    def _execute_close(self, gateway: Principal, client_key: ClientKey) -> None:
        outcome = self._update("ws_close", encode_close_args(client_key), gateway)
        fate = _fate("ws_close", outcome)
        if fate != "accepted":
            self._log.write("canister", "err", f"ws_close of {client_key}: {fate}", err=fate)
        self.changed()

    def _update(self, method: str, arg: bytes, caller: Principal) -> Outcome:
        if (reject := self._unavailable()) is not None:  # since the call arrived
            return reject
        return self._host.update(method, arg, caller=caller, now_ns=self.now_ns())

    def _unavailable(self) -> Reject | None:
        """Why the canister executes nothing."""
        if self._is_frozen:
            return canister_frozen(self.canister_id)
        return canister_stopped(self.canister_id) if self._is_stopped else None

    def _inspected(self, request: Request) -> Reject | None:
        return self._host.inspect(request.method, request.arg, caller=request.sender, now_ns=self.now_ns())

    def _pass_on(self, request: HttpRequest) -> None:
        """Raises Refused if a fault refuses such a request."""
        if (refused := self._faults.refusal(request)) is not None:
            raise Refused(*refused)

    def _certify(self, certified_data: bytes) -> bytes:
        self._content = {**self._content, b"certified_data": certified_data}
        self._subnet.state.put_canister(self.canister_id, self._content)
        now_ns = self.now_ns()
        return self._subnet.certify([(CANISTER, self.canister_id.raw, b"certified_data")], "classic", now_ns)

    def _factory(self, system: SystemApi) -> CanisterCode:
        self._code = self.app.factory(self.config)(system)
        return self._code

    def _call(self, callee: Principal, method: str, _arg: bytes, _is_query: bool) -> Outcome:
        """Execute the canister's call to another one."""
        return self._management.call(method) if callee == Principal.MANAGEMENT else canister_not_found(callee)

    def _check(self, outcome: Outcome) -> None:
        if isinstance(outcome, Reject):
            raise LabError(f"the {self.app.name} canister could not be installed: {outcome.text}")
        self._queue_watch.installed(
            CdkQueues(self._code.cdk) if isinstance(self._code, AppCanister) else PolledQueues(self._host, self.now_ns)
        )
        self._content = canister_content(self._host)
        self._timer_ns = None
        self.changed()


def _fate(method: str, outcome: Outcome) -> str:
    """Return "accepted", or the error text of the canister or the replica."""
    if isinstance(outcome, Reject):
        return outcome.text
    if method not in _RETURNS_RESULT:
        return "accepted"
    return decode_result(outcome.data) or "accepted"
