"""The network side of a simulation is recorded as a tap in front of a network records it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from icws_explore.analysis.network_calls import NetworkCall, network_calls
from icws_explore.lab.faults import Faults, Stage
from icws_explore.lab.scenarios import ClientPlan, Plan, scenario
from icws_explore.lab.scenarios.faults import Frozen, WrongGatewayClock
from icws_explore.lab.scenarios.plan import PageCallPlan
from icws_explore.lab.scenarios.scripts import texts
from icws_explore.lab.scenarios.simulated import run_simulated
from icws_explore.lab.simulator import NetworkConditions
from icws_explore.protocol import cbor
from icws_explore.protocol.certificate import check_certificate
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.keys import AnonymousIdentity
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import first_failure

CALLS = ("ws_open", "ws_message")
UNKNOWN = Principal.from_text("bkyz2-fmaaa-aaaaa-qaaaq-cai")


def plan(faults: Faults | None = None, *, ordered: bool = False, **given: Any) -> Plan:
    clients = given.pop("clients", (ClientPlan(script=texts((5, "one"))),))
    conditions = NetworkConditions(ordered=ordered, **given.pop("conditions", {}))
    faults = faults or Faults()
    return Plan("echo", 30, clients=clients, conditions=conditions, faults=faults, records_network=True, **given)


def calls(of: Plan) -> list[NetworkCall]:
    return network_calls(run_simulated(of).raw)


def outcomes(of: Plan) -> list[tuple[str | None, str]]:
    return [(call.method_name, call.outcome) for call in calls(of)]


class TestCalls:
    def test_are_recorded_with_their_outcome_which_the_network_certifies(self):
        run = run_simulated(plan())
        found = network_calls(run.raw)
        assert [(call.method_name, call.outcome) for call in found] == [(method, "replied") for method in CALLS]
        for call in found:
            asked, answered = run.raw.frames[call.request], run.raw.frames[call.response or 0]
            assert asked.t < answered.t
            assert run.raw.frames[call.frame or 0].op == "binary"  # the client's frame that was relayed
            certificate = cbor.loads(answered.data)["certificate"]
            world = run.world
            _, steps = check_certificate(
                certificate,
                canister_id=world.replica.canister_id,
                root_key=world.replica.root_key,
                now_ns=round(answered.t * NS_PER_S),
                max_age_s=60,
            )
            assert first_failure(steps) is None

    def test_in_order_are_only_accepted(self):
        found = calls(plan(ordered=True))
        assert [(call.method_name, call.outcome, call.status) for call in found] == [
            (method, "accepted", 202) for method in CALLS
        ]
        assert all("/api/v2/" in call.target for call in found)

    def test_that_take_longer_than_the_replica_waits_are_only_accepted(self):
        found = calls(plan(conditions={"update_latency_ms": 12_000.0}))
        assert [(call.method_name, call.status) for call in found] == [("ws_open", 202), ("ws_message", 202)]

    def test_to_an_unknown_canister_are_rejected_and_so_are_its_polls(self):
        found = outcomes(plan(clients=(ClientPlan(canister_id=UNKNOWN),)))
        assert found[0] == ("ws_open", "rejected")
        assert set(found[1:]) == {("ws_get_messages", "rejected")}

    def test_that_a_fault_refuses_have_its_status_and_text(self):
        class Overloaded(Faults):
            def refusal(self, request):
                return (503, "overloaded") if request == "call" else None

        (call,) = calls(plan(Overloaded()))
        assert (call.method_name, call.outcome, call.status, call.text) == ("ws_open", "refused", 503, "overloaded")

    def test_nothing_is_recorded_unless_the_plan_asks_for_it(self):
        assert run_simulated(Plan("echo", 30)).raw.http == []

    def test_what_a_client_sees_does_not_depend_on_it(self):
        recorded = run_simulated(plan())
        plain = run_simulated(replace(plan(), records_network=False))

        def kinds(run: Any) -> list[tuple[Any, ...]]:
            return [(f.t, f.direction, f.op) for f in run.raw.frames if not f.is_http]

        assert kinds(recorded) == kinds(plain)


class TestPolls:
    @pytest.mark.parametrize(("ahead_s", "has_failed"), [(0, False), (60, False), (600, True), (-600, True)])
    def test_fail_by_the_gateway_s_clock(self, ahead_s, has_failed):
        """The replica accepts an ingress_expiry of up to 330 s from now; the gateway's is two to three minutes away."""
        failed = [call for call in calls(plan(WrongGatewayClock(ahead_s))) if call.method_name == "ws_get_messages"]
        assert bool(failed) is has_failed
        assert all("ingress_expiry" in call.text for call in failed)

    def test_of_a_frozen_canister_are_rejected_and_a_call_is_too(self):
        found = calls(plan(Frozen(10), clients=(ClientPlan(script=texts((5, "one"), (15, "two"))),)))
        late = [call for call in found if call.failed]
        assert Counter(call.method_name for call in late)["ws_message"] == 1
        assert {(call.outcome, call.reject_code) for call in late} == {("rejected", 2)}
        assert all("IC0207" in call.text for call in late)


class TestPageCalls:
    def test_are_made_at_their_time_by_their_identity(self):
        pages = (PageCallPlan(12, lambda keys, start_ns: AnonymousIdentity(), "greet"),)
        run = run_simulated(plan(page_calls=pages))
        (call,) = [call for call in network_calls(run.raw) if call.method_name == "greet"]
        assert call.sender == Principal.ANONYMOUS
        assert (call.outcome, call.frame) == ("rejected", None)
        assert "no update method 'greet'" in call.text
        assert run.raw.frames[call.request].t == run.world.start_ns / NS_PER_S + 12


class TestFrozen:
    def test_timers_do_not_run_and_the_log_says_why(self):
        class Twice(Faults):
            def begin(self, stage: Stage) -> None:
                stage.at(10, stage.freeze_canister)

        run = run_simulated(Plan("ticker", 60, faults=Twice()))
        assert any(event.kind == "frozen" for event in run.log)
        received = [frame for frame in run.raw.frames if frame.direction == "in" and frame.op == "binary"]
        assert received
        assert max(frame.t for frame in received) < run.world.start_ns / NS_PER_S + 11


@pytest.mark.parametrize("name", ["NO_REPLY", "INSPECT_MESSAGE"])
def test_over_real_sockets_a_tap_records_the_same_calls(name):
    """A tap also records the gateway's ws_close, and its request for the status when it is pointed at the tap."""

    def of(recording: Any) -> set[tuple[Any, ...]]:
        return {
            (call.method_name, call.target.partition("/canister/")[0], call.outcome, call.reject_code, call.status)
            for call in network_calls(recording.raw)
            if call.method_name in CALLS
        }

    played, run = scenario(name).play(seed=1, time_scale=60), scenario(name).run(1)
    assert of(played) == of(run) != set()
