"""Every scenario is named by its own rule and by no other; healthy sessions by none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icws_explore.analysis.doctor import RULES, Findings, diagnose, examine
from icws_explore.analysis.recording import Recording, load
from icws_explore.analysis.replay import replay as replay_module
from icws_explore.analysis.replay.replay import replay_sessions
from icws_explore.capture import Capture
from icws_explore.lab.scenarios import SCENARIOS as LAB_SCENARIOS
from icws_explore.lab.simulator import CanisterSettings, LogNormal, NetworkConditions, Population, simulate
from icws_explore.protocol.certificate import CertificateIssuer
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from support.doctor_scenarios import BY_HAND, SCENARIOS
from support.session_captures import healthy, hostile

OTHER_NETWORK = CertificateIssuer(b"a root of its own").root_key_der
NETWORKS = {
    "quick": NetworkConditions(),
    "usual": NetworkConditions(client_latency_ms=LogNormal(40), replica_latency_ms=(2, 9), update_latency_ms=(40, 900)),
    "far": NetworkConditions(client_latency_ms=(100, 400), replica_latency_ms=(20, 60), update_latency_ms=(800, 2_500)),
}


def found(capture: Capture) -> Findings:
    return diagnose(capture, known_root_keys=[OTHER_NETWORK])


class TestEveryRule:
    def test_has_its_scenario_and_every_scenario_its_rule(self):
        assert set(RULES) == set(LAB_SCENARIOS)
        assert set(LAB_SCENARIOS) >= set(BY_HAND)

    @pytest.mark.parametrize("rule_id", sorted(LAB_SCENARIOS))
    def test_names_its_scenario_and_nothing_else_does(self, rule_id):
        """A row of the confusion matrix: one entry, on the diagonal."""
        recording = LAB_SCENARIOS[rule_id].run(1)
        self.names(rule_id, recording.doctor(), recording.raw, *LAB_SCENARIOS[rule_id].beside)

    @pytest.mark.parametrize("rule_id", sorted(BY_HAND))
    def test_names_what_was_written_by_hand_too(self, rule_id):
        """With as little in it as the rule needs."""
        capture = SCENARIOS[rule_id]()
        self.names(rule_id, found(capture), capture)

    def names(self, rule_id: str, findings: Findings, capture: Capture, *beside: str) -> None:
        said = {finding.id for finding in findings if finding.severity != "info"}
        assert rule_id in findings.ids
        assert said <= {rule_id, *beside}
        mine = next(finding for finding in findings if finding.id == rule_id)
        assert mine.frames
        assert all(0 <= number < len(capture) for number in mine.frames)
        assert set(mine.sessions) <= set(capture.session_ids)

    @pytest.mark.parametrize("rule_id", sorted(SCENARIOS))
    def test_says_all_that_a_finding_has(self, rule_id):
        rule = RULES[rule_id]
        assert all((rule.sdk_behaviour, rule.fix, rule.source))
        assert all(text.endswith(".") for text in (rule.sdk_behaviour, rule.fix))

    def test_absorbing_works_in_one_direction(self):
        """No two rules explain each other, over any number of steps: one of them would be lost with the other."""

        def below(rule_id: str, seen: frozenset[str]) -> set[str]:
            assert rule_id not in seen, f"{rule_id} explains itself"
            return {rule_id}.union(*(below(each, seen | {rule_id}) for each in RULES[rule_id].explains))

        for rule_id in RULES:
            assert below(rule_id, frozenset()) <= set(RULES)


class TestHealthySessions:
    """With stand-in proofs here; tests/bench/test_healthy.py has two hundred with real ones."""

    @pytest.mark.parametrize("app", ["pingpong", "echo", "chat", "ticker"])
    @pytest.mark.parametrize("network", sorted(NETWORKS))
    def test_get_no_finding(self, app, network):
        number = sorted(NETWORKS).index(network)
        simulation = simulate(
            app,
            duration="12m",
            population=Population(sessions=3, gateways=1 + number % 2, skew_ms=[-3_000.0, 0.0, 4_000.0]),
            conditions=NETWORKS[network],
            crypto="stand-in",
            seed=number + 7,
            canister=CanisterSettings(flavour="motoko" if number % 2 else "rust"),
            close_at_end=bool(number % 3),
        )
        assert simulation.doctor() == []

    def test_a_hand_made_one(self):
        assert diagnose(healthy()) == []

    def test_nothing(self):
        assert diagnose(Capture()) == []

    def test_a_recorded_one(self, recorded):
        assert load(recorded).doctor() == []


class TestHostileCaptures:
    def test_get_findings_and_no_exception(self):
        assert diagnose(hostile()).has_errors

    def test_the_worst_comes_first(self):
        findings = found(SCENARIOS["UNKNOWN_CLOSE_VARIANT"]())
        assert [finding.severity for finding in findings] == ["error", "info"]

    def test_a_torn_capture_of_any_length(self):
        whole = SCENARIOS["STALE_NONCE"]()
        for length in range(0, len(whole), 7):
            diagnose(Capture(whole.info, whole.frames[:length]))


class TestWithoutARootKey:
    def test_signatures_are_left_out_and_the_rest_is_judged(self):
        for rule_id, expected in {"BAD_CERTIFICATE": ("UNEXPLAINED_END",), "BODY_HASH": ("BODY_HASH",)}.items():
            capture = SCENARIOS[rule_id]()
            findings = diagnose(Capture(replace(capture.info, root_key=None), capture.frames))
            assert findings.ids == expected
            assert all("root key is known" in finding.explanation for finding in findings)

    def test_one_can_be_given(self):
        capture = healthy()
        assert diagnose(capture, root_key=MAINNET_ROOT_KEY, known_root_keys=[capture.info.root_key or b""]).ids == (
            "ROOT_KEY",
        )
        assert Recording(capture).doctor(root_key=MAINNET_ROOT_KEY).ids == ("ROOT_KEY",)


class TestExamine:
    @pytest.mark.parametrize("rule_id", ["BODY_HASH", "WRONG_CANISTER", "SEQUENCE_GAP_DOWN", "STALE_NONCE", "ROOT_KEY"])
    def test_is_the_diagnosis_and_the_replay_without_walking_twice(self, rule_id, monkeypatch):
        capture = SCENARIOS[rule_id]()
        findings, replays = diagnose(capture), replay_sessions(capture)
        walked = []
        monkeypatch.setattr(replay_module, "check_message", lambda *_, **__: walked.append(1))
        found = examine(capture)
        assert (found.findings, found.replays) == (findings, replays)
        assert walked == []

    def test_of_stand_in_cryptography_there_is_no_replay(self):
        assert examine(simulate(duration="20s", crypto="stand-in").raw) == ([], [])
