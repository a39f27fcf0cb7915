"""The doctor's confusion matrix: which findings each scenario produced, in the simulator and over real sockets.

A run of a scenario counts as named if the doctor finds the scenario's own id, and no other error or warning.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

Stage = Literal["simulated", "sockets"]
STAGES: Final[tuple[Stage, ...]] = ("simulated", "sockets")
HEALTHY: Final = "healthy"  # the row of the healthy sessions
_HEAD: Final = ("scenario", "stage", "runs", "sessions", "named", "ends")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a scenario.

    ``found`` are the findings as (id, severity), ``sessions`` is the number of sessions, and ``ends`` are the ways in
    which they ended, without repetitions. ``failure`` is the error if there is no recording, otherwise "".
    ``beside`` are the ids of other problems that the scenario cannot be without.
    """

    scenario: str
    stage: Stage
    seed: int
    found: tuple[tuple[str, str], ...] = ()
    ends: tuple[str, ...] = ()
    sessions: int = 0
    failure: str = ""
    beside: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[str, ...]:
        """The ids of errors and warnings other than the scenario's own, and those beside it."""
        expected = (self.scenario, *self.beside)
        return tuple(name for name, severity in self.found if name not in expected and severity != "info")

    @property
    def is_named(self) -> bool:
        """Whether the doctor named the scenario and what is beside it, and nothing else as an error or a warning."""
        return {self.scenario, *self.beside} <= dict(self.found).keys() and not self.wrong and not self.failure


@dataclass(slots=True)
class Row:
    """All runs of a scenario in one stage. ``found`` counts the runs in which each id was found."""

    scenario: str
    stage: Stage
    runs: int = 0
    sessions: int = 0
    named: int = 0
    ends: list[str] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)

    @property
    def is_right(self) -> bool:
        """Whether there are runs and all of them are named."""
        return self.runs > 0 and self.named == self.runs

    def add(self, run: Run) -> None:
        self.runs += 1
        self.sessions += run.sessions
        self.named += run.is_named
        self.found.update(dict(run.found).keys())
        self.ends += [end for end in run.ends if end not in self.ends]


class Matrix:
    """Rows by scenario and stage. ``ids`` are the columns."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = tuple(ids)
        self.rows: dict[tuple[str, Stage], Row] = {}
        self.healthy: dict[Stage, Row] = {}

    def add(self, run: Run) -> None:
        self.rows.setdefault((run.scenario, run.stage), Row(run.scenario, run.stage)).add(run)

    def add_healthy(self, stage: Stage, found: Iterable[tuple[str, str]], sessions: int) -> None:
        """Add a healthy recording. It counts as named if nothing but infos was found."""
        found = tuple(found)
        row = self.healthy.setdefault(stage, Row(HEALTHY, stage))
        row.runs += 1
        row.sessions += sessions
        row.named += all(severity == "info" for _, severity in found)
        row.found.update(name for name, _ in found)

    def row(self, scenario: str, stage: Stage) -> Row:
        return self.rows.get((scenario, stage), Row(scenario, stage))

    def __iter__(self) -> Iterator[Row]:
        """Yield the scenarios' rows in the order of the columns, then the healthy rows."""
        for name in self.ids:
            yield from (self.rows[name, stage] for stage in STAGES if (name, stage) in self.rows)
        yield from (self.healthy[stage] for stage in STAGES if stage in self.healthy)

    @property
    def is_right(self) -> bool:
        """Whether every row is right."""
        return all(row.is_right for row in self)

    def save(self, path: Path) -> None:
        """Write a CSV file: a line for each row, a column for each id with the number of runs in which it was found."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*_HEAD, *self.ids])
            for row in self:
                counts = [row.found[name] for name in self.ids]
                facts = (row.scenario, row.stage, row.runs, row.sessions, row.named, " | ".join(row.ends))
                writer.writerow([*facts, *counts])


def load(path: Path) -> Matrix:
    """Read what `Matrix.save` has written."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        matrix = Matrix(next(lines)[len(_HEAD) :])
        for scenario, stage, runs, sessions, named, ends, *counts in lines:
            assert stage in STAGES
            found = Counter({name: int(count) for name, count in zip(matrix.ids, counts, strict=True) if count != "0"})
            row = Row(scenario, stage, int(runs), int(sessions), int(named), ends.split(" | ") if ends else [], found)
            if scenario == HEALTHY:
                matrix.healthy[stage] = row
            else:
                matrix.rows[scenario, stage] = row
    return matrix
