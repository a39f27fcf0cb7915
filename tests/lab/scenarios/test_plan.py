"""Plans: what they refuse, and the configurations and labs that they make."""

from __future__ import annotations

from typing import Any

import pytest

from icws_explore.lab.faults import Faults
from icws_explore.lab.replica.subnet import LabKeys
from icws_explore.lab.scenarios import ClientPlan, Plan
from icws_explore.lab.simulator import NetworkConditions, Uniform
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.principal import Principal

CANISTER, OTHER = Principal(b"\x01" * 10), Principal(b"\x02" * 10)


class TestClients:
    @pytest.mark.parametrize(
        ("clients", "why"),
        [
            ((ClientPlan(at_s=3), ClientPlan(at_s=2)), "must be in the order in which they connect"),
            ((ClientPlan(gateway=1),), "one of its gateways"),
            ((), "needs at least one client"),
        ],
    )
    def test_in_the_wrong_order_or_at_an_unknown_gateway_are_refused(self, clients, why):
        with pytest.raises(LabError, match=why):
            Plan("echo", 10, clients=clients)

    def test_are_configured_with_the_true_values_unless_the_plan_has_others(self):
        plan = Plan("echo", 10, ack_interval_ms=90_000)
        config = ClientPlan().config(plan, CANISTER, b"root")
        assert (config.canister_id, config.root_key, config.ack_interval_ms) == (CANISTER, b"root", 90_000)
        config = ClientPlan(canister_id=OTHER, root_key=b"other", ack_interval_ms=5).config(plan, CANISTER, b"root")
        assert (config.canister_id, config.root_key, config.ack_interval_ms) == (OTHER, b"other", 5)

    def test_have_keys_of_their_own_unless_the_plan_has_identities(self):
        keys = LabKeys(1)

        def somebody(given: LabKeys, start_ns: int) -> Identity:
            assert (given, start_ns) == (keys, 7)
            return keys.identity("somebody")

        assert ClientPlan().make_identity(keys, 0, 7).principal != ClientPlan().make_identity(keys, 1, 7).principal
        assert ClientPlan(identity=somebody).make_identity(keys, 0, 7).principal == keys.identity("somebody").principal


class TestLab:
    def test_has_the_plan_s_settings(self):
        faults = Faults()
        conditions = NetworkConditions(update_latency_ms=Uniform(100, 300), poll_interval_ms=70, ordered=False)
        plan = Plan("ticker", 10, faults=faults, conditions=conditions, gateways=2, keep_alive_timeout_ms=9)
        lab = plan.lab()
        options = lab.options
        assert (lab.app, options.faults, options.gateways, options.keep_alive_timeout_ms) == ("ticker", faults, 2, 9)
        assert (options.update_latency_ms, options.poll_interval_ms, options.ordered) == (200, 70, False)
        assert not lab.running

    @pytest.mark.parametrize(("name", "value"), [("time_scale", 60.0), ("gateway_port", 4321), ("gateways", 3)])
    def test_takes_other_options(self, name: str, value: Any):
        assert getattr(Plan("echo", 10).lab(**{name: value}).options, name) == value
