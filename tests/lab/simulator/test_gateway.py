"""A simulated gateway: relays, drops, logs."""

from __future__ import annotations

from typing import Any

from icws_explore.lab.simulator import Network, Script, simulate
from icws_explore.protocol.gateway.table import SessionState


class Leaves(Script):
    def opened(self, client: Any) -> None:
        client.close()


class TestClosing:
    def test_calls_ws_close(self):
        simulation = simulate("echo", duration="10s", clients=Leaves())
        assert simulation.world.gateways[0].machine.sessions == {}
        assert simulation.world.replica.clients == ()

    def test_waits_for_nobody_when_ws_close_is_lost(self):
        """The canister finds out at its keep-alive check."""
        network = Network(call_loss=0.3)
        simulation = simulate("echo", duration="20s", sessions=20, clients=Leaves(), network=network)
        lost = sum("ws_close was lost" in event.text for event in simulation.log)
        assert lost > 0
        assert len(simulation.world.replica.clients) <= lost

    def test_of_a_client_that_the_canister_removed_is_answered_with_an_err_that_only_the_log_shows(self):
        simulation = simulate(
            "echo", duration="10m", ack_interval_ms=100_000, keep_alive_timeout_ms=10, clients=Script()
        )
        assert any("ws_close" in event.text and "open connection" in event.text for event in simulation.log)


class TestSessions:
    def test_states_are_the_machine_s(self):
        simulation = simulate("echo", duration="10s", sessions=2, close_at_end=False, arrivals=lambda _: 0)
        assert simulation.world.gateways[0].machine.sessions == {0: SessionState.OPEN, 1: SessionState.OPEN}

    def test_the_poller_ends_with_the_last_of_them(self):
        simulation = simulate("echo", duration="10s", clients=Leaves())
        gateway = simulation.world.gateways[0]
        assert gateway.machine.deadline_ns is None
        assert not gateway.polling.is_parked

    def test_a_full_queue_is_polled_without_a_rest(self):
        simulation = simulate("echo", duration="8m", sessions=7, max_messages=2, clients=Script())
        acks = simulation.truth.acks
        assert len({ack.executed_ns for ack in acks}) == 1
        assert len({ack.polled_ns for ack in acks}) == 4
        assert any("not fully drained" in event.text for event in simulation.log)
