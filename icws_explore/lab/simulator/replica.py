"""The replica of a simulation: it checks and executes the relayed calls, runs the canister's timers, answers polls.

Checks are the lab's (`lab.admission`), the canister runs on the host of the live parts, and
certificates come from the lab's subnet. Left out, because nothing of it reaches a client: HTTP, the
certified history of requests, the signatures under the gateway's own queries and ws_close calls.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from icws_explore.protocol.arguments import decode_result, encode_close_args, encode_poll_args
from icws_explore.protocol.canister import App, CanisterCode, CanisterHost, CdkConfig, Outcome, Reject, SystemApi
from icws_explore.protocol.canister.app import AppCanister
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.gateway.events import PollOutcome, Rejected, Replied
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal

from ..log import Testimony
from ..replica.admission import Refused, Request, admit, canister_stopped
from ..replica.state_tree import CANISTER
from ..replica.subnet import FIRST_CANISTER, canister_content, canister_principal
from .event_log import CallTrail

if TYPE_CHECKING:
    from .world import World

_ANSWER_RESULT: Final = ("ws_open", "ws_message", "ws_close")


class SimReplica:
    """One canister on one subnet. ``changed`` of the world is called whenever its queues may have grown."""

    def __init__(self, world: World, app: App, config: CdkConfig, dice: random.Random) -> None:
        self.app = app
        self.config = config
        self.canister_id = canister_principal(FIRST_CANISTER)
        self._world = world
        self._timeline = world.timeline
        self._dice = dice
        self._testimony = Testimony(world.log)
        self._subnet = world.cryptography.subnet()
        self._envelope_check = world.cryptography.envelope_check
        self._host = CanisterHost(
            self.canister_id,
            certify=self._certify,
            on_print=lambda at_ns, text: self._testimony.printed(self.canister_id, at_ns, text),
        )
        self._content = canister_content(self._host)
        self._code: AppCanister | None = None
        self._seen: dict[Principal, int] = {}  # by gateway, the nonce up to which messages are noted
        self._timer_ns: int | None = None
        self._last_ns: dict[int, int] = {}  # by session, when its last call is executed
        self._known: set[bytes] = set()
        self._is_stopped = False

    @property
    def root_key(self) -> bytes:
        """The network's root key, DER."""
        return self._subnet.root_key

    @property
    def clients(self) -> tuple[Principal, ...]:
        """Who the canister thinks is connected."""
        return () if self._code is None else self._code.cdk.clients

    def now_ns(self) -> int:
        """The canister's time."""
        now_ns = self._timeline.now_ns
        return now_ns + self._world.faults.clock_error_ns("canister", 0, now_ns)

    def install(self) -> None:
        """Put the app into the canister. Raises LabError when its init traps."""
        self._check(self._host.install(self._factory, now_ns=self.now_ns()))

    def upgrade(self, app: App | None = None) -> None:
        """Replace the code by another app's or its own; the CDK's state is lost, as on a real heap. Raises LabError."""
        self.app = app or self.app
        self._check(self._host.upgrade(self._factory, now_ns=self.now_ns()))
        self._testimony.upgraded(self.canister_id)

    def stop(self) -> None:
        """It takes no calls and no queries any more, and its timers rest."""
        self._is_stopped = True
        self._testimony.stopped(self.canister_id)
        self._world.changed()

    def call(self, session: int, envelope: bytes, relayed_ns: int) -> None:
        """A relayed call has arrived: check it, and plan its execution."""
        now_ns = self._timeline.now_ns
        try:
            with self._testimony.refusals("call", self.canister_id):
                request = admit(
                    envelope,
                    "call",
                    self.canister_id,
                    self.now_ns(),
                    root_key=self.root_key,
                    check_envelope=self._envelope_check,
                )
        except Refused as refused:
            self._world.trail.lost.append((relayed_ns, envelope))
            self._world.refused(session, f"HTTP {refused.status}: {refused.text.splitlines()[0]}")
            return
        if self._is_stopped:
            self._world.trail.lost.append((relayed_ns, envelope))
            reject = canister_stopped(self.canister_id)
            self._testimony.not_replicated(request, reject)
            self._world.refused(session, f"reject code {reject.code}: {reject.text}")
            return
        if request.request_id in self._known:
            self._testimony.replayed(request)
            return
        self._known.add(request.request_id)
        trail = self._world.trail.calls[request.request_id] = CallTrail(relayed_ns, now_ns)
        self._timeline.at(self._slot(session), self._execute, request, trail)

    def close(self, session: int, gateway: Principal, client_key: ClientKey) -> None:
        """The gateway's ws_close has arrived."""
        self._timeline.at(self._slot(session), self._execute_close, gateway, client_key)

    def poll(self, gateway: Principal, nonce: int) -> PollOutcome:
        """The outcome of a query of ws_get_messages, now."""
        if self._is_stopped:
            reject = canister_stopped(self.canister_id)
            return Rejected(reject.code, reject.text)
        outcome = self._host.query("ws_get_messages", encode_poll_args(nonce), caller=gateway, now_ns=self.now_ns())
        if isinstance(outcome, Reject):
            return Rejected(outcome.code, outcome.text)
        return Replied(outcome.data)

    def has_messages(self, gateway: Principal, nonce: int) -> bool:
        """Whether such a poll would bring anything but an empty answer."""
        return self._is_stopped or self._code is None or self._code.cdk.has_news(gateway, nonce)

    def changed(self) -> None:
        """Something ran: note what it queued, plan the next timer, tell the world."""
        now_ns, code = self._timeline.now_ns, self._code
        if code is not None:
            for gateway in self._world.gateways:
                self._note(code, gateway.principal, now_ns)
        self._plan_timer()
        self._world.changed()

    def _note(self, code: AppCanister, gateway: Principal, now_ns: int) -> None:
        following, seen = code.cdk.next_nonce(gateway), self._seen.get(gateway, 0)
        if following == seen:
            return
        # A forgotten gateway, or an upgrade, starts at 0 again.
        for message in code.cdk.messages_from(gateway, seen if following > seen else 0):
            self._world.trail.queued.append((now_ns, message.key, message.client_key, message.content))
        self._seen[gateway] = following

    def _plan_timer(self) -> None:
        due_ns = self._host.next_timer_ns
        if due_ns is None or due_ns == self._timer_ns:
            return
        self._timer_ns = due_ns
        error_ns = self._world.faults.clock_error_ns("canister", 0, self._timeline.now_ns)
        self._timeline.at(due_ns - error_ns, self._run_timers, due_ns)

    def _run_timers(self, due_ns: int) -> None:
        if due_ns != self._timer_ns:
            return
        self._timer_ns = None
        if self._is_stopped:
            return
        self._testimony.timers(self.canister_id, self._host.advance(self.now_ns()))
        self.changed()

    def _slot(self, session: int) -> int:
        """When a call that arrives now is executed."""
        at_ns = self._timeline.now_ns + self._world.legs.update_ns(self._dice)
        if self._world.network.ordered:
            at_ns = self._last_ns[session] = max(at_ns, self._last_ns.get(session, 0))
        return at_ns

    def _execute(self, request: Request, trail: CallTrail) -> None:
        outcome = self._update(request.method, request.arg, request.sender)
        trail.executed_ns = self._timeline.now_ns
        trail.fate = _fate(request.method, outcome)
        if trail.fate != "accepted":
            self._testimony.executed(request, outcome)
        self.changed()

    def _execute_close(self, gateway: Principal, client_key: ClientKey) -> None:
        outcome = self._update("ws_close", encode_close_args(client_key), gateway)
        fate = _fate("ws_close", outcome)
        if fate != "accepted":
            self._world.log.write("canister", "err", f"ws_close of {client_key}: {fate}", err=fate)
        self.changed()

    def _update(self, method: str, arg: bytes, caller: Principal) -> Outcome:
        if self._is_stopped:  # meanwhile
            return canister_stopped(self.canister_id)
        return self._host.update(method, arg, caller=caller, now_ns=self.now_ns())

    def _certify(self, certified_data: bytes) -> bytes:
        self._content = {**self._content, b"certified_data": certified_data}
        self._subnet.state.put_canister(self.canister_id, self._content)
        now_ns = self.now_ns()
        return self._subnet.certify([(CANISTER, self.canister_id.raw, b"certified_data")], "classic", now_ns)

    def _factory(self, system: SystemApi) -> CanisterCode:
        code = self.app.factory(self.config)(system)
        if not isinstance(code, AppCanister):
            raise LabError(f"the app {self.app.name!r} does not run on the CDK")
        self._code = code
        return code

    def _check(self, outcome: Outcome) -> None:
        if isinstance(outcome, Reject):
            raise LabError(f"the {self.app.name} canister could not be installed: {outcome.text}")
        self._content = canister_content(self._host)
        self._timer_ns = None
        self.changed()


def _fate(method: str, outcome: Outcome) -> str:
    """ "accepted", or in whose words the call failed."""
    if isinstance(outcome, Reject):
        return outcome.text
    if method not in _ANSWER_RESULT:
        return "accepted"
    return decode_result(outcome.data) or "accepted"
