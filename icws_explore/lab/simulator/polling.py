"""A gateway's polls: those that can bring something happen, idle ones are only counted.

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
from icws_explore.protocol.gateway.events import AgentFailed, Poll, PollOutcome, Replied

if TYPE_CHECKING:
    from .conditions import Legs
    from .gateway import SimGateway
    from .replica import SimReplica
    from .scheduler import Timeline

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
