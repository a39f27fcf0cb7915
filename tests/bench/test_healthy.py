"""Nothing is found in healthy sessions, whatever their settings: 200 of them, with real proofs."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

import pytest

from bench.healthy import (
    RECORDINGS,
    Healthy,
    healthy,
    lost_a_poller,
    main,
    planned,
    played,
    recorded,
    removed_a_polling_gateway,
)
from bench.healthy_apps import DAPPS
from bench.healthy_recordings import LONGEST_PAUSE_S, by_a_busy_machine
from bench.healthy_settings import CLIENT_MS, INTERVALS_MS, KINDS, MAX_MESSAGES, Busy, settings
from icws_explore.analysis.doctor import diagnose
from icws_explore.lab.simulator import Constant, Population, simulate

PARTS = 4  # of fifty sessions each


@pytest.mark.slow
class TestHealthySessions:
    @pytest.mark.parametrize("seed", range(1, PARTS + 1))
    def test_get_no_finding(self, seed):
        found = list(healthy(50, seed))
        assert [(recording.alarms, recording.text) for recording in found if recording.alarms] == []
        assert sum(recording.sessions for recording in found) >= 50

    def test_the_canisters_own_close_is_told_and_is_no_alarm(self):
        found = Counter(finding.id for recording in healthy(40, seed=9) for finding in recording.findings)
        assert set(found) <= {"CLOSED_BY_APPLICATION"}

    def test_plans_and_people_who_come_back(self):
        found = list(planned())
        assert [(recording.alarms, recording.text) for recording in found if recording.alarms] == []
        assert sum(recording.sessions for recording in found) >= 40

    def test_over_real_sockets(self):
        found = list(played(["acks every 20 s", "returns at another gateway"]))
        assert [(recording.alarms, recording.text) for recording in found] == [
            ([], recording.text) for recording in found
        ]
        assert [recording.sessions for recording in found] == [2, 3]

    def test_recordings_in_the_repository(self):
        found = list(recorded())
        assert [(recording.text, recording.alarms, recording.sessions) for recording in found] == [
            (name, [], 1) for name in RECORDINGS
        ]

    def test_a_poller_that_died_of_what_a_client_left_unread_is_not_healthy(self):
        found = next(setting for setting in settings(7) if str(setting).startswith("#7000004 "))
        simulation = found.run()
        assert lost_a_poller(simulation)
        assert simulation.doctor().ids == ("POLLER_DEAD",)
        assert not lost_a_poller(simulate(duration="20s"))

    def test_a_gateway_that_the_canister_removed_while_it_polled_is_not_healthy(self):
        found = next(setting for setting in settings(32) if setting.number == 32_000_218)
        simulation = found.run()
        assert removed_a_polling_gateway(simulation)
        (unopened,) = simulation.doctor()
        assert unopened.id == "OPEN_TIMEOUT"
        assert "removed the gateway, which had no clients for longer than an ack interval" in unopened.explanation
        assert not removed_a_polling_gateway(simulate(duration="20s"))

    def test_what_is_found_is_an_alarm(self):
        """The corpus could not fail otherwise."""
        ill = simulate("echo", duration="10m", ack_interval_ms=200_000, population=Population(ack_interval_ms=90_000))
        assert Healthy("ill", ill.doctor(), 1).alarms == ["ACK_INTERVAL_MISMATCH"]
        assert Healthy("nothing", diagnose(simulate(duration="20s").raw), 1).alarms == []


class TestSettings:
    def test_hold_every_value_of_every_choice(self):
        drawn = list(islice(settings(1), 48))
        assert {setting.dapp for setting in drawn} == set(DAPPS)
        assert {setting.population.identities for setting in drawn} == {*KINDS, KINDS}
        assert {setting.canister.flavour for setting in drawn} == {None, "rust", "motoko"}
        assert {setting.population.gateways for setting in drawn} == {1, 2, 3}
        assert {setting.canister.max_messages for setting in drawn} == set(MAX_MESSAGES)
        assert {setting.ack_interval_ms for setting in drawn} == {interval for interval, _, _ in INTERVALS_MS}
        latencies = [setting.conditions.client_latency_ms for setting in drawn]
        assert {each.other if isinstance(each, Busy) else each for each in latencies} == set(CLIENT_MS)
        assert sum(isinstance(each, Busy) for each in latencies) == 12
        assert {setting.conditions.ordered for setting in drawn} == {True, False}

    def test_lose_no_message(self):
        assert all(setting.conditions.losses[1] == 0 for setting in islice(settings(1), 48))

    def test_are_the_same_for_the_same_seed(self):
        texts = [[str(setting) for setting in islice(settings(seed), 5)] for seed in (1, 1, 2)]
        assert texts[0] == texts[1] != texts[2]
        assert [len(text.splitlines()) for text in texts[0]] == [1] * 5


class TestBusyMachines:
    def test_delay_a_message_at_times(self):
        rng = random.Random(3)
        delays = [Busy(Constant(20)).draw_ms(rng) for _ in range(3_000)]
        late = [each for each in delays if each > 20]
        assert 60 < len(late) < 140
        assert (min(delays), max(delays) < 20 + 2_500, min(late) > 200) == (20, True, True)
        assert abs(sum(delays) / len(delays) - Busy(Constant(20)).mean_ms) < 20

    @pytest.mark.parametrize("skew_ms", [0, [0, 90_000, -90_000]])  # a tap records all, or each client itself
    def test_record_late_and_in_order(self, skew_ms):
        capture = simulate("echo", duration="10m", population=Population(sessions=3, skew_ms=skew_ms)).raw
        busy = by_a_busy_machine(capture, 1)
        assert [(f.session, f.data) for f in busy.frames] == [(f.session, f.data) for f in capture.frames]
        late = [b.t - a.t for a, b in zip(capture.frames, busy.frames, strict=True)]
        assert min(late) >= 0
        assert 0.1 < max(late) < LONGEST_PAUSE_S + 0.1
        for name in capture.session_ids:
            times = [frame.t for frame in busy.frames if frame.session == name]
            assert times == sorted(times)
        assert by_a_busy_machine(capture, 1).frames == busy.frames != by_a_busy_machine(capture, 2).frames


class TestCommand:
    def test_counts(self, monkeypatch, capsys):
        monkeypatch.setattr("sys.argv", ["healthy", "--sweep", "2"])
        monkeypatch.setattr("bench.healthy.planned", lambda seed: ())
        monkeypatch.setattr("bench.healthy.TELL_EVERY", 1)
        assert main() == 0
        printed = capsys.readouterr()
        assert " healthy sessions in " in printed.out
        assert " sessions, 0 with a false alarm" in printed.err

    def test_fails_with_a_false_alarm(self, monkeypatch, capsys):
        ill = simulate("echo", duration="10m", ack_interval_ms=200_000, population=Population(ack_interval_ms=90_000))
        monkeypatch.setattr("sys.argv", ["healthy", "--sweep", "1"])
        monkeypatch.setattr("bench.healthy.planned", lambda seed: [Healthy("said to be", ill.doctor(), 1)])
        assert main() == 1
        assert "ACK_INTERVAL_MISMATCH: said to be" in capsys.readouterr().out
