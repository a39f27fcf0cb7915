"""The doctor names each scenario by its id. tests/bench has the whole confusion matrix."""

from __future__ import annotations

import pytest

from icws_explore.analysis.doctor import RULES
from icws_explore.lab.scenarios import SCENARIOS, scenario
from icws_explore.protocol.errors import LabError


class TestScenarios:
    @pytest.mark.parametrize("name", sorted(SCENARIOS))
    def test_are_named_by_their_rule_with_another_seed(self, name):
        findings, expected = SCENARIOS[name].run(2).doctor(), {name, *SCENARIOS[name].beside}
        assert expected <= set(findings.ids)
        assert {found.id for found in findings if found.severity != "info"} <= expected

    def test_are_in_the_doctor_s_catalogue_and_described(self):
        assert set(SCENARIOS) <= set(RULES)
        assert all(each.name == name and each.about for name, each in SCENARIOS.items())

    def test_a_seed_gives_the_same_recording_again(self):
        one, other = (scenario("POLLER_DEAD").run(5).raw for _ in range(2))
        assert one == other

    def test_an_unknown_name(self):
        with pytest.raises(LabError, match="STALE_NONCE"):
            scenario("NONSENSE")
        with pytest.raises(LabError, match=r"no fault 'poller-ded': did you mean POLLER_DEAD\?"):
            scenario("poller-ded")
        assert scenario("poller-dead") is scenario("POLLER_DEAD")
