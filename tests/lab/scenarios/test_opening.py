"""Sessions that do not open: how each ends, and what the network's side has to say to it."""

from __future__ import annotations

import pytest

from icws_explore.lab.faults import Delivery
from icws_explore.lab.scenarios import scenario
from icws_explore.lab.scenarios.faults import Gateway105
from icws_explore.lab.simulator import simulate
from icws_explore.protocol.messages import CanisterMessage, Handshake
from icws_explore.protocol.principal import Principal
from support.played import played

TIMED_OUT = (4000, "Open connection timeout")
RECEIVING = (4000, "Error receiving message")

# How the client's connection ends, and words of the replica's, the canister's or the gateway's log.
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
    def test_as_the_real_thing_does(self, name):
        run = scenario(name).run(3)
        session = run.truth.sessions[0]
        end, words = ENDS[name]
        assert (session.close_code, session.close_reason) == end
        assert words is None or any(words in event.text for event in run.log)

    @pytest.mark.parametrize("name", sorted(set(ENDS) - {"PING_KILLS_SESSION"}))
    def test_without_ever_opening(self, name):
        assert all(session.opened_ns is None for session in scenario(name).run(4).truth.sessions)

    def test_agent_3_in_a_browser_does_not_get_beyond_the_handshake(self):
        run = scenario("AGENT_V3_EXPIRY").run(3)
        session = run.truth.sessions[1]
        assert (session.close_code, session.close_reason) == RECEIVING
        assert run.doctor()[0].sessions == ("1", "2")


@pytest.fixture(scope="module")
def recordings():
    return played(ENDS)


class TestOverRealSockets:
    @pytest.mark.parametrize("name", sorted(ENDS))
    def test_the_doctor_names_it_and_nothing_worse(self, name, recordings):
        findings = recordings[name].doctor()
        assert [it.id for it in findings if it.severity != "info"] == [name]

    @pytest.mark.parametrize("name", sorted(set(ENDS) - {"OLD_SDK_NEW_GATEWAY"}))  # there both sides hurry to close
    def test_it_ends_as_in_the_simulator(self, name, recordings):
        frames = recordings[name].raw.frames
        end = next(frame for frame in frames if frame.op == "close" and frame.session in (None, "1"))
        assert (end.code, end.reason or "") == ENDS[name][0]


class TestDoctor:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    @pytest.mark.parametrize("name", sorted(ENDS))
    def test_names_it_and_nothing_else(self, name, seed):
        assert scenario(name).run(seed).doctor().ids == (name,)


class TestGateway105:
    def test_does_not_introduce_itself_and_passes_the_rest_on(self):
        message = CanisterMessage("key", b"content", b"cert", b"tree").encode()
        gateway = Gateway105()
        assert gateway.gateway_frame(0, Handshake(Principal.ANONYMOUS).encode()) == []
        assert gateway.gateway_frame(0, message) == [Delivery(message)]

    def test_keeps_a_client_whose_requests_are_good(self):
        class OnlyTheRefusals(Gateway105):
            def gateway_frame(self, session, data):
                return [Delivery(data)]

        assert simulate("echo", duration="1m", faults=OnlyTheRefusals()).doctor() == []
