"""The stored confusion matrix is whole, right, and what the simulator and the doctor give today."""

from __future__ import annotations

import pytest

from bench.confusion import STAGES, load
from bench.confusion_page import DATA, PAGE, page
from bench.scenarios import run_of
from icws_explore.analysis.doctor import RULES
from icws_explore.lab.scenarios import SCENARIOS

MATRIX = load(DATA)


class TestStoredMatrix:
    def test_has_a_line_for_every_stored_scenario_in_both_stages_and_a_column_for_every_finding(self):
        assert set(MATRIX.ids) == set(RULES)
        assert set(MATRIX.rows) == {(name, stage) for name in SCENARIOS for stage in STAGES}

    @pytest.mark.parametrize("stage", STAGES)
    @pytest.mark.parametrize("name", sorted(SCENARIOS))
    def test_every_scenario_is_named_by_its_own_rule_in_every_run(self, name, stage):
        row = MATRIX.row(name, stage)
        assert row.runs >= {"simulated": 3, "sockets": 1}[stage]
        assert row.named == row.found[name] == row.runs
        assert {other for other in row.found if RULES[other].severity != "info"} <= {name, *SCENARIOS[name].beside}

    @pytest.mark.parametrize(("stage", "sessions"), [("simulated", 200), ("sockets", 40)])
    def test_healthy_sessions_have_no_warning_and_no_error(self, stage, sessions):
        row = MATRIX.healthy[stage]
        assert row.sessions >= sessions
        assert row.named == row.runs
        assert {name for name in row.found if RULES[name].severity != "info"} == set()

    def test_the_page_says_the_same(self):
        assert PAGE.read_text(encoding="utf-8") == page(MATRIX)

    @pytest.mark.parametrize("name", sorted(SCENARIOS))
    def test_the_simulator_and_the_doctor_give_it_today(self, name):
        run, row = run_of(name, "simulated", 1), MATRIX.row(name, "simulated")
        assert run.is_named, run
        assert {each for each, _ in run.found} <= set(row.found)
        assert set(run.ends) <= set(row.ends)
