"""`Polling`: a simulated gateway's polls. Polls that find something run; idle polls are only counted.

A gateway polls ten times a second and nearly always finds nothing. While the canister has nothing for the gateway,
a poll is parked: its latencies are drawn as usual, but no query runs and no action is planned. `Polling.catch_up`
accounts for the idle polls in between. It runs before anything else happens at the gateway, and when the canister
queues a message. It draws each skipped poll from the same random generator, so every later poll takes place at
exactly the time at which it would have without skipping.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from icws_explore.protocol.arguments import PollResult, encode_poll_result
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.gateway.events import AgentFailed, Poll, PollOutcome, Replied

from .conditions import LatencyModel
from .replica import SimReplica
from .scheduler import VirtualScheduler

if TYPE_CHECKING:
    from .gateway import SimGateway

AFTER_OTHERS: Final = 1  # the order of polls in an instant: after everything else, whether they were parked or not
_NOTHING: Final = Replied(encode_poll_result(PollResult((), b"", b"", True)))
_FAILED: Final = AgentFailed("TransportError", "connection reset (simulated loss)")


@dataclass(slots=True)
class Query:
    """One poll: the times at which it is sent, at the replica and answered. ``fails``: its connection breaks."""

    sent_ns: int
    arrives_ns: int
    answered_ns: int
    fails: bool
    ticket: int
    nonce: int


class Polling:
    """The polls of one gateway at its one canister. With ``skip`` False no poll is skipped."""

    def __init__(
        self,
        gateway: SimGateway,
        replica: SimReplica,
        scheduler: VirtualScheduler,
        latency: LatencyModel,
        rng: random.Random,
        *,
        skip: bool,
    ) -> None:
        self._gateway = gateway
        self._replica = replica
        self._scheduler = scheduler
        self._latency = latency
        self._rng = rng
        self._skip = skip
        self._interval_ns = gateway.config.polling_interval_ms * NS_PER_MS
        self._timeout_ns = gateway.config.poll_timeout_ms * NS_PER_MS
        self._query: Query | None = None
        self.is_parked = False
        self.is_waiting = False  # a query is under way, and an action is planned for its answer
        self.skipped = 0  # the number of polls that were only counted

    @property
    def will_answer(self) -> bool:
        """Whether the poll under way is answered before it times out."""
        query = self._query
        return query is not None and query.answered_ns <= query.sent_ns + self._timeout_ns

    def send(self, poll: Poll) -> None:
        """The gateway polls now."""
        query = self._query = self._draw(self._scheduler.now_ns, poll.ticket, poll.nonce)
        if self._skip and not self._replica.has_messages(self._gateway.principal, poll.nonce):
            self.is_parked = True
            return
        self.is_waiting = True
        self._scheduler.at(query.arrives_ns, self._arrive, query, order=AFTER_OTHERS)

    def catch_up(self) -> None:
        """Put the gateway's poller into the state in which it would be if the skipped polls had run."""
        query = self._query
        if not self.is_parked or query is None:
            return
        now_ns, polls = self._scheduler.now_ns, 0
        if (round_trip_ns := self._latency.fixed_poll_ns) is not None:
            polls = self._jump(query, round_trip_ns, now_ns)
        while (next_ns := self._next_ns(query)) < now_ns:
            query = self._query = self._draw(next_ns, query.ticket + 1, query.nonce)
            polls += 1
        self.skipped += polls
        answered_ns = query.answered_ns if query.answered_ns < now_ns and self.will_answer else None
        self._gateway.machine.skip_polls(self._replica.canister_id, polls, query.sent_ns, answered_ns)

    def wake(self) -> None:
        """The canister's queue may have grown, or a client may have left: stop parking if a poll would notice."""
        query = self._query
        if not self.is_parked or query is None:
            return
        is_polled = self._gateway.machine.polls(self._replica.canister_id)
        if self._skip and is_polled and not self._replica.has_messages(self._gateway.principal, query.nonce):
            return
        self.catch_up()
        self.is_parked = False
        now_ns, query = self._scheduler.now_ns, self._query or query
        self.is_waiting = now_ns <= query.answered_ns
        if now_ns <= query.arrives_ns:
            self._scheduler.at(query.arrives_ns, self._arrive, query, order=AFTER_OTHERS)
        elif now_ns <= query.answered_ns:
            outcome = _FAILED if query.fails else _NOTHING
            self._scheduler.at(query.answered_ns, self._answer, query, outcome, order=AFTER_OTHERS)
        self._gateway.plan_tick()

    def stop_skipping(self) -> None:
        """From now on, run every poll: somebody wants to see the answers."""
        self._skip = False
        self.wake()

    def forget(self) -> None:
        """The gateway has ended. Ignore the answer of the poll under way."""
        self._query, self.is_parked, self.is_waiting = None, False, False

    def _draw(self, sent_ns: int, ticket: int, nonce: int) -> Query:
        request_ns, response_ns, fails = self._latency.poll_ns(self._rng)
        arrives_ns = sent_ns + request_ns
        return Query(sent_ns, arrives_ns, arrives_ns + response_ns, fails, ticket, nonce)

    def _next_ns(self, query: Query) -> int:
        """The time of the next poll if this one finds nothing: the rules are those of protocol.gateway.poller."""
        if query.answered_ns > query.sent_ns + self._timeout_ns:
            return query.sent_ns + self._timeout_ns
        return max(query.sent_ns + self._interval_ns, query.answered_ns)

    def _jump(self, query: Query, round_trip_ns: int, now_ns: int) -> int:
        """Move ``query`` to the last poll before now, if all polls take the same time. Return the number of polls."""
        step_ns = self._next_ns(query) - query.sent_ns
        polls = max((now_ns - 1 - query.sent_ns) // step_ns, 0)
        query.sent_ns += polls * step_ns
        query.arrives_ns += polls * step_ns
        query.answered_ns = query.sent_ns + round_trip_ns
        query.ticket += polls
        return polls

    def _arrive(self, query: Query) -> None:
        if query is not self._query:
            return  # the gateway has given it up
        outcome: PollOutcome = _FAILED
        if not query.fails:
            outcome = self._gateway.poll_outcome(query.nonce)
        outcome, late_ms = self._gateway.faults.poll_answer(self._gateway.number, outcome)
        query.answered_ns += round(late_ms * NS_PER_MS)
        if late_ms:
            self._gateway.plan_tick()
        self._scheduler.at(query.answered_ns, self._answer, query, outcome, order=AFTER_OTHERS)

    def _answer(self, query: Query, outcome: PollOutcome) -> None:
        if query is self._query:
            self.is_waiting = False
            self._gateway.poll_answered(outcome, query.ticket)
