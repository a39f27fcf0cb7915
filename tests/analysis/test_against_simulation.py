"""The analysis sees one client's end; the simulator knows everything. 200 seeded runs are compared.

Stated bounds: the canister's ack interval to the microsecond, as its timers are exact here; every
inferred instant and the clock's skew within the bounds that the analysis itself gives; estimates
no further off than their ``error_s``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

import pytest

import icws_explore as icws
from icws_explore.analysis.timing.timing import Timing
from icws_explore.lab.simulator import Exponential, MessageTruth, NetworkConditions, Simulation, Uniform
from icws_explore.protocol.constants import NS_PER_S

RUNS = 200
CHUNK = 20
SLACK_S = 2e-6  # a frame's time is a float of seconds since the epoch


@cache
def run(seed: int) -> tuple[Simulation, Timing, float]:
    """A short session with its parameters drawn from ``seed``, its analysis, and its ack interval in seconds."""
    dice = random.Random(seed)
    interval_s = dice.randint(61, 120)
    network = NetworkConditions(
        client_latency_ms=dice.choice([dice.uniform(1, 300), Uniform(5, 400), Exponential(80)]),
        replica_latency_ms=dice.uniform(1, 60),
        update_latency_ms=dice.choice([dice.uniform(20, 2000), Uniform(200, 2500)]),
        poll_interval_ms=dice.choice([100, 250, 1000]),
        loss=dice.choice([0.0, 0.0, 0.02]),
    )
    simulation = icws.simulate(
        app="echo",
        duration=3.4 * interval_s,
        conditions=network,
        seed=seed,
        ack_interval_ms=interval_s * 1000,
        population=icws.Population(
            skew_ms=dice.choice([0.0, dice.uniform(-2000, 2000), dice.uniform(-100_000, 100_000)]),
            think_ms=Uniform(8_000, 40_000),
        ),
        crypto="stand-in",
    )
    return simulation, Timing(simulation.raw), float(interval_s)


def seconds(simulation: Simulation, at_ns: int | None, *, clock_of_client: bool = False) -> float:
    """A true instant as the analysis counts: since the capture's first frame, on the network's clock or this one."""
    assert at_ns is not None
    skew_ns = round(simulation.truth.sessions[0].skew_ms * 1e6) if clock_of_client else 0
    return (at_ns + skew_ns - round(simulation.raw.frames[0].t * NS_PER_S)) / NS_PER_S


def truths(simulation: Simulation) -> Iterator[tuple[tuple[str, int], MessageTruth]]:
    """The messages that the client sent, or received, under direction and sequence number."""
    for message in simulation.truth.messages:
        if message.sequence_num is not None:
            yield ("out" if message.direction == "up" else "in", message.sequence_num), message


def opening(simulation: Simulation) -> tuple[MessageTruth, MessageTruth] | None:
    """The ws_open and the OpenMessage; None where the first was lost on its way, so that nothing else happened."""
    (asked,) = simulation.truth.of("open_request")
    opened = simulation.truth.of("open")
    return (asked, opened[0]) if opened else None


@pytest.fixture(params=range(0, RUNS, CHUNK), ids=lambda first: f"seeds {first} to {first + CHUNK - 1}")
def runs(request: pytest.FixtureRequest) -> list[tuple[Simulation, Timing, float]]:
    return [run(seed) for seed in range(request.param, request.param + CHUNK)]


class TestAckInterval:
    def test_is_the_canisters(self, runs: list[tuple[Simulation, Timing, float]]) -> None:
        for simulation, timing, interval_s in runs:
            found = timing.ack_interval()
            received = [ack for ack in simulation.truth.acks if ack.received_ns is not None]
            assert found.min_s <= interval_s <= found.max_s
            if len(received) >= 2:
                assert found.estimate_s == pytest.approx(interval_s, abs=SLACK_S)
                assert found.ticks == len(received)


class TestSkew:
    def test_lies_within_its_bounds(self, runs: list[tuple[Simulation, Timing, float]]) -> None:
        for simulation, timing, _ in runs:
            true_s = simulation.truth.sessions[0].skew_ms / 1000
            skew = timing.skew()
            assert skew.min_s - SLACK_S <= true_s <= skew.max_s + SLACK_S
            assert abs(skew.estimate_s - true_s) <= skew.error_s + SLACK_S

    def test_is_known_as_precisely_as_the_shortest_round_trip(
        self, runs: list[tuple[Simulation, Timing, float]]
    ) -> None:
        for simulation, timing, _ in runs:
            skew = timing.skew()
            both = opening(simulation)
            if both is None:
                assert timing.opens["outcome"][0] == "timed out"
                continue
            asked, opened = both
            assert asked.sent_ns is not None
            assert opened.received_ns is not None
            assert skew.max_s - skew.min_s <= (opened.received_ns - asked.sent_ns) / NS_PER_S + SLACK_S


class TestLatencies:
    def test_of_each_certified_message(self, runs: list[tuple[Simulation, Timing, float]]) -> None:
        for simulation, timing, _ in runs:
            true = dict(truths(simulation))
            error = timing.skew().error_s
            for row in timing.certificates.itertuples():
                message = true["in", row.sequence_num]
                assert message.received_ns is not None
                assert message.certified_ns is not None
                assert message.executed_ns is not None
                delay_s = (message.received_ns - message.certified_ns) / NS_PER_S
                assert row.delay_min_s - SLACK_S <= delay_s <= row.delay_max_s + SLACK_S
                assert abs(row.delay_s - delay_s) <= error + SLACK_S
                assert row.waited_s == pytest.approx(
                    (message.certified_ns - message.executed_ns) / NS_PER_S, abs=SLACK_S
                )

    def test_of_the_opening(self, runs: list[tuple[Simulation, Timing, float]]) -> None:
        for simulation, timing, _ in runs:
            row = timing.opens.iloc[0]
            both = opening(simulation)
            if both is None:
                assert timing.opens["outcome"][0] == "timed out"
                continue
            asked, opened = both
            assert asked.sent_ns is not None
            assert asked.executed_ns is not None
            assert opened.received_ns is not None
            assert row["latency_s"] == pytest.approx((opened.received_ns - asked.sent_ns) / NS_PER_S, abs=SLACK_S)
            up_s = (asked.executed_ns - asked.sent_ns) / NS_PER_S
            assert row["up_min_s"] - SLACK_S <= up_s <= row["up_max_s"] + SLACK_S


class TestMessages:
    def test_sent_received_and_acked(self, runs: list[tuple[Simulation, Timing, float]]) -> None:
        for simulation, timing, _ in runs:
            true = dict(truths(simulation))
            for row in timing.messages.query("direction == 'out'").itertuples():
                message = true["out", row.sequence_num]
                assert row.sent_s == pytest.approx(
                    seconds(simulation, message.sent_ns, clock_of_client=True), abs=SLACK_S
                )
                if message.executed_ns is not None:
                    at = seconds(simulation, message.executed_ns, clock_of_client=True)
                    assert row.received_min_s - SLACK_S <= at <= row.received_max_s + SLACK_S
                acked_ns = simulation.truth.acked_ns(message)
                if acked_ns is not None:
                    at = seconds(simulation, acked_ns, clock_of_client=True)
                    assert row.acked_s == pytest.approx(at, abs=SLACK_S)


class TestKeepAlives:
    def test_arrived_within_the_bounds(self, runs: list[tuple[Simulation, Timing, float]]) -> None:
        arrived = 0
        for simulation, timing, _ in runs:
            true = dict(truths(simulation))
            for row in timing.keep_alives.itertuples():
                message = None if row.sequence_num is None else true.get(("out", row.sequence_num))
                if message is None or message.executed_ns is None:
                    continue
                at_s = seconds(simulation, message.executed_ns) - row.ack_made_s
                assert row.delay_arrived_min_s - SLACK_S <= at_s <= row.delay_arrived_max_s + SLACK_S
                arrived += 1
        assert arrived >= CHUNK  # else nothing was compared
