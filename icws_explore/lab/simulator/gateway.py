"""`SimGateway`: the gateway's machine between simulated WebSockets and the simulated replica."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from icws_explore.protocol.arguments import encode_poll_args
from icws_explore.protocol.canister import canister_not_found
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.envelope import query_content, sign_envelope
from icws_explore.protocol.gateway.events import (
    CallClose,
    FrameKind,
    GatewayEvent,
    Poll,
    PollOutcome,
    Rejected,
    RelayCall,
)
from icws_explore.protocol.gateway.machine import GatewayConfig
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal

from ..faults import Faults
from ..gateway.agent import agent_expiry_ns
from ..gateway.wiring import GatewayWiring, number_of
from ..log import LabLog
from .conditions import LatencyModel
from .event_log import EventLog
from .network_side import Exchange, NetworkSide
from .polling import AFTER_OTHERS, Polling
from .replica import SimReplica
from .scheduler import VirtualScheduler

if TYPE_CHECKING:
    from .client import SimClient


class SimGateway(GatewayWiring):
    """A gateway of a simulation. Sessions have the numbers of their clients.

    ``network_side`` records its calls and failed polls, but not its ws_close calls; None: nothing does.
    ``session_of`` returns the session with a client key; ``on_refused(session, why)`` is called for every relayed
    call that fails. ``rng`` draws the latencies of calls, ``poll_rng`` those of polls.
    """

    quiet_levels: ClassVar[tuple[str, ...]] = ("trace", "debug", "info")
    _scheduler: VirtualScheduler

    def __init__(
        self,
        number: int,
        identity: Identity,
        config: GatewayConfig,
        *,
        replica: SimReplica,
        scheduler: VirtualScheduler,
        latency: LatencyModel,
        rng: random.Random,
        poll_rng: random.Random,
        faults: Faults,
        log: LabLog,
        event_log: EventLog,
        session_of: Callable[[ClientKey], int],
        on_refused: Callable[[int, str], None],
        ordered: bool,
        skip_idle_polls: bool,
        network_side: NetworkSide | None = None,
    ) -> None:
        super().__init__(
            number, identity.principal, config, scheduler=scheduler, faults=faults, log=log, ordered=ordered
        )
        self.polling = Polling(self, replica, scheduler, latency, poll_rng, skip=skip_idle_polls)
        self._identity = identity
        self._network_side = network_side
        self._replica = replica
        self._latency = latency
        self._rng = rng
        self._event_log = event_log
        self._session_of = session_of
        self._on_refused = on_refused
        self._clients: dict[int, SimClient] = {}
        self._tick_ns: int | None = None
        self._last_arrival_ns: dict[int, int] = {}  # of each session's calls

    # -- from clients --------------------------------------------------------------------------

    def connected(self, client: SimClient) -> None:
        """A client has opened its WebSocket."""
        if (refused := self.faults.refusal("upgrade")) is not None:
            client.link_down.connect(client.declined, refused[0])
            return
        self._clients[client.number] = client
        self._open_links(client.number)
        self.polling.catch_up()
        self._carry_out(self.machine.session_opened(client.number))
        if client.link_down.is_unused:
            client.link_down.connect(client.upgraded)

    def _frame_received(self, session: int, kind: FrameKind, data: bytes) -> None:
        self.polling.catch_up()
        self._carry_out(self.machine.frame_received(session, kind, data, self._scheduler.now_ns))

    def lost(self, session: int) -> None:
        """A connection has ended without a close frame."""
        self.polling.catch_up()
        self._carry_out(self.machine.session_closed(session, self._scheduler.now_ns))

    def restart(self) -> None:
        """Restart the process: every connection is cut, ws_close is not called, and the gateway loses all its state."""
        self._forget_sessions()
        self._tick_ns = None
        self.polling.forget()
        for client in self._clients.values():
            client.link_down.drop(CloseCode.ABNORMAL_CLOSURE)
        self._clients.clear()

    # -- to clients ----------------------------------------------------------------------------

    def _carry_out(self, events: list[GatewayEvent]) -> None:
        super()._carry_out(events)
        self.polling.wake()
        self.plan_tick()

    def _send_down(self, session: int, data: bytes) -> None:
        self._event_log.polled.append((self._scheduler.now_ns, data))
        super()._send_down(session, data)

    def _writer(self, session: int) -> Callable[[bytes], None] | None:
        client = self._clients.get(session)
        return None if client is None else client.link_down.send

    def _drop(self, session: int, code: int | None) -> None:
        if (client := self._clients.pop(session, None)) is not None:
            client.link_down.drop(code)

    # -- calls and polls -----------------------------------------------------------------------

    def _relay(self, call: RelayCall, envelope: bytes, relayed_ns: int) -> None:
        session, canister_id = number_of(call.session), call.canister_id
        for delivery in self.faults.call(session, envelope):
            latency_ns = self._latency.call_ns(self._rng)
            exchange = self._exchange(canister_id, delivery.data)
            if latency_ns is None:
                self._event_log.lost.append((relayed_ns, delivery.data))
                self._on_refused(session, "lost on its way to the replica")
                continue
            arrives_ns = self._arrival_ns(session, latency_ns + round(delivery.delay_ms * NS_PER_MS))
            if canister_id == self._replica.canister_id:
                self._scheduler.at(arrives_ns, self._replica.call, session, delivery.data, relayed_ns, exchange)
            else:
                self._event_log.lost.append((relayed_ns, delivery.data))
                reject = canister_not_found(canister_id)
                self._scheduler.at(arrives_ns, self._on_refused, session, reject.text)
                self._scheduler.at(arrives_ns, exchange.not_replicated, reject)

    def _call_close(self, call: CallClose) -> None:
        session, latency_ns = self._session_of(call.client_key), self._latency.call_ns(self._rng)
        if latency_ns is None:
            self._on_refused(session, "ws_close was lost on its way to the replica")
            return
        arrives_ns = self._arrival_ns(session, latency_ns)
        if call.canister_id != self._replica.canister_id:
            self._scheduler.at(arrives_ns, self._on_refused, session, canister_not_found(call.canister_id).text)
            return
        self._scheduler.at(arrives_ns, self._replica.close, session, self.principal, call.client_key)

    def _arrival_ns(self, session: int, latency_ns: int) -> int:
        """The time at which a call sent now arrives: if calls are ordered, not before its session's earlier calls."""
        at_ns = self._scheduler.now_ns + latency_ns
        if self.ordered:
            at_ns = self._last_arrival_ns[session] = max(at_ns, self._last_arrival_ns.get(session, 0))
        return at_ns

    def _exchange(self, canister_id: Principal, envelope: bytes) -> Exchange:
        if self._network_side is None:
            return Exchange()
        return self._network_side.call(canister_id, envelope, asynchronous=self.ordered)

    def _poll(self, poll: Poll) -> None:
        if poll.canister_id == self._replica.canister_id:
            self.polling.send(poll)
        else:
            self._poll_unknown(poll)

    def poll_outcome(self, nonce: int) -> PollOutcome:
        """Return the outcome of a poll that arrives at the replica now."""
        exchange = self._poll_exchange(self._replica.canister_id, nonce)
        return self._replica.poll(self.principal, nonce, self._expiry_ns, exchange)

    def _poll_exchange(self, canister_id: Principal, nonce: int) -> Exchange:
        if self._network_side is None:
            return Exchange()
        arg = encode_poll_args(nonce)
        content = query_content(canister_id, "ws_get_messages", arg, self.principal, self._expiry_ns)
        return self._network_side.query(canister_id, sign_envelope(content, self._identity))

    @property
    def _expiry_ns(self) -> int:
        """The ingress_expiry of a request that the gateway makes now, by its own clock."""
        now_ns = self._scheduler.now_ns
        return agent_expiry_ns(now_ns + self.faults.clock_error_ns("gateway", self.number, now_ns))

    def _poll_unknown(self, poll: Poll) -> None:
        """Poll a canister that does not exist, as a client with a wrong canister id makes the gateway do."""
        request_ns, response_ns, _ = self._latency.poll_ns(self._rng)
        reject = canister_not_found(poll.canister_id)
        outcome = Rejected(reject.code, reject.text)
        answered_ns = self._scheduler.now_ns + request_ns + response_ns
        self._scheduler.at(answered_ns, self.poll_answered, outcome, poll.ticket, poll.canister_id)
        self._poll_exchange(poll.canister_id, poll.nonce).queried(reject, self._scheduler.now_ns)

    def poll_answered(self, outcome: PollOutcome, ticket: int, canister_id: Principal | None = None) -> None:
        """A poll has ended. ``canister_id`` None is the simulation's canister."""
        polled = canister_id or self._replica.canister_id
        self._carry_out(self.machine.poll_result(polled, outcome, self._scheduler.now_ns, ticket))

    # -- timers --------------------------------------------------------------------------------

    def plan_tick(self) -> None:
        """Plan the poller's next deadline, unless an answer comes first or its polls are parked."""
        due_ns = self.machine.deadline_ns
        if self.polling.is_parked or due_ns is None or due_ns == self._tick_ns:
            return
        if self.polling.is_waiting and self.polling.will_answer:
            return
        self._tick_ns = due_ns
        self._scheduler.at(due_ns, self._tick, due_ns, order=AFTER_OTHERS)

    def _tick(self, due_ns: int) -> None:
        if due_ns != self._tick_ns:
            return
        self._tick_ns = None
        if not self.polling.is_parked:
            self._carry_out(self.machine.tick(self._scheduler.now_ns))
