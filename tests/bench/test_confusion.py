"""The confusion matrix as a value: what counts as named, and that storing loses nothing."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bench.confusion import Matrix, Run, load
from bench.confusion_page import page, print_matrix
from icws_explore.analysis.doctor import RULES

IDS = ("BODY_HASH", "CLOSED_BY_APPLICATION", "UNKNOWN_CLOSE_VARIANT")
OWN, REMARK, OTHER = ("UNKNOWN_CLOSE_VARIANT", "error"), ("CLOSED_BY_APPLICATION", "info"), ("BODY_HASH", "error")


def run(*found: tuple[str, str], failure: str = "", seed: int = 1) -> Run:
    return Run("UNKNOWN_CLOSE_VARIANT", "simulated", seed, found, ("4000 Service message error",), 1, failure)


def matrix_of(*runs: Run) -> Matrix:
    matrix = Matrix(IDS)
    for each in runs:
        matrix.add(each)
    return matrix


class TestNamed:
    @pytest.mark.parametrize("found", [(OWN,), (OWN, REMARK), (REMARK, OWN)])
    def test_by_its_own_rule_whatever_is_remarked(self, found):
        assert run(*found).is_named

    @pytest.mark.parametrize("found", [(), (REMARK,), (OTHER,), (OWN, OTHER), (OWN, ("BODY_HASH", "warning"))])
    def test_not_without_its_own_and_not_beside_another_error_or_warning(self, found):
        assert not run(*found).is_named

    def test_with_what_it_cannot_be_without(self):
        def beside(*found: tuple[str, str]) -> Run:
            return Run("UNKNOWN_CLOSE_VARIANT", "simulated", 1, found, beside=("BODY_HASH",))

        assert beside(OWN, OTHER).is_named
        assert beside(OWN, OTHER).wrong == ()
        assert not beside(OWN).is_named
        assert not beside(OTHER).is_named

    def test_not_where_there_was_nothing_to_judge(self):
        assert not run(OWN, failure="LabError: no port").is_named


class TestMatrix:
    def test_counts_runs_and_is_right_as_long_as_all_are_named(self):
        matrix = matrix_of(run(OWN), run(OWN, REMARK, seed=2))
        row = matrix.row("UNKNOWN_CLOSE_VARIANT", "simulated")
        assert (row.runs, row.named, row.sessions) == (2, 2, 2)
        assert row.found == {"UNKNOWN_CLOSE_VARIANT": 2, "CLOSED_BY_APPLICATION": 1}
        assert row.ends == ["4000 Service message error"]
        assert matrix.is_right
        matrix.add(run(OTHER, seed=3))
        assert not matrix.is_right

    def test_healthy_recordings_may_be_remarked_on_only(self):
        matrix = matrix_of(run(OWN))
        matrix.add_healthy("simulated", [], 3)
        matrix.add_healthy("simulated", [REMARK], 2)
        assert matrix.is_right
        matrix.add_healthy("simulated", [("BODY_HASH", "warning")], 1)
        assert not matrix.is_right
        assert (matrix.healthy["simulated"].named, matrix.healthy["simulated"].sessions) == (2, 6)

    def test_storing_loses_nothing(self, tmp_path):
        matrix = matrix_of(run(OWN), run(OWN, OTHER, seed=2))
        matrix.add_healthy("simulated", [REMARK], 2)
        matrix.save(tmp_path / "deep" / "matrix.csv")
        again = load(tmp_path / "deep" / "matrix.csv")
        assert (again.ids, again.rows, again.healthy) == (matrix.ids, matrix.rows, matrix.healthy)


class TestShown:
    def printed(self, matrix: Matrix) -> list[str]:
        out = io.StringIO()
        print_matrix(matrix, Console(file=out, width=120, color_system=None))
        return out.getvalue().splitlines()

    def test_a_line_has_its_verdicts_and_a_sign_for_every_finding(self):
        lines = self.printed(matrix_of(run(OWN), run(OWN, REMARK, seed=2)))
        line = next(line for line in lines if "UNKNOWN_CLOSE_VARIANT" in line)
        assert line.split() == ["3", "UNKNOWN_CLOSE_VARIANT", "✓", "–", "·?■"]
        assert any("1 of 1 scenarios (2 of 2 runs) named by their own rule alone" in line for line in lines)

    def test_what_is_wrong_is_marked(self):
        lines = self.printed(matrix_of(run(OTHER)))
        assert next(line for line in lines if "UNKNOWN" in line).split()[2:] == ["✗", "–", "✗·✗"]

    def test_a_whole_one_fits_a_terminal_of_120_columns(self):
        matrix = Matrix(sorted(RULES))
        for name in RULES:
            matrix.add(Run(name, "sockets", 1, ((name, "error"),), (), 1))
        lines = self.printed(matrix)
        assert max(map(len, lines)) <= 120
        assert len(lines) >= len(RULES) + 4

    def test_the_page_says_how_it_ended_and_what_is_remarked(self):
        text = page(matrix_of(run(OWN), run(OWN, REMARK, seed=2)))
        assert "1 of 1 scenarios (2 of 2 runs)" in text
        assert "- `UNKNOWN_CLOSE_VARIANT` (simulated): `CLOSED_BY_APPLICATION` in 1 of 2" in text
