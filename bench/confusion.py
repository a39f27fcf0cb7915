"""The doctor's confusion matrix: what each scenario was found to be, in each stage; stored, and written out.

A scenario is named when its own rule speaks and no other one does so as an error or a warning.
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
HEALTHY: Final = "healthy"  # the row of the sessions in which nothing is wrong
_HEAD: Final = ("scenario", "stage", "runs", "sessions", "named", "ends")


@dataclass(frozen=True, slots=True)
class Run:
    """One scenario played once. ``found`` is (id, severity), ``ends`` how its ``sessions`` ended, each way once.

    ``failure`` is why there is no recording to judge; empty where there is.
    """

    scenario: str
    stage: Stage
    seed: int
    found: tuple[tuple[str, str], ...] = ()
    ends: tuple[str, ...] = ()
    sessions: int = 0
    failure: str = ""

    @property
    def wrong(self) -> tuple[str, ...]:
        """The errors and warnings that are not its own."""
        return tuple(name for name, severity in self.found if name != self.scenario and severity != "info")

    @property
    def is_named(self) -> bool:
        return self.scenario in dict(self.found) and not self.wrong and not self.failure


@dataclass(slots=True)
class Row:
    """All runs of a scenario in a stage: in how many of them each id was found, and how the sessions ended."""

    scenario: str
    stage: Stage
    runs: int = 0
    sessions: int = 0
    named: int = 0
    ends: list[str] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)

    @property
    def is_right(self) -> bool:
        return self.runs > 0 and self.named == self.runs

    def add(self, run: Run) -> None:
        self.runs += 1
        self.sessions += run.sessions
        self.named += run.is_named
        self.found.update(dict(run.found).keys())
        self.ends += [end for end in run.ends if end not in self.ends]


class Matrix:
    """Rows by scenario and stage. ``ids`` are the columns, in their order."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = tuple(ids)
        self.rows: dict[tuple[str, Stage], Row] = {}
        self.healthy: dict[Stage, Row] = {}

    def add(self, run: Run) -> None:
        self.rows.setdefault((run.scenario, run.stage), Row(run.scenario, run.stage)).add(run)

    def add_healthy(self, stage: Stage, found: Iterable[tuple[str, str]], sessions: int) -> None:
        """One healthy recording; it is right where nothing is found but infos."""
        found = tuple(found)
        row = self.healthy.setdefault(stage, Row(HEALTHY, stage))
        row.runs += 1
        row.sessions += sessions
        row.named += all(severity == "info" for _, severity in found)
        row.found.update(name for name, _ in found)

    def row(self, scenario: str, stage: Stage) -> Row:
        return self.rows.get((scenario, stage), Row(scenario, stage))

    def __iter__(self) -> Iterator[Row]:
        """Scenarios in the order of their columns, the healthy ones last."""
        for name in self.ids:
            yield from (self.rows[name, stage] for stage in STAGES if (name, stage) in self.rows)
        yield from (self.healthy[stage] for stage in STAGES if stage in self.healthy)

    @property
    def is_right(self) -> bool:
        """Every row that is there."""
        return all(row.is_right for row in self)

    def save(self, path: Path) -> None:
        """As CSV: a line for each row, a column for each id, with the number of runs that it was found in."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*_HEAD, *self.ids])
            for row in self:
                counts = [row.found[name] for name in self.ids]
                told = (row.scenario, row.stage, row.runs, row.sessions, row.named, " | ".join(row.ends))
                writer.writerow([*told, *counts])


def load(path: Path) -> Matrix:
    """What `Matrix.save` has stored."""
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
