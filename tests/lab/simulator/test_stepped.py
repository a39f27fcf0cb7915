"""A simulation that is driven step by step."""

from __future__ import annotations

import pytest

from icws_explore.lab.apps import load
from icws_explore.lab.faults import Faults
from icws_explore.lab.simulator.stepped import SteppedSimulation, opened_or_raise
from icws_explore.protocol.errors import ArgumentValueError, LabError
from icws_explore.protocol.gateway.events import PollOutcome


class Watcher(Faults):
    """Sees the answer of every poll."""

    def __init__(self) -> None:
        self.polls = 0

    def poll_answer(self, gateway: int, outcome: PollOutcome) -> tuple[PollOutcome, float]:
        self.polls += 1
        return outcome, 0.0


@pytest.fixture
def simulation() -> SteppedSimulation:
    return SteppedSimulation(load("echo"))


class TestTime:
    def test_stands_still_between_the_steps(self, simulation: SteppedSimulation) -> None:
        added = simulation.add_client(simulation.new_identity())
        assert added.client is not None
        assert not added.client.is_open
        simulation.advance("1m")
        assert simulation.now_s == 60
        assert added.client.is_open

    def test_runs_until_something_is_true(self, simulation: SteppedSimulation) -> None:
        added = simulation.add_client(simulation.new_identity())
        client = added.client
        assert client is not None
        assert simulation.run_until(lambda: client.is_open, "1m")
        assert simulation.now_s < 1
        client.send({"text": "hello"})
        assert simulation.run_until(lambda: added.values, "1m")
        assert list(added.values) == [{"text": "hello"}]
        assert not simulation.run_until(lambda: False, "10s")
        with pytest.raises(ArgumentValueError):
            simulation.advance("soon")


class TestFaults:
    def test_of_polls_see_every_poll(self, simulation: SteppedSimulation) -> None:
        """Idle polls are only counted, until a fault wants to see their answers."""
        added = simulation.add_client(simulation.new_identity())
        simulation.advance("10s")
        polling = simulation.world.gateways[0].polling
        faults = Watcher()
        simulation.faults._stand.on("WATCHER", faults)
        skipped = polling.skipped
        assert skipped > 50
        simulation.advance("10s")
        assert faults.polls > 50
        assert polling.skipped == skipped
        assert simulation.faults.active == ("WATCHER",)
        assert added.client is not None

    def test_that_need_another_network_are_refused(self, simulation: SteppedSimulation) -> None:
        assert any("overtake" in why for why in simulation.faults.refused.values())


class TestRecording:
    def test_names_sessions_only_if_there_are_several(self, simulation: SteppedSimulation) -> None:
        simulation.add_client(simulation.new_identity())
        simulation.advance("1s")
        assert {frame.session for frame in simulation.recording().raw} == {None}
        simulation.add_client(simulation.new_identity())
        simulation.advance("1s")
        assert {frame.session for frame in simulation.recording().raw} == {"1", "2"}
        assert simulation.recording().doctor().state == "passed"

    def test_a_session_that_does_not_open_says_why(self, simulation: SteppedSimulation) -> None:
        simulation.world.stop_canister()
        added = simulation.add_client(simulation.new_identity())
        simulation.advance("70s")
        assert added.client is not None
        with pytest.raises(LabError, match="it was closed: 1005"):
            opened_or_raise(added.client)
