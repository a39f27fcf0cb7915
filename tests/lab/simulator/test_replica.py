"""The replica of a simulation: it checks, executes and certifies; only its log shows what it refuses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from icws_explore.lab.faults import Faults
from icws_explore.lab.simulator import CanisterSettings, NetworkConditions, Population, simulate
from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App, AppContext, CdkConfig
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.principal import Principal

TEXT = parse_type("text")


def trapping(event: str) -> App:
    def handler(context: AppContext, *_: Any) -> None:
        context.trap(f"{event} fails")

    return App("trapping", TEXT, **{event: handler})


class TestExecution:
    def test_a_trap_in_on_open_shows_only_in_the_log(self):
        """ON_OPEN_TRAP: the client gets no OpenMessage."""
        simulation = simulate(trapping("on_open"), duration="2m")
        assert simulation.counts.ended == {"4000 Open connection timeout": 1}
        assert any(event.kind == "trapped" and "on_open fails" in event.text for event in simulation.log)
        assert "on_open fails" in simulation.truth.of("open_request")[0].fate

    def test_an_app_that_cannot_be_installed(self):
        with pytest.raises(LabError, match="on_init fails"):
            simulate(trapping("on_init"))

    def test_a_trap_in_a_timer_shows_only_in_the_log(self):
        def on_init(context: AppContext) -> None:
            context.every(10_000, lambda c: c.trap("tick fails"))

        simulation = simulate(App("ticking", TEXT, on_init=on_init), duration="35s")
        assert sum("tick fails" in event.text for event in simulation.log if event.kind == "trapped") == 4
        assert simulation.counts.ended == {"1000": 1}

    def test_the_app_s_timers_run_on_time(self):
        ticks = []

        def on_init(context: AppContext) -> None:
            context.every(7_000, lambda c: ticks.append(c.now_ns))

        simulate(App("ticking", TEXT, on_init=on_init), duration="60s", canister=CanisterSettings(age="1s"))
        assert [(at_ns - ticks[0]) // NS_PER_S for at_ns in ticks[:5]] == [0, 7, 14, 21, 28]

    def test_an_app_without_the_cdk_is_refused(self):
        @dataclass(frozen=True)
        class Bare(App):
            def factory(self, config: CdkConfig | None = None) -> Any:
                return lambda system: object()

        with pytest.raises(LabError, match="could not be installed"):
            simulate(Bare("bare", TEXT))


class TestPrincipals:
    def test_a_second_session_of_a_principal_takes_over(self):
        """PRINCIPAL_TAKEOVER: two clients with one identity."""

        class Twin(Faults):
            def begin(self, world: Any) -> None:
                first = world.clients[0].setup
                world.add_client(replace(first, start_ns=first.start_ns + 25 * NS_PER_S))

        simulation = simulate("ticker", duration="5m", faults=Twin(), crypto="stand-in")
        first, second = (simulation.truth.of("app", number) for number in (0, 1))
        assert len(simulation.truth.sessions) == 2
        assert len(first) == 2
        assert max(m.executed_ns for m in first) < min(m.executed_ns for m in second)
        assert simulation.world.replica.clients == ()


class TestUpgrade:
    def test_can_install_another_app(self):
        heard = []

        class Upgrade(Faults):
            def begin(self, world: Any) -> None:
                def now(_context: AppContext, client: Principal) -> None:
                    heard.append(client)

                app = App("other", TEXT, on_open=now)
                world.after(10, lambda: world.upgrade_canister(app))

        simulate("echo", duration="60s", population=Population(sessions=2, arrivals=lambda n: 20 * n), faults=Upgrade())
        assert len(heard) == 1


class TestCertificates:
    def test_have_the_time_of_the_poll(self):
        simulation = simulate(duration="2m", conditions=NetworkConditions(replica_latency_ms=7))
        for message in simulation.truth.of("app"):
            if message.polled_ns is not None:
                assert message.polled_ns - message.certified_ns == 7_000_000
