"""The scenarios in which a session does not open: how each ends, and what replica, canister and gateway log."""

from __future__ import annotations

import pytest

from icws_explore.lab.scenarios import scenario
from support.played import played

TIMED_OUT = (4000, "Open connection timeout")
RECEIVING = (4000, "Error receiving message")

# How the client's connection ends, and part of a text in the log of replica, canister or gateway.
ENDS = {
    "OLD_SDK_NEW_GATEWAY": (RECEIVING, None),
    "RAW_CLIENT": ((1005, ""), "is not binary encoded"),
    "PING_KILLS_SESSION": ((1006, ""), "is not binary encoded"),
    "DELEGATION_DROPPED": ((1006, ""), None),
    "DELEGATION_EXPIRED": (TIMED_OUT, "sender delegation has expired"),
    "ANONYMOUS": (TIMED_OUT, "nonymous"),
    "GATEWAY_PRINCIPAL_MISMATCH": (TIMED_OUT, None),
    "GATEWAY_NOT_REGISTERED": ((1005, ""), "not one of the authorized gateways"),
    "OPEN_TIMEOUT": (TIMED_OUT, None),
    "AGENT_V3_EXPIRY": (TIMED_OUT, "ingress_expiry not within expected range"),
    "BAD_SIGNATURE": (TIMED_OUT, "Invalid signature"),
    "WRONG_CANISTER": ((1005, ""), "not found"),
}


class TestEnds:
    @pytest.mark.parametrize("name", sorted(ENDS))
    def test_with_that_code_and_reason(self, name):
        run = scenario(name).run(3)
        session = run.truth.sessions[0]
        end, logged = ENDS[name]
        assert (session.close_code, session.close_reason) == end
        assert logged is None or any(logged in event.text for event in run.log)

    @pytest.mark.parametrize("name", sorted(set(ENDS) - {"PING_KILLS_SESSION"}))
    def test_before_it_opens(self, name):
        assert all(session.opened_ns is None for session in scenario(name).run(4).truth.sessions)

    def test_agent_3_in_a_browser_ends_at_the_handshake(self):
        run = scenario("AGENT_V3_EXPIRY").run(3)
        session = run.truth.sessions[1]
        assert (session.close_code, session.close_reason) == RECEIVING
        assert run.doctor()[0].sessions == ("1", "2")


@pytest.fixture(scope="module")
def recordings():
    return played(ENDS)


class TestOverRealSockets:
    @pytest.mark.parametrize("name", sorted(ENDS))
    def test_the_doctor_names_it_and_no_other_error(self, name, recordings):
        findings = recordings[name].doctor()
        assert [found.id for found in findings if found.severity != "info"] == [name]

    @pytest.mark.parametrize("name", sorted(set(ENDS) - {"OLD_SDK_NEW_GATEWAY"}))  # both sides close at once
    def test_the_end_is_as_in_the_simulator(self, name, recordings):
        frames = recordings[name].raw.frames
        end = next(frame for frame in frames if frame.op == "close" and frame.session in (None, "1"))
        assert (end.code, end.reason or "") == ENDS[name][0]


class TestDoctor:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    @pytest.mark.parametrize("name", sorted(ENDS))
    def test_names_it_and_nothing_else(self, name, seed):
        assert scenario(name).run(seed).doctor().ids == (name,)


class TestIngressExpiry:
    def test_the_replica_refuses_requests_of_a_slow_clock(self):
        run = scenario("INGRESS_EXPIRY").run(1)
        (opening,) = run.truth.of("open_request")
        assert "Invalid request expiry" in next(event.text for event in run.log if event.kind == "refused")
        assert opening.executed_ns is None
