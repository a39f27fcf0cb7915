"""The table of `make bench`: what counts as met."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.goal_rows import GOALS
from bench.goals import Goal, NotMeasuredError, Outcome, Together, measured, write_json


def goal(*values: float, limit: float = 2.0, at_least: bool = False) -> Outcome:
    left = list(values)
    (outcome,) = measured([Goal("k", "work", limit, "s", lambda: left.pop(0), at_least)], runs=len(values))
    return outcome


class TestOutcome:
    @pytest.mark.parametrize(
        ("values", "at_least", "met"),
        [((1.0, 2.0), False, True), ((1.0, 2.1), False, False), ((2.0, 3.0), True, True), ((1.9, 3.0), True, False)],
    )
    def test_both_runs_must_meet_the_goal(self, values: tuple[float, ...], at_least: bool, met: bool) -> None:
        assert goal(*values, at_least=at_least).is_met is met

    def test_says_how_far_the_runs_are_apart(self) -> None:
        assert goal(3.0, 4.0).spread == 0.25
        assert goal(3.0, 4.0).cells == ("work", "≤ 2 s", "3 and 4 s", "25%", "not met")

    def test_what_was_not_measured_is_not_met(self, tmp_path: Path) -> None:
        def missing() -> float:
            raise NotMeasuredError("no peer")

        (outcome,) = measured([Goal("k", "work", 2.0, "s", missing)])
        assert outcome.is_met is None
        assert outcome.cells[2:] == ("no peer", "", "not measured")
        write_json([outcome], tmp_path / "bench.json")
        (row,) = json.loads((tmp_path / "bench.json").read_text())
        assert (row["met"], row["measured"], row["reason"]) == (None, [], "no peer")


class TestTogether:
    def test_each_run_of_every_row_is_of_the_same_work(self) -> None:
        done: list[tuple[float, float]] = []

        def work() -> tuple[float, float]:
            done.append((len(done) + 1.0, 10.0 * (len(done) + 1)))
            return done[-1]

        both = Together(work)
        rows = [Goal("a", "work", 2.0, "s", both.row(lambda found: found[0]))]
        rows.append(Goal("b", "work", 20.0, "s", both.row(lambda found: found[1])))
        assert [outcome.values for outcome in measured(rows)] == [(1.0, 2.0), (10.0, 20.0)]
        assert len(done) == 2


class TestRows:
    def test_have_names_of_their_own(self) -> None:
        assert len({row.key for row in GOALS}) == len(GOALS)

    def test_are_explained_in_the_documentation(self) -> None:
        page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
        assert [row.key for row in GOALS if f"`{row.key}`" not in page] == []
