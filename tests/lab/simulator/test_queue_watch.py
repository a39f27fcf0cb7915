"""A canister that cannot be looked into is simulated as one that can: the same bytes, counts and truth, with few polls.

`opaque` hides the CDK's model, as a compiled canister hides its own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from icws_explore.lab.apps import load
from icws_explore.lab.faults import Faults
from icws_explore.lab.scenarios.faults import Frozen, Refuses, Stopped, Upgrade, WrongGatewayClock
from icws_explore.lab.simulator import CanisterSettings, NetworkConditions, Population, Simulation, simulate
from icws_explore.protocol.canister import App, AppCanister, CanisterFactory, CdkConfig, SystemApi
from icws_explore.protocol.constants import NS_PER_S


class OpaqueCode:
    """A canister's code, without its CDK."""

    def __init__(self, code: AppCanister, looks: list[str]) -> None:
        self._code = code
        self._looks = looks
        self.init, self.update = code.init, code.update
        self.snapshot, self.restore = code.snapshot, code.restore

    def query(self, method: str, arg: bytes) -> bytes:
        self._looks.append(method)
        return self._code.query(method, arg)

    @property
    def candid_interface(self) -> str:
        return self._code.candid_interface


@dataclass(frozen=True, slots=True)
class OpaqueApp(App):
    """``queries`` is called for every query, also for those that no gateway made."""

    queries: Any = None

    def factory(self, config: CdkConfig | None = None) -> CanisterFactory:
        def make(system: SystemApi) -> OpaqueCode:
            return OpaqueCode(AppCanister(system, self, config or CdkConfig()), self.queries)

        return make


def opaque(name: str) -> OpaqueApp:
    app = load(name)
    return OpaqueApp(**{each.name: getattr(app, each.name) for each in fields(app)}, queries=[])


class LateClock(Faults):
    """The replica's clock is set back for a while."""

    def clock_error_ns(self, clock: Any, number: int, now_ns: int) -> int:
        return -3 * NS_PER_S if clock == "canister" and now_ns // NS_PER_S % 60 > 20 else 0


class EveryPoll(Faults):
    """Counts the polls that a gateway makes."""

    polls = 0

    def poll_answer(self, gateway: int, outcome: Any) -> tuple[Any, float]:
        self.polls += 1
        return outcome, 0.0


def assert_same(app: str, **options: Any) -> tuple[Simulation, int]:
    """Simulate both. Returns the opaque one, and its number of queries."""
    hidden = opaque(app)
    faults = options.pop("faults", Faults)
    shown, opaque_one = simulate(app, **options, faults=faults()), simulate(hidden, **options, faults=faults())
    assert opaque_one.raw.frames == shown.raw.frames
    assert opaque_one.counts == shown.counts
    assert opaque_one.truth.messages == shown.truth.messages
    return opaque_one, len(hidden.queries)


def test_the_gateway_s_polls_are_enough() -> None:
    options = {"duration": "5m", "population": Population(20), "crypto": "stand-in"}
    simulation, queries = assert_same("pingpong", **options)
    polls = EveryPoll()
    simulate("pingpong", **options, faults=polls)
    assert len(simulation.truth.messages) > 1_000
    assert queries <= polls.polls - simulation.counts.skipped_polls + 1


@pytest.mark.parametrize(
    "faults",
    [
        lambda: Upgrade(50),
        lambda: Stopped(50),
        lambda: Frozen(50),
        lambda: Refuses("query", 503, "busy"),
        lambda: WrongGatewayClock(-100),
        LateClock,
        EveryPoll,
    ],
    ids=["upgraded", "stopped", "frozen", "no polls", "polls refused", "clock set back", "every poll runs"],
)
@pytest.mark.parametrize("gateways", [1, 2])
def test_faults_make_no_difference(faults: Any, gateways: int) -> None:
    population = Population(6, gateways=gateways, think_ms=(10, 1_000))
    assert_same("pingpong", duration="80s", faults=faults, population=population, crypto="stand-in")


@pytest.mark.parametrize("fault", [Stopped, Frozen, Upgrade])
def test_messages_that_no_poll_has_shown_are_noted_before_the_canister_changes(fault: Any) -> None:
    """A stopped canister's timers do not run, so nobody may query it afterwards: a query first runs what is due."""
    for number in range(5):
        assert_same(
            "pingpong",
            duration="30s",
            population=Population(6, think_ms=(10, 1_000)),
            crypto="stand-in",
            ack_interval_ms=20_000,
            canister=CanisterSettings(keep_alive_timeout_ms=7_000),
            faults=lambda at_s=10 + number * 0.037: fault(at_s),
        )


def test_messages_that_nobody_polls_are_noted_before_the_canister_deletes_them() -> None:
    conditions = NetworkConditions(poll_loss=1.0)
    canister = CanisterSettings(keep_alive_timeout_ms=3_000)
    simulation, _ = assert_same(
        "chat", duration="2m", population=3, conditions=conditions, ack_interval_ms=5_000, canister=canister
    )
    assert all(message.polled_ns is None for message in simulation.truth.messages)
    assert any(message.direction == "down" for message in simulation.truth.messages)


@settings(max_examples=15)
@example(seed=0, sessions=4, latency_ms=(0, 50), poll_loss=0.0, max_messages=1, upgraded_at=8.0, app="ticker")
@given(
    seed=st.integers(0, 2**32),
    sessions=st.integers(1, 8),
    latency_ms=st.tuples(st.integers(0, 50), st.integers(50, 3_000)),
    poll_loss=st.sampled_from([0.0, 0.3]),
    max_messages=st.sampled_from([1, 3, 50]),
    upgraded_at=st.none() | st.floats(5, 45),
    app=st.sampled_from(["pingpong", "chat", "ticker"]),
)
def test_no_network_makes_a_difference(
    seed: int,
    sessions: int,
    latency_ms: tuple[int, int],
    poll_loss: float,
    max_messages: int,
    upgraded_at: float | None,
    app: str,
) -> None:
    assert_same(
        app,
        duration="50s",
        seed=seed,
        population=Population(sessions, arrivals="10s"),
        conditions=NetworkConditions(
            replica_latency_ms=latency_ms, update_latency_ms=latency_ms, poll_loss=poll_loss, ordered=False
        ),
        ack_interval_ms=20_000,
        canister=CanisterSettings(keep_alive_timeout_ms=7_000, max_messages=max_messages),
        crypto="stand-in",
        faults=Faults if upgraded_at is None else lambda: Upgrade(upgraded_at),
    )
