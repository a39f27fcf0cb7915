"""The doctor names what each scenario makes go wrong; tests/analysis/doctor has the whole matrix."""

from __future__ import annotations

import pytest

from icws_explore.analysis.doctor import RULES
from icws_explore.lab.scenarios import SCENARIOS, scenario
from icws_explore.protocol.errors import LabError


class TestScenarios:
    @pytest.mark.parametrize("name", sorted(SCENARIOS))
    def test_are_named_by_their_rule_with_another_seed_too(self, name):
        findings = SCENARIOS[name].run(2).doctor()
        assert name in findings.ids
        assert {it.id for it in findings if it.severity != "info"} <= {name}

    def test_are_rows_of_the_catalogue_and_explained(self):
        assert set(SCENARIOS) <= set(RULES)
        assert all(each.name == name and each.about for name, each in SCENARIOS.items())

    def test_a_seed_gives_the_same_again(self):
        one, other = (scenario("POLLER_DEAD").run(5).raw for _ in range(2))
        assert one == other

    def test_an_unknown_name(self):
        with pytest.raises(LabError, match="STALE_NONCE"):
            scenario("NONSENSE")
        with pytest.raises(LabError, match=r"no fault 'poller-ded': did you mean POLLER_DEAD\?"):
            scenario("poller-ded")
        assert scenario("poller-dead") is scenario("POLLER_DEAD")
