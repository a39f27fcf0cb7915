"""The table of `make bench`: each piece of work with its goal, what was measured in two runs, and whether it is met.

A peer is measured in the same run, so most rows are ratios, which a busy machine changes less than times. A row that
cannot be measured here (a peer is missing) or not yet says so; it is never counted as met. docs/benchmarks.md says how
each row is measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from rich.table import Table

RUNS: Final = 2

T = TypeVar("T")


class NotMeasuredError(Exception):
    """Why a row has no number."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A row. ``measure`` returns the number that is compared with ``limit``: at most, or at least, in ``unit``."""

    key: str
    work: str
    limit: float
    unit: str
    measure: Callable[[], float]
    at_least: bool = False

    @property
    def text(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {number_text(self.limit)} {self.unit}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What two runs of a goal gave; ``reason`` says why there are no ``values``."""

    goal: Goal
    values: tuple[float, ...] = ()
    reason: str | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether both runs meet the goal; None if nothing was measured."""
        if not self.values:
            return None
        limit = self.goal.limit
        return all(value >= limit if self.goal.at_least else value <= limit for value in self.values)

    @property
    def spread(self) -> float | None:
        """The difference of the runs as a share of the larger one."""
        most = max(self.values, default=0.0)
        return (most - min(self.values)) / most if most > 0 else None

    @property
    def cells(self) -> tuple[str, ...]:
        met = {True: "met", False: "not met", None: "not measured"}[self.is_met]
        if not self.values:
            return self.goal.work, self.goal.text, self.reason or "", "", met
        measured = " and ".join(map(number_text, self.values)) + f" {self.goal.unit}"
        return self.goal.work, self.goal.text, measured, "" if self.spread is None else f"{self.spread:.0%}", met

    def to_json(self) -> dict[str, Any]:
        goal = self.goal
        return {
            "key": goal.key,
            "work": goal.work,
            "goal": goal.limit,
            "at_least": goal.at_least,
            "unit": goal.unit,
            "measured": list(self.values),
            "spread": self.spread,
            "met": self.is_met,
            "reason": self.reason,
        }


class Together(Generic[T]):
    """One piece of work that gives the numbers of several rows. Run n of each row takes its number from work n."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._done: list[T] = []

    def row(self, number: Callable[[T], float]) -> Callable[[], float]:
        """What measures a row: the ``number`` of each piece of work, one after another."""
        taken = count()

        def measure() -> float:
            run = next(taken)
            while len(self._done) <= run:
                self._done.append(self._work())
            return number(self._done[run])

        return measure


HEADINGS: Final = ("work", "goal", "measured (two runs)", "spread", "met")


def measured(goals: Iterable[Goal], runs: int = RUNS) -> Iterator[Outcome]:
    """Measure each goal ``runs`` times."""
    for goal in goals:
        try:
            yield Outcome(goal, tuple(goal.measure() for _ in range(runs)))
        except NotMeasuredError as reason:
            yield Outcome(goal, reason=str(reason))


def table_of(outcomes: Iterable[Outcome]) -> Table:
    """The one table."""
    table = Table(*HEADINGS, title="Goals of speed")
    for outcome in outcomes:
        table.add_row(*outcome.cells)
    return table


def write_json(outcomes: Iterable[Outcome], path: Path) -> None:
    """Write the rows as a JSON array."""
    path.write_text(json.dumps([outcome.to_json() for outcome in outcomes], indent=1, ensure_ascii=False) + "\n")


def number_text(value: float) -> str:
    """Three digits: 1.02, 13.4, 2500."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
