"""Which sessions belong together."""

from __future__ import annotations

from dataclasses import replace

from icws_explore.analysis.doctor.facts import CaptureFacts
from icws_explore.analysis.doctor.grouping import (
    by_canister,
    by_client,
    by_gateway,
    gateway_nonce,
    is_same_client,
    last_received,
    shares_path,
)
from icws_explore.capture import Capture
from icws_explore.lab.simulator import Population, simulate
from support.doctor_scenarios import principal_takeover


class TestGroups:
    def test_by_gateway_and_by_canister(self):
        sessions = CaptureFacts(simulate(duration="20s", population=Population(sessions=4, gateways=2)).raw).sessions
        assert sorted(len(group) for group in by_gateway(sessions)) == [2, 2]
        assert [len(group) for group in by_canister(sessions)] == [4]
        by_name = {session.name: session for session in sessions}
        assert shares_path(by_name["1"], by_name["3"])
        assert not shares_path(by_name["1"], by_name["2"])
        assert not is_same_client(by_name["1"], by_name["3"])

    def test_two_tabs_are_one_client(self):
        assert is_same_client(*CaptureFacts(principal_takeover()).sessions)
        assert [len(group) for group in by_client(CaptureFacts(principal_takeover()).sessions)] == [2]

    def test_clients_that_are_not_known_are_not_one(self):
        capture = simulate(duration="20s", population=3).raw
        assert [len(group) for group in by_client(CaptureFacts(capture).sessions)] == [1, 1, 1]
        bare = Capture(capture.info, [frame for frame in capture.frames if frame.direction == "in"])
        assert [len(group) for group in by_client(CaptureFacts(bare).sessions)] == [1, 1, 1]


class TestMessages:
    def test_the_last_one_of_all_and_its_nonce(self):
        sessions = list(CaptureFacts(simulate("ticker", duration="30s", population=2).raw).sessions)
        last = last_received(sessions)
        assert last.frame.t == max(d.frame.t for session in sessions for d in session.received)
        nonces = [gateway_nonce(d) for session in sessions for d in session.received]
        assert sorted(nonces) == list(range(len(nonces)))

    def test_no_nonce_where_there_is_none(self):
        session = CaptureFacts(principal_takeover()).sessions[0]
        assert session.handshake is not None
        assert gateway_nonce(session.handshake) is None
        message = session.received[0]
        assert message.canister_message is not None
        odd = replace(message, canister_message=replace(message.canister_message, key="nonsense"))
        assert gateway_nonce(odd) is None
