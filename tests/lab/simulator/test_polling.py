"""Skipping idle polls does not change a recording: it is the same, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icws_explore.lab.faults import Faults
from icws_explore.lab.simulator import CanisterSettings, NetworkConditions, Population, Script, Simulation, simulate
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.gateway.events import PollOutcome


class EveryPoll(Faults):
    """Overrides the hook without changing anything, so no poll may be skipped."""

    def __init__(self) -> None:
        self.polls = 0

    def poll_answer(self, gateway: int, outcome: PollOutcome) -> tuple[PollOutcome, float]:
        self.polls += 1
        return outcome, 0.0


def both_ways(**options: Any) -> tuple[Simulation, Simulation, EveryPoll]:
    faults = EveryPoll()
    return simulate(**options), simulate(**options, faults=faults), faults


def assert_same(**options: Any) -> None:
    skipping, polling, faults = both_ways(**options)
    assert skipping.raw.frames == polling.raw.frames
    assert skipping.truth.messages == polling.truth.messages
    assert polling.counts.skipped_polls == 0
    assert skipping.counts.skipped_polls <= faults.polls


class TestIdlePolls:
    def test_cost_no_events(self):
        skipping, polling, faults = both_ways(duration="10m", population=Population(think_ms=60_000))
        assert skipping.counts.skipped_polls > 0.95 * 6_000
        assert faults.polls == pytest.approx(6_000, abs=20)
        assert skipping.counts.events < 400
        assert polling.counts.events > 18_000

    @pytest.mark.parametrize(
        "conditions",
        [
            NetworkConditions(),
            NetworkConditions(client_latency_ms=0, replica_latency_ms=0, update_latency_ms=0),
            NetworkConditions(replica_latency_ms=60),  # a round trip is longer than the interval
            NetworkConditions(replica_latency_ms=(1, 140)),
            NetworkConditions(replica_latency_ms=2_600),  # every poll times out
            NetworkConditions(replica_latency_ms=(2_300, 2_700)),
            NetworkConditions(replica_latency_ms=5_500),  # given up before it arrives
            NetworkConditions(poll_loss=0.5),
            NetworkConditions(poll_interval_ms=700, replica_latency_ms=(0, 900), poll_loss=0.1),
        ],
        ids=["usual", "instant", "slow", "varying", "timing out", "on the edge", "hopeless", "failing", "everything"],
    )
    def test_make_no_difference(self, conditions):
        assert_same(duration="7m", conditions=conditions, population=Population(sessions=2, think_ms=(0, 40_000)))

    @settings(max_examples=15)
    @given(
        seed=st.integers(0, 2**32),
        sessions=st.integers(1, 5),
        gateways=st.integers(1, 3),
        interval_ms=st.integers(1, 400),
        latency_ms=st.tuples(st.integers(0, 50), st.integers(50, 400)),
        loss=st.sampled_from([0.0, 0.2]),
        app=st.sampled_from(["pingpong", "chat", "ticker"]),
    )
    def test_make_no_difference_on_any_network(self, seed, sessions, gateways, interval_ms, latency_ms, loss, app):
        conditions = NetworkConditions(
            client_latency_ms=latency_ms,
            replica_latency_ms=latency_ms,
            update_latency_ms=latency_ms,
            poll_interval_ms=interval_ms,
            poll_loss=loss,
        )
        assert_same(
            app=app,
            duration="50s",
            seed=seed,
            population=Population(sessions=sessions, gateways=gateways),
            conditions=conditions,
            ack_interval_ms=20_000,
            canister=CanisterSettings(keep_alive_timeout_ms=7_000),
            crypto="stand-in",
        )

    def test_make_no_difference_when_all_clients_leave_and_one_returns(self):
        """The poller stops with the last client and starts again with the next."""

        class Leaves(Script):
            def opened(self, client):
                client.after((20_000, 40_000), client.close)

        assert_same(
            app="ticker",
            duration="5m",
            population=Population(sessions=3, arrivals=lambda n: 100.0321 * (n // 2), script=Leaves()),
        )


class TestTimes:
    def test_are_multiples_of_the_interval_after_the_first_poll(self):
        """A certificate has the time at which its poll was at the replica."""
        simulation = simulate(
            duration="20m",
            conditions=NetworkConditions(replica_latency_ms=7),
            population=Population(sessions=2, think_ms=(1, 60_000)),
        )
        times = sorted({m.certified_ns for m in simulation.truth.messages if m.certified_ns is not None})
        assert len(times) > 30
        assert {(at_ns - times[0]) % (100 * NS_PER_MS) for at_ns in times} == {0}
