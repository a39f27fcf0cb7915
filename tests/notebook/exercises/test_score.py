"""The score counts what happened, gives hints one at a time, and keeps no answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from icws_explore.errors import ArgumentTypeError, ArgumentValueError
from icws_explore.notebook.exercises import Check
from icws_explore.notebook.exercises.hints import HINTS
from icws_explore.notebook.exercises.score import Score

OPEN, WRONG, RIGHT = Check(None, "open"), Check(False, "look again."), Check(True, "yes")


class TestCounting:
    def test_an_open_exercise_is_not_tried(self) -> None:
        score = Score("01")
        assert score(1, OPEN) is OPEN
        assert score.to_json()["exercises"][0] == {"exercise": 1, "solved": False, "wrong_answers": 0, "hints": 0}

    def test_counts_wrong_answers_until_the_right_one(self) -> None:
        score = Score("01")
        for check in (WRONG, WRONG, RIGHT, WRONG):
            score(1, check)
        first = score.to_json()["exercises"][0]
        assert first == {"exercise": 1, "solved": True, "wrong_answers": 2, "hints": 1}
        assert score.solved == 1

    def test_a_check_counts_for_one_exercise_only(self) -> None:
        score = Score("01")
        score(1, RIGHT)
        score(1, RIGHT)
        with pytest.raises(ArgumentValueError, match="another exercise"):
            score(2, RIGHT)
        assert score.solved == 1

    def test_an_answer_without_its_check_is_named(self) -> None:
        with pytest.raises(ArgumentTypeError, match=r"score\(4, check_"):
            Score("01")(4, "delegation")  # type: ignore[arg-type]

    def test_the_table_says_what_happened(self) -> None:
        score = Score("01")
        score(1, RIGHT)
        score(2, WRONG)
        lines = repr(score).splitlines()
        assert "1 of 5 exercises solved" in lines[0]
        assert "✓ solved" in lines[1]
        assert "✗ not solved yet, 1 wrong answer" in lines[2]
        assert "– not tried yet" in lines[3]
        assert "1 of 5 exercises solved" in score._repr_html_()

    def test_is_saved_as_json(self, tmp_path: Path) -> None:
        score = Score("02")
        score(3, RIGHT)
        saved = json.loads(score.save(tmp_path / "score.json").read_text(encoding="utf-8"))
        assert saved == score.to_json()
        assert (saved["notebook"], saved["solved"], saved["of"]) == ("02", 1, len(HINTS["02"]))


class TestHints:
    def test_come_with_the_second_wrong_answer_one_at_a_time(self) -> None:
        score, hints = Score("01"), HINTS["01"][1]
        assert score(1, WRONG).text == WRONG.text
        for hint in hints:
            assert score(1, WRONG).text == f"✗ look again. Further hint: {hint}"
        assert score(1, WRONG).text == WRONG.text

    def test_can_be_asked_for(self) -> None:
        score, hints = Score("01"), HINTS["01"][2]
        shown = [score.hint(2).text for _ in hints]
        assert shown == [f"hint {number} of {len(hints)}: {hint}" for number, hint in enumerate(hints, 1)]
        assert score.hint(2).text == "no more hints: " + " · ".join(hints)
        assert score.to_json()["exercises"][1]["hints"] == len(hints)

    @pytest.mark.parametrize("notebook", HINTS)
    def test_there_are_two_or_more_for_every_exercise(self, notebook: str) -> None:
        assert all(len(set(hints)) >= 2 for hints in HINTS[notebook].values())


class TestErrors:
    def test_a_notebook_without_exercises(self) -> None:
        with pytest.raises(ArgumentValueError, match="no notebook '00' with exercises; choose 01, 02"):
            Score("00")

    def test_an_exercise_that_there_is_not(self) -> None:
        with pytest.raises(ArgumentValueError, match="notebook 01 has exercises 1 to 5, not 9"):
            Score("01")(9, OPEN)
