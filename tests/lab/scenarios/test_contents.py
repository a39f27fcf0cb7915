"""The scenarios in which a genuine message is useless: how each session ends, and that the messages are genuine."""

from __future__ import annotations

import pytest

from icws_explore.lab.scenarios import scenario
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
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
    def test_with_that_code_and_reason(self, name):
        session = scenario(name).run(3).truth.sessions[0]
        assert (session.close_code, session.close_reason) == ENDS[name]


@pytest.fixture(scope="module")
def recordings():
    return played(ENDS)


class TestOverRealSockets:
    @pytest.mark.parametrize("name", sorted(ENDS))
    def test_the_doctor_names_it_and_no_other_error(self, name, recordings):
        findings = recordings[name].doctor()
        assert [found.id for found in findings if found.severity != "info"] == [name]

    @pytest.mark.parametrize("name", sorted(ENDS))
    def test_the_end_is_as_in_the_simulator(self, name, recordings):
        end = next(frame for frame in recordings[name].raw.frames if frame.op == "close")
        assert (end.code, end.reason or "") == ENDS[name]


class TestDoctor:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    @pytest.mark.parametrize("name", sorted(ENDS))
    def test_names_it_and_no_other_error(self, name, seed):
        findings = scenario(name).run(seed).doctor()
        assert [found.id for found in findings if found.severity != "info"] == [name]


class TestVerification:
    @pytest.mark.parametrize("name", ["SDK_REJECTS_VALID", "APP_TYPE_MISMATCH", "UNKNOWN_CLOSE_VARIANT"])
    def test_succeeds(self, name):
        verdicts = scenario(name).run(1).verify()
        assert verdicts
        assert all(verdict.ok for verdict in verdicts)

    def test_of_the_misdelivered_message_fails_only_at_the_client_key(self):
        failed = [verdict for verdict in scenario("CLIENT_KEY_FOREIGN").run(1).verify() if not verdict.ok]
        assert [verdict.failure.step for verdict in failed] == ["client_key"]

    def test_succeeds_with_the_network_s_root_key(self):
        run = scenario("ROOT_KEY").run(1)
        assert run.raw.info.root_key == MAINNET_ROOT_KEY
        assert not any(verdict.ok for verdict in run.verify())
        assert all(verdict.ok for verdict in run.verify(root_key=run.world.replica.root_key))
