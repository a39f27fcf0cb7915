"""The ground truth of what a recording cannot show: what was lost, refused or altered."""

from __future__ import annotations

from typing import Any

from icws_explore.lab.faults import Delivery, Faults
from icws_explore.lab.simulator import NetworkConditions, Population, simulate


class TestMissingTimes:
    def test_a_lost_call_was_relayed_and_not_executed(self):
        simulation = simulate(duration="30s", conditions=NetworkConditions(call_loss=1))
        (request,) = simulation.truth.of("open_request")
        assert request.relayed_ns is not None
        assert (request.arrived_ns, request.executed_ns, request.fate) == (None, None, "lost or refused")

    def test_a_frame_that_the_gateway_did_not_get_has_no_fate(self):
        class Lost(Faults):
            def client_frame(self, session: int, data: bytes) -> list[Delivery]:
                return []

        (request,) = simulate(duration="30s", faults=Lost()).truth.of("open_request")
        assert (request.relayed_ns, request.fate) == (None, "")

    def test_a_dropped_message_was_polled_and_not_received(self):
        class Dropped(Faults):
            def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
                return [Delivery(data)] if b"gateway_principal" in data else []

        simulation = simulate(duration="30s", faults=Dropped())
        message = simulation.truth.of("open")[0]
        assert message.polled_ns is not None
        assert message.received_ns is None

    def test_frames_that_a_fault_made_unreadable_are_ignored(self):
        class Nonsense(Faults):
            def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
                return [Delivery(b"nonsense")]

        truth = simulate(duration="30s", faults=Nonsense()).truth
        assert truth.messages == ()
        assert truth.sessions[0].close_code == 4000


class TestTruth:
    def test_of_nothing_has_an_empty_table(self):
        simulation = simulate(duration="1s", population=Population(arrivals=lambda _: 5))
        assert simulation.truth.messages == ()
        assert list(simulation.truth.table().columns)[:3] == ["session", "direction", "kind"]
        assert "messages=0" in repr(simulation.truth)

    def test_only_the_client_s_messages_are_acked(self):
        truth = simulate(duration="10s").truth
        down: Any = truth.of("app")[0]
        assert truth.acked_ns(down) is None
        assert truth.acked_ns(truth.of("open_request")[0]) is None
