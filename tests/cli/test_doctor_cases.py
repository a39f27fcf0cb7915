"""`icws doctor` names the cause in cases after public bug reports, and says nothing else is wrong."""

from __future__ import annotations

import pytest

from support.doctor_cases import CASES, FOLDER, REPORTED, input_of, outcome


class TestCases:
    @pytest.mark.parametrize("name", sorted(CASES))
    def test_the_cause_is_named_and_nothing_else(self, name: str) -> None:
        said = outcome(name)
        assert said.faults(CASES[name]) == [], said.output

    def test_every_input_is_a_case(self) -> None:
        assert {path.name.partition(".")[0] for path in FOLDER.iterdir()} == {
            *REPORTED,
            *(name for name in CASES if input_of(name)),
        }
