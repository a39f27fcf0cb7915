"""The scenarios about the canister: its code, its certified data, and what operators do to it."""

from __future__ import annotations

from icws_explore.analysis.verify import verify_capture
from icws_explore.lab.scenarios import scenario
from icws_explore.protocol.gateway.events import Rejected


class TestTraps:
    def test_in_on_open_undo_ws_open(self):
        run = scenario("ON_OPEN_TRAP").run(1)
        first, second = run.truth.of("open_request")
        assert first.fate == "accepted"
        assert "not today" in second.fate
        assert len(run.truth.of("open")) == 1

    def test_in_on_message_undo_the_sequence_number(self):
        run = scenario("ON_MESSAGE_TRAP").run(1)
        fates = [message.fate for message in run.truth.of("message")]
        assert fates[:2] == ["accepted"] * 2
        assert "the third one" in fates[2]
        assert fates[3] == "Expected incoming sequence number 3 but got 4"


class TestCertifiedData:
    def test_is_not_the_cdk_s(self):
        """The certificate is valid, but certifies other data than the CDK's tree."""
        run = scenario("CERTIFIED_DATA_CLASH").run(1)
        bad = next(verdict for verdict in verify_capture(run.raw) if verdict.failure is not None)
        assert bad.failure.step == "certified_data"
        held = {step.step: step.ok for step in bad.steps}
        assert held["signature"]
        assert held["time"]


class TestStopped:
    def test_rejects_polls_and_runs_no_timers(self):
        run = scenario("POLLER_DEAD").run(1)
        world = run.world
        outcome = world.gateways[0].poll_outcome(0)
        assert isinstance(outcome, Rejected)
        assert outcome.reject_message.endswith("is stopped")
        stopped_ns = world.start_ns + 90_000_000_000
        assert all(message.executed_ns <= stopped_ns for message in run.truth.of("app"))
        assert run.counts.ended == {"1005": 3}


class TestUpgraded:
    def test_forgets_its_clients(self):
        run = scenario("UPGRADE_WIPE").run(1)
        assert run.world.replica.clients == ()
        assert {session.gateway for session in run.truth.sessions} == {0, 1}
        assert run.counts.ended == {"4000 Ack message timeout": 3}

    def test_its_nonces_start_at_0_and_the_gateway_s_do_not(self):
        run = scenario("STALE_NONCE").run(1)
        late = run.truth.of("open", 2)
        assert [message.executed_ns is not None for message in late] == [True]  # the canister has opened it
        assert late[0].polled_ns is None


class TestPrincipalTakeover:
    def test_the_canister_forgets_the_first_tab_without_a_close_message(self):
        run = scenario("PRINCIPAL_TAKEOVER").run(1)
        first, second = run.truth.sessions
        assert first.client_key.client_principal == second.client_key.client_principal
        assert run.truth.of("close") == ()
        assert [m.fate == "accepted" for m in run.truth.of("message", 0)] == [True, False]
        assert {m.fate for m in run.truth.of("message", 1)} == {"accepted"}
        assert (first.close_reason, second.close_code) == ("Ack message timeout", 1000)


class TestClosedByApplication:
    def test_ends_with_4001(self):
        session = scenario("CLOSED_BY_APPLICATION").run(1).truth.sessions[0]
        assert (session.close_code, session.close_reason) == (4001, "ClosedByApplication")


class TestProxyIdle:
    def test_the_client_gets_no_message_and_the_gateway_closes_for_it(self):
        run = scenario("PROXY_IDLE").run(1)
        assert run.truth.sessions[0].close_code == 1006
        assert run.world.replica.clients == ()
