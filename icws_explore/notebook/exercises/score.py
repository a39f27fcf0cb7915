"""`Score`: what a learner has solved in one notebook, with hints that come one at a time.

::

    score = Score("03")
    score(1, check_root_hash(leaf, root))     # shows the check, and counts it
    score.hint(1)                             # the next hint for exercise 1
    score                                     # a table for the learner and the teacher

The score lives in the notebook's kernel. Its table is stored with the notebook's outputs, and
`Score.save` writes it to a file. It counts what happened, and keeps no answers. It is for who learns: whoever wants
to cheat can write any file.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from icws_explore.protocol.errors import ArgumentTypeError, ArgumentValueError
from icws_explore.views.facts import Fact, Weight
from icws_explore.views.formatting import count
from icws_explore.views.html import View, facts_view, note_view

from . import Check
from .hints import HINTS

FREE_TRIES: Final = 1  # wrong answers before the exercise's own hints are added to the check's


@dataclass(slots=True)
class Tried:
    """What happened with one exercise. ``wrong`` counts the wrong answers before the first right one."""

    wrong: int = 0
    hints: int = 0
    is_solved: bool = False


class Score:
    """The exercises of one notebook, by their numbers.

    ``notebook`` is its number as text, "01" to "10". Raises ArgumentValueError for a notebook without exercises.
    """

    def __init__(self, notebook: str) -> None:
        if notebook not in HINTS:
            raise ArgumentValueError(f"there is no notebook {notebook!r} with exercises; choose {', '.join(HINTS)}")
        self.notebook = notebook
        self._hints = HINTS[notebook]
        self._tried = {number: Tried() for number in self._hints}
        self._passed: dict[int, Check] = {}

    def __call__(self, number: int, check: Check) -> Check:
        """Count the outcome of exercise ``number`` and return it. From the second wrong answer on it adds a hint.

        Raises ArgumentTypeError for what is no check, and ArgumentValueError for the check of another exercise.
        """
        tried = self._of(number)
        if not isinstance(check, Check):
            raise ArgumentTypeError(f"give the score what a check says: score({number}, check_…(…))")
        if check.ok is None:
            return check
        if check.ok:
            if any(each is check for other, each in self._passed.items() if other != number):
                raise ArgumentValueError("this is the check of another exercise")
            self._passed[number] = check
            tried.is_solved = True
            return check
        if not tried.is_solved:
            tried.wrong += 1
            if tried.wrong > FREE_TRIES and tried.hints < len(self._hints[number]):
                return Check(False, f"{check.hint} Further hint: {self._next(number)}")
        return check

    def hint(self, number: int) -> View:
        """Return the next hint for exercise ``number``. After the last one, all of them again."""
        tried, hints = self._of(number), self._hints[number]
        if tried.hints < len(hints):
            text = self._next(number)
            return note_view(f"hint {tried.hints} of {len(hints)}: {text}", "note")
        return note_view("no more hints: " + " · ".join(hints), "note")

    @property
    def solved(self) -> int:
        """The number of exercises that are solved."""
        return sum(tried.is_solved for tried in self._tried.values())

    def to_json(self) -> dict[str, Any]:
        """Return the score as the object that `save` writes."""
        exercises = [
            {"exercise": number, "solved": tried.is_solved, "wrong_answers": tried.wrong, "hints": tried.hints}
            for number, tried in self._tried.items()
        ]
        return {"notebook": self.notebook, "solved": self.solved, "of": len(self._tried), "exercises": exercises}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the score to a JSON file, for a teacher, and return its path."""
        file = Path(path)
        file.write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")
        return file

    def _next(self, number: int) -> str:
        tried = self._of(number)
        tried.hints += 1
        return self._hints[number][tried.hints - 1]

    def _of(self, number: int) -> Tried:
        if number not in self._tried:
            raise ArgumentValueError(f"notebook {self.notebook} has exercises 1 to {len(self._tried)}, not {number}")
        return self._tried[number]

    def _view(self) -> View:
        facts = [Fact(f"notebook {self.notebook}", f"{self.solved} of {count(len(self._tried), 'exercise')} solved")]
        return facts_view([*facts, *(_fact(number, tried) for number, tried in self._tried.items())])

    def _repr_html_(self) -> str:
        return self._view().html

    def __repr__(self) -> str:
        return self._view().text


def _fact(number: int, tried: Tried) -> Fact:
    weight: Weight = "good" if tried.is_solved else ""
    mark = "✓ solved" if tried.is_solved else "✗ not solved yet" if tried.wrong else "– not tried yet"
    more = [count(tried.wrong, "wrong answer")] if tried.wrong else []
    more += [count(tried.hints, "hint")] if tried.hints else []
    return Fact(f"exercise {number}", ", ".join([mark, *more]), weight)
