"""A plan in the simulator: its clients, its times and its recording."""

from __future__ import annotations

import pytest

from icws_explore.analysis.network_calls import network_calls
from icws_explore.lab.scenarios import ClientPlan, Plan
from icws_explore.lab.scenarios.scripts import texts
from icws_explore.lab.scenarios.simulated import run_simulated
from icws_explore.lab.simulator import Population, simulate
from icws_explore.protocol import cbor
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.constants import NS_PER_S


class TestRun:
    def test_gives_the_same_as_simulate(self):
        script = texts((5, "hello"))
        plan = Plan("echo", 60, clients=(ClientPlan(script=script),))
        assert (
            run_simulated(plan, 3).raw
            == simulate("echo", duration="60s", population=Population(script=script), seed=3).raw
        )

    def test_a_seed_gives_the_same_recording_again(self):
        one, other, another = (run_simulated(Plan("ticker", 30), seed).raw for seed in (1, 1, 2))
        assert one == other
        assert one.frames != another.frames

    def test_progress_goes_up_to_1(self):
        seen: list[float] = []
        run_simulated(Plan("ticker", 30), progress=seen.append)
        assert seen == sorted(seen)
        assert (0 < seen[0] < 0.1, seen[-1]) == (True, 1)


class TestClients:
    def test_connect_and_leave_at_their_times_and_gateways(self):
        clients = (ClientPlan(leaves_s=20), ClientPlan(at_s=5, gateway=1, skew_ms=250.0))
        run = run_simulated(Plan("ticker", 40, clients=clients, gateways=2))
        start_ns = run.world.start_ns
        first, second = run.truth.sessions
        assert [(s.gateway, (s.connected_ns - start_ns) / NS_PER_S) for s in (first, second)] == [(0, 0), (1, 5)]
        assert second.skew_ms == 250
        closes = {f.session: f.t - start_ns / NS_PER_S for f in run.raw.frames if f.op == "close" and f.code == 1000}
        assert closes == pytest.approx({"1": 20, "2": 40.25})

    def test_one_that_would_leave_before_it_connects_stays_to_the_end(self):
        run = run_simulated(Plan("ticker", 40, clients=(ClientPlan(at_s=10, leaves_s=5),)))
        assert run.counts.ended == {"1000": 1}

    def test_have_machines_of_their_own(self):
        class Custom(ClientMachine):
            pass

        run = run_simulated(Plan("ticker", 5, clients=(ClientPlan(), ClientPlan(machine=Custom))))
        assert [type(client.machine) for client in run.world.clients] == [ClientMachine, Custom]


class TestRecording:
    def test_has_the_session_info_that_the_plan_gives(self):
        plan = Plan("ticker", 5, recorded={"root_key": b"another", "ack_interval_ms": None})
        run = run_simulated(plan)
        assert (run.info.root_key, run.info.ack_interval_ms) == (b"another", None)
        assert run.info.canister_id == str(run.world.replica.canister_id)

    def test_begins_with_the_network_s_status_if_the_plan_asks_for_it(self):
        run = run_simulated(Plan("ticker", 5, asks_status=True))
        (call,) = network_calls(run.raw)
        assert (call.target, call.outcome) == ("GET /api/v2/status", "replied")
        assert cbor.loads(run.raw.frames[1].data)["root_key"] == run.world.replica.root_key
        assert run.raw.session_ids == [None]
        assert run.raw.frames[2:] == run_simulated(Plan("ticker", 5)).raw.frames
