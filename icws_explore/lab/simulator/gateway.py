"""A gateway of a simulation: the live gateway's machine between simulated WebSockets and a simulated replica.

A gateway's polls: those that can bring something happen, idle ones are only counted.

A gateway asks ten times a second, and nearly always for nothing. As long as the canister has nothing
for it, a poll is parked: its times are drawn as they would be, but no query runs and no event is
planned. Before anything else happens at the gateway, and when the canister gets a message for it, the
rounds that have passed are made up for (`catch_up`): poll for poll with the same dice, so that every
later poll is asked at the very instant at which it would have been.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from icws_explore.protocol.arguments import PollResult, encode_poll_result
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.gateway.events import (
    AgentFailed,
    CallClose,
    DropClient,
    FrameKind,
    GatewayEvent,
    Log,
    Poll,
    PollOutcome,
    Rejected,
    RelayCall,
    Replied,
    SendToClient,
)
from icws_explore.protocol.gateway.machine import GatewayConfig, GatewayMachine
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal

from ..faults import Delivery
from ..gateway.links import Hops
from ..replica.admission import canister_not_found

if TYPE_CHECKING:
    from .client import SimClient
    from .conditions import Legs
    from .replica import SimReplica
    from .scheduler import Timeline
    from .world import World


# Polls come behind everything else of their instant, whether they are parked or not.
POLLS: Final = 1
_NOTHING: Final = Replied(encode_poll_result(PollResult((), b"", b"", True)))
_FAILED: Final = AgentFailed("TransportError", "connection reset (simulated loss)")


@dataclass(slots=True)
class Query:
    """One poll: when it is asked, at the replica, and back. ``fails``: the connection breaks on the way."""

    asked_ns: int
    arrives_ns: int
    answered_ns: int
    fails: bool
    ticket: int
    nonce: int


class Polling:
    """The polls of one gateway at its one canister."""

    def __init__(
        self,
        gateway: SimGateway,
        replica: SimReplica,
        timeline: Timeline,
        legs: Legs,
        dice: random.Random,
        *,
        skip: bool,
    ) -> None:
        self._gateway = gateway
        self._replica = replica
        self._timeline = timeline
        self._legs = legs
        self._dice = dice
        self._skip = skip
        self._interval_ns = gateway.config.polling_interval_ms * NS_PER_MS
        self._timeout_ns = gateway.config.poll_timeout_ms * NS_PER_MS
        self._query: Query | None = None
        self.is_parked = False
        self.is_asking = False  # a query is under way and will be answered by an event of its own
        self.skipped = 0  # polls that were only counted

    @property
    def will_answer(self) -> bool:
        """Whether the poll under way is answered before it times out."""
        query = self._query
        return query is not None and query.answered_ns <= query.asked_ns + self._timeout_ns

    def ask(self, poll: Poll) -> None:
        """The gateway asks, now."""
        query = self._query = self._drawn(self._timeline.now_ns, poll.ticket, poll.nonce)
        if self._skip and not self._replica.has_messages(self._gateway.principal, poll.nonce):
            self.is_parked = True
            return
        self.is_asking = True
        self._timeline.at(query.arrives_ns, self._arrive, query, order=POLLS)

    def catch_up(self) -> None:
        """Bring the gateway's poller to where it is now, had all idle polls happened."""
        query = self._query
        if not self.is_parked or query is None:
            return
        now_ns, polls = self._timeline.now_ns, 0
        if (fixed := self._legs.fixed_poll_ns) is not None:
            polls = self._jump(query, sum(fixed), now_ns)
        while (following_ns := self._following(query)) < now_ns:
            query = self._query = self._drawn(following_ns, query.ticket + 1, query.nonce)
            polls += 1
        self.skipped += polls
        answered_ns = query.answered_ns if query.answered_ns < now_ns and self.will_answer else None
        self._gateway.machine.skip_polls(self._replica.canister_id, polls, query.asked_ns, answered_ns)

    def wake(self) -> None:
        """The canister's queues may have grown, or a client has left: no longer parked if that matters."""
        query = self._query
        if not self.is_parked or query is None:
            return
        is_polled = self._gateway.machine.polls(self._replica.canister_id)
        if is_polled and not self._replica.has_messages(self._gateway.principal, query.nonce):
            return
        self.catch_up()
        self.is_parked = False
        now_ns, query = self._timeline.now_ns, self._query or query
        self.is_asking = now_ns <= query.answered_ns
        if now_ns <= query.arrives_ns:
            self._timeline.at(query.arrives_ns, self._arrive, query, order=POLLS)
        elif now_ns <= query.answered_ns:
            self._timeline.at(query.answered_ns, self._answer, query, _FAILED if query.fails else _NOTHING, order=POLLS)
        self._gateway.plan_tick()

    def forget(self) -> None:
        """The gateway has ended: nobody waits for an answer any more."""
        self._query, self.is_parked, self.is_asking = None, False, False

    def _drawn(self, asked_ns: int, ticket: int, nonce: int) -> Query:
        there_ns, back_ns, fails = self._legs.poll_ns(self._dice)
        arrives_ns = asked_ns + there_ns
        return Query(asked_ns, arrives_ns, arrives_ns + back_ns, fails, ticket, nonce)

    def _following(self, query: Query) -> int:
        """When the next one is asked if this one brings nothing (poller.py: rest, or again at once)."""
        if query.answered_ns > query.asked_ns + self._timeout_ns:
            return query.asked_ns + self._timeout_ns
        return max(query.asked_ns + self._interval_ns, query.answered_ns)

    def _jump(self, query: Query, round_trip_ns: int, now_ns: int) -> int:
        """Polls that all take the same lie on a grid: go to the last point of it, and say how many were passed."""
        step_ns = self._following(query) - query.asked_ns
        polls = max((now_ns - 1 - query.asked_ns) // step_ns, 0)
        query.asked_ns += polls * step_ns
        query.arrives_ns += polls * step_ns
        query.answered_ns = query.asked_ns + round_trip_ns
        query.ticket += polls
        return polls

    def _arrive(self, query: Query) -> None:
        if query is not self._query:
            return  # given up meanwhile
        outcome: PollOutcome = _FAILED
        if not query.fails:
            outcome = self._replica.poll(self._gateway.principal, query.nonce)
        outcome, late_ms = self._gateway.faults.poll_answer(self._gateway.number, outcome)
        query.answered_ns += round(late_ms * NS_PER_MS)
        if late_ms:
            self._gateway.plan_tick()
        self._timeline.at(query.answered_ns, self._answer, query, outcome, order=POLLS)

    def _answer(self, query: Query, outcome: PollOutcome) -> None:
        if query is self._query:
            self.is_asking = False
            self._gateway.poll_answered(outcome, query.ticket)


_QUIET: Final = ("trace", "debug", "info")


class SimGateway:
    """``number`` counts the gateways from 0. Sessions are called by their clients' numbers."""

    def __init__(self, world: World, number: int, principal: Principal, *, skip: bool) -> None:
        self.number = number
        self.principal = principal
        self.config = GatewayConfig(polling_interval_ms=world.network.poll_interval_ms)
        self.machine = GatewayMachine(principal, self.config)
        self.faults = world.faults
        self._world = world
        self._timeline = world.timeline
        self._dice: random.Random = world.dice(f"gateway {number}")
        self.polling = Polling(
            self, world.replica, world.timeline, world.legs, world.dice(f"polls {number}"), skip=skip
        )
        self._clients: dict[int, SimClient] = {}
        self._tick_ns: int | None = None
        self._last_ns: dict[int, int] = {}  # by session, when its latest call arrives
        self._hops: dict[int, Hops] = {}

    # What happens to it

    def connected(self, client: SimClient) -> None:
        """A WebSocket was opened."""
        self._clients[client.number] = client
        self._hops[client.number] = Hops(self._timeline, ordered=self._world.network.ordered)
        self.polling.catch_up()
        self._carry_out(self.machine.session_opened(client.number))
        if client.link_down.is_unused:
            client.link_down.connect(client.upgraded)

    def frame(self, session: int, kind: FrameKind, data: bytes) -> None:
        """A frame has arrived; a fault may change or hold up what is binary on its way."""
        deliveries = self.faults.client_frame(session, data) if kind == "binary" else [Delivery(data)]
        for delivery in deliveries:
            self._hops[session].from_client.carry(delivery, self._come_in, session, kind, delivery.data)

    def _come_in(self, session: int, kind: FrameKind, data: bytes) -> None:
        self.polling.catch_up()
        self._carry_out(self.machine.frame_received(session, kind, data, self._timeline.now_ns))

    def lost(self, session: int) -> None:
        """A connection broke without a close frame."""
        self.polling.catch_up()
        self._carry_out(self.machine.session_closed(session, self._timeline.now_ns))

    def poll_answered(self, outcome: PollOutcome, ticket: int, canister_id: Principal | None = None) -> None:
        """A poll has come to its end; of the simulation's canister, unless another one is named."""
        asked = canister_id or self._world.replica.canister_id
        self._carry_out(self.machine.poll_result(asked, outcome, self._timeline.now_ns, ticket))

    def restart(self) -> None:
        """The process ends and starts anew: all connections are cut, nobody calls ws_close, nothing is remembered."""
        self.machine = GatewayMachine(self.principal, self.config)
        self._tick_ns = None
        self.polling.forget()
        for client in self._clients.values():
            client.link_down.drop(1006)
        self._clients.clear()

    # What it asks for

    def _carry_out(self, events: list[GatewayEvent]) -> None:
        for event in events:
            match event:
                case SendToClient(session, data):
                    self._world.trail.polled.append((self._timeline.now_ns, data))
                    for delivery in self.faults.relay("down", data):
                        self._hops[int(session)].relay_down.carry(delivery, self._send, session, delivery.data)
                case DropClient(session, code):
                    if (client := self._clients.pop(int(session), None)) is not None:
                        client.link_down.drop(code)
                case RelayCall(session, canister_id, envelope):
                    now_ns = self._timeline.now_ns
                    for delivery in self.faults.relay("up", envelope):
                        relayed = (canister_id, session, delivery.data, now_ns)
                        self._hops[int(session)].relay_up.carry(delivery, self._relay, *relayed)
                case Poll(canister_id) if canister_id != self._world.replica.canister_id:
                    self._poll_nobody(event)
                case Poll():
                    self.polling.ask(event)
                case CallClose(canister_id, client_key):
                    self._close(canister_id, client_key)
                case Log(text, level) if level not in _QUIET:
                    self._world.log.write("gateway", level, text, gateway=str(self.principal))
        self.polling.wake()
        self.plan_tick()

    def _send(self, session: int, data: bytes) -> None:
        if (client := self._clients.get(session)) is not None:
            for delivery in self.faults.gateway_frame(session, data):
                self._hops[session].to_client.carry(delivery, client.link_down.send, delivery.data)

    def _relay(self, canister_id: Principal, session: int, envelope: bytes, relayed_ns: int) -> None:
        for delivery in self.faults.call(session, envelope):
            taken_ns = self._world.legs.call_ns(self._dice)
            if taken_ns is None:
                self._world.trail.lost.append((relayed_ns, delivery.data))
                self._world.refused(session, "lost on its way to the replica")
                continue
            arrives_ns = self._arrival(session, taken_ns + round(delivery.delay_ms * NS_PER_MS))
            if canister_id == self._world.replica.canister_id:
                self._timeline.at(arrives_ns, self._world.replica.call, session, delivery.data, relayed_ns)
            else:
                self._world.trail.lost.append((relayed_ns, delivery.data))
                self._timeline.at(arrives_ns, self._world.refused, session, canister_not_found(canister_id).text)

    def _poll_nobody(self, poll: Poll) -> None:
        """There is no canister but one."""
        there_ns, back_ns, _ = self._world.legs.poll_ns(self._dice)
        reject = canister_not_found(poll.canister_id)
        outcome = Rejected(reject.code, reject.text)
        answered_ns = self._timeline.now_ns + there_ns + back_ns
        self._timeline.at(answered_ns, self.poll_answered, outcome, poll.ticket, poll.canister_id)

    def _close(self, canister_id: Principal, client_key: ClientKey) -> None:
        session, taken_ns = self._world.session_of(client_key), self._world.legs.call_ns(self._dice)
        if taken_ns is None:
            self._world.refused(session, "ws_close was lost on its way to the replica")
            return
        arrives_ns = self._arrival(session, taken_ns)
        if canister_id != self._world.replica.canister_id:
            self._timeline.at(arrives_ns, self._world.refused, session, canister_not_found(canister_id).text)
            return
        self._timeline.at(arrives_ns, self._world.replica.close, session, self.principal, client_key)

    def _arrival(self, session: int, taken_ns: int) -> int:
        """When a call that leaves now is at the replica: not before earlier ones of its session, if order is kept."""
        at_ns = self._timeline.now_ns + taken_ns
        if self._world.network.ordered:
            at_ns = self._last_ns[session] = max(at_ns, self._last_ns.get(session, 0))
        return at_ns

    # Time

    def plan_tick(self) -> None:
        """Plan the poller's next deadline, unless an answer comes first or idle polls are passed over anyway."""
        due_ns = self.machine.deadline_ns
        if self.polling.is_parked or due_ns is None or due_ns == self._tick_ns:
            return
        if self.polling.is_asking and self.polling.will_answer:
            return
        self._tick_ns = due_ns
        self._timeline.at(due_ns, self._tick, due_ns, order=POLLS)

    def _tick(self, due_ns: int) -> None:
        if due_ns != self._tick_ns:
            return
        self._tick_ns = None
        if not self.polling.is_parked:
            self._carry_out(self.machine.tick(self._timeline.now_ns))
