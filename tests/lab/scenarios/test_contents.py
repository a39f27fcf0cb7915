"""Genuine messages that are of no use: how each session ends, and that they are genuine."""

from __future__ import annotations

import pytest

from icws_explore.lab.scenarios import scenario
from icws_explore.protocol.constants import MAINNET_ROOT_KEY

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
