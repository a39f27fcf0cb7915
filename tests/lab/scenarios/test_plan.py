"""A plan says everything once, and refuses what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from icws_explore.lab.faults import Faults
from icws_explore.lab.replica.subnet import LabKeys
from icws_explore.lab.scenarios import ClientPlan, Plan
from icws_explore.lab.simulator import Network, Uniform
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.principal import Principal

CANISTER, OTHER = Principal(b"\x01" * 10), Principal(b"\x02" * 10)


class TestClients:
    @pytest.mark.parametrize(
        ("clients", "why"),
        [
            ((ClientPlan(at_s=3), ClientPlan(at_s=2)), "in the order in which they connect"),
            ((ClientPlan(gateway=1),), "one of its gateways"),
            ((), "at least one client"),
        ],
    )
    def test_that_cannot_be(self, clients, why):
        with pytest.raises(LabError, match=why):
            Plan("echo", 10, clients=clients)

    def test_believe_what_is_so_unless_told_otherwise(self):
        plan = Plan("echo", 10, ack_interval_ms=90_000)
        config = ClientPlan().config(plan, CANISTER, b"root")
        assert (config.canister_id, config.root_key, config.ack_interval_ms) == (CANISTER, b"root", 90_000)
        config = ClientPlan(canister_id=OTHER, root_key=b"other", ack_interval_ms=5).config(plan, CANISTER, b"root")
        assert (config.canister_id, config.root_key, config.ack_interval_ms) == (OTHER, b"other", 5)

    def test_have_keys_of_their_own_or_are_who_they_are_said_to_be(self):
        keys = LabKeys(1)

        def somebody(given: LabKeys, start_ns: int) -> Identity:
            assert (given, start_ns) == (keys, 7)
            return keys.identity("somebody")

        assert ClientPlan().who(keys, 0, 7).principal != ClientPlan().who(keys, 1, 7).principal
        assert ClientPlan(identity=somebody).who(keys, 0, 7).principal == keys.identity("somebody").principal


class TestLab:
    def test_is_made_as_the_plan_says(self):
        faults = Faults()
        network = Network(update_latency_ms=Uniform(100, 300), poll_interval_ms=70, ordered=False)
        plan = Plan("ticker", 10, faults=faults, network=network, gateways=2, keep_alive_timeout_ms=9)
        lab = plan.lab()
        options = lab.options
        assert (lab.app, options.faults, options.gateways, options.keep_alive_timeout_ms) == ("ticker", faults, 2, 9)
        assert (options.update_latency_ms, options.poll_interval_ms, options.ordered) == (200, 70, False)
        assert not lab.running

    @pytest.mark.parametrize(("name", "value"), [("time_scale", 60.0), ("gateway_port", 4321), ("gateways", 3)])
    def test_can_be_told_otherwise(self, name: str, value: Any):
        assert getattr(Plan("echo", 10).lab(**{name: value}).options, name) == value
