"""Genuine messages that are of no use: how each session ends, and that they are genuine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icws_explore.lab.scenarios import scenario
from icws_explore.lab.scenarios.faults import GivesAway
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.messages import CanisterMessage, ClientKey
from support.certified_canister import GATEWAY, CertifiedCanister
from support.played import played

RECEIVING = (4000, "Error receiving message")
ENDS = {
    "ROOT_KEY": RECEIVING,
    "SDK_REJECTS_VALID": RECEIVING,
    "APP_TYPE_MISMATCH": RECEIVING,
    "CLIENT_KEY_FOREIGN": (1000, ""),
    "UNKNOWN_CLOSE_VARIANT": (4000, "Service message error"),
}


class TestEnds:
    @pytest.mark.parametrize("name", sorted(ENDS))
    def test_as_the_real_thing_does(self, name):
        session = scenario(name).run(3).truth.sessions[0]
        assert (session.close_code, session.close_reason) == ENDS[name]


@pytest.fixture(scope="module")
def recordings():
    return played(ENDS)


class TestOverRealSockets:
    @pytest.mark.parametrize("name", sorted(ENDS))
    def test_the_doctor_names_it_and_nothing_worse(self, name, recordings):
        findings = recordings[name].doctor()
        assert [it.id for it in findings if it.severity != "info"] == [name]

    @pytest.mark.parametrize("name", sorted(ENDS))
    def test_it_ends_as_in_the_simulator(self, name, recordings):
        end = next(frame for frame in recordings[name].raw.frames if frame.op == "close")
        assert (end.code, end.reason or "") == ENDS[name]


class TestDoctor:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    @pytest.mark.parametrize("name", sorted(ENDS))
    def test_names_it_and_nothing_worse(self, name, seed):
        findings = scenario(name).run(seed).doctor()
        assert [it.id for it in findings if it.severity != "info"] == [name]


class TestProofs:
    @pytest.mark.parametrize("name", ["SDK_REJECTS_VALID", "APP_TYPE_MISMATCH", "UNKNOWN_CLOSE_VARIANT"])
    def test_hold(self, name):
        verdicts = scenario(name).run(1).verify()
        assert verdicts
        assert all(verdict.ok for verdict in verdicts)

    def test_of_the_message_that_was_given_away_hold_but_for_whose_it_is(self):
        failed = [verdict for verdict in scenario("CLIENT_KEY_FOREIGN").run(1).verify() if not verdict.ok]
        assert [verdict.failure.step for verdict in failed] == ["client_key"]

    def test_hold_under_the_key_that_the_network_told(self):
        run = scenario("ROOT_KEY").run(1)
        assert run.raw.info.root_key == MAINNET_ROOT_KEY
        assert not any(verdict.ok for verdict in run.verify())
        assert all(verdict.ok for verdict in run.verify(root_key=run.world.replica.root_key))


class Sent:
    """A stage that only keeps what is sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, session, data):
        assert session == 0
        self.frames.append(data)


class TestGivesAway:
    """Whatever comes first: the first client gets 1, 2, 3 in order, and the third is the second's."""

    @given(st.permutations([0] * 5 + [1] * 5))
    def test_keeps_the_order_of_numbers(self, turns):
        faults, stage = GivesAway(3), Sent()
        faults.begin(stage)
        said = [CertifiedCanister(ClientKey(GATEWAY, session)) for session in (0, 1)]
        got: list[list[bytes]] = [stage.frames, []]
        for session in turns:
            data = said[session].says(b"", 0)
            got[session] += [each.data for each in faults.gateway_frame(session, data)]
        messages = [[CanisterMessage.decode(data).message for data in frames] for frames in got]
        assert [[m.sequence_num for m in each] for each in messages] == [[1, 2, 3, 4, 5]] * 2
        assert [m.client_key.client_nonce for m in messages[0]] == [0, 0, 1, 0, 0]
        assert [m.client_key.client_nonce for m in messages[1]] == [1] * 5
