"""A simulated gateway: its sessions, its polls and its ws_close calls."""

from __future__ import annotations

from typing import Any

from icws_explore.lab.simulator import CanisterSettings, NetworkConditions, Population, Script, simulate
from icws_explore.protocol.gateway.session import SessionState


class Leaves(Script):
    def opened(self, client: Any) -> None:
        client.close()


class TestClosing:
    def test_calls_ws_close(self):
        simulation = simulate("echo", duration="10s", population=Population(script=Leaves()))
        assert simulation.world.gateways[0].machine.sessions == {}
        assert simulation.world.replica.clients == ()

    def test_a_lost_ws_close_is_not_repeated(self):
        """The canister removes the client at its keep-alive check."""
        conditions = NetworkConditions(call_loss=0.3)
        simulation = simulate(
            "echo", duration="20s", population=Population(sessions=20, script=Leaves()), conditions=conditions
        )
        lost = sum("ws_close was lost" in event.text for event in simulation.log)
        assert lost > 0
        assert len(simulation.world.replica.clients) <= lost

    def test_after_the_canister_removed_the_client_gets_an_err_that_only_the_log_shows(self):
        simulation = simulate(
            "echo",
            duration="10m",
            ack_interval_ms=100_000,
            canister=CanisterSettings(keep_alive_timeout_ms=10),
            population=Population(script=Script()),
        )
        assert any("ws_close" in event.text and "open connection" in event.text for event in simulation.log)


class TestSessions:
    def test_are_open_after_the_handshake(self):
        simulation = simulate(
            "echo", duration="10s", population=Population(sessions=2, arrivals=lambda _: 0), close_at_end=False
        )
        assert simulation.world.gateways[0].machine.sessions == {0: SessionState.OPEN, 1: SessionState.OPEN}

    def test_the_poller_ends_with_the_last_one(self):
        simulation = simulate("echo", duration="10s", population=Population(script=Leaves()))
        gateway = simulation.world.gateways[0]
        assert gateway.machine.deadline_ns is None
        assert not gateway.polling.is_parked

    def test_a_full_queue_is_polled_without_a_pause(self):
        simulation = simulate(
            "echo",
            duration="8m",
            population=Population(sessions=7, script=Script()),
            canister=CanisterSettings(max_messages=2),
        )
        acks = simulation.truth.acks
        assert len({ack.executed_ns for ack in acks}) == 1
        assert len({ack.polled_ns for ack in acks}) == 4
        assert any("not fully drained" in event.text for event in simulation.log)
