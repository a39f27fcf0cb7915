"""Nothing is found in healthy sessions, whatever their settings: 200 of them, with real proofs."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from bench.healthy import RECORDINGS, Healthy, healthy, lost_a_poller, main, planned, played, recorded
from bench.healthy_apps import DAPPS
from bench.healthy_settings import CLIENT_MS, INTERVALS_MS, KINDS, MAX_MESSAGES, settings
from icws_explore.analysis.doctor import diagnose
from icws_explore.lab.simulator import Population, simulate

PARTS = 4  # of fifty sessions each


class TestHealthySessions:
    @pytest.mark.parametrize("seed", range(1, PARTS + 1))
    def test_get_no_finding(self, seed):
        found = list(healthy(50, seed))
        assert [(it.alarms, it.text) for it in found if it.alarms] == []
        assert sum(it.sessions for it in found) >= 50

    def test_the_canisters_own_close_is_told_and_is_no_alarm(self):
        found = Counter(finding.id for it in healthy(40, seed=9) for finding in it.findings)
        assert set(found) <= {"CLOSED_BY_APPLICATION"}

    def test_plans_and_people_who_come_back(self):
        found = list(planned())
        assert [(it.alarms, it.text) for it in found if it.alarms] == []
        assert sum(it.sessions for it in found) >= 40

    def test_over_real_sockets(self):
        found = list(played(["acks every 20 s", "returns at another gateway"]))
        assert [(it.alarms, it.text) for it in found] == [([], it.text) for it in found]
        assert [it.sessions for it in found] == [2, 3]

    def test_recordings_in_the_repository(self):
        found = list(recorded())
        assert [(it.text, it.alarms, it.sessions) for it in found] == [(name, [], 1) for name in RECORDINGS]

    def test_a_poller_that_died_of_what_a_client_left_unread_is_not_healthy(self):
        found = next(setting for setting in settings(7) if str(setting).startswith("#7000004 "))
        simulation = found.run()
        assert lost_a_poller(simulation)
        assert simulation.doctor().ids == ("POLLER_DEAD",)
        assert not lost_a_poller(simulate(duration="20s"))

    def test_what_is_found_is_an_alarm(self):
        """The corpus could not fail otherwise."""
        ill = simulate("echo", duration="10m", ack_interval_ms=200_000, population=Population(ack_interval_ms=90_000))
        assert Healthy("ill", ill.doctor(), 1).alarms == ["ACK_INTERVAL_MISMATCH"]
        assert Healthy("nothing", diagnose(simulate(duration="20s").raw), 1).alarms == []


class TestSettings:
    def test_hold_every_value_of_every_choice(self):
        drawn = list(islice(settings(1), 48))
        assert {it.dapp for it in drawn} == set(DAPPS)
        assert {it.population.identities for it in drawn} == {*KINDS, KINDS}
        assert {it.canister.flavour for it in drawn} == {None, "rust", "motoko"}
        assert {it.population.gateways for it in drawn} == {1, 2, 3}
        assert {it.canister.max_messages for it in drawn} == set(MAX_MESSAGES)
        assert {it.ack_interval_ms for it in drawn} == {interval for interval, _, _ in INTERVALS_MS}
        assert {it.conditions.client_latency_ms for it in drawn} == set(CLIENT_MS)
        assert {it.conditions.ordered for it in drawn} == {True, False}

    def test_lose_no_message(self):
        assert all(it.conditions.losses[1] == 0 for it in islice(settings(1), 48))

    def test_are_the_same_for_the_same_seed(self):
        texts = [[str(it) for it in islice(settings(seed), 5)] for seed in (1, 1, 2)]
        assert texts[0] == texts[1] != texts[2]
        assert [len(text.splitlines()) for text in texts[0]] == [1] * 5


class TestCommand:
    def test_counts(self, monkeypatch, capsys):
        monkeypatch.setattr("sys.argv", ["healthy", "--sweep", "2"])
        monkeypatch.setattr("bench.healthy.planned", lambda seed: ())
        assert main() == 0
        assert " healthy sessions in " in capsys.readouterr().out

    def test_fails_with_a_false_alarm(self, monkeypatch, capsys):
        ill = simulate("echo", duration="10m", ack_interval_ms=200_000, population=Population(ack_interval_ms=90_000))
        monkeypatch.setattr("sys.argv", ["healthy", "--sweep", "1"])
        monkeypatch.setattr("bench.healthy.planned", lambda seed: [Healthy("said to be", ill.doctor(), 1)])
        assert main() == 1
        assert "ACK_INTERVAL_MISMATCH: said to be" in capsys.readouterr().out
