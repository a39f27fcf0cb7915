"""The page docs/coverage.md: which share of the branches of each room the test suite takes.

``make coverage`` runs the suite with coverage.py, combines the data of all its processes, and calls
``python -m docs.coverage``, which writes the page. The command fails if a branch of protocol/ is missing. Branches
that no test can take are marked where they are (`EXCEPTIONS` says how), and the page counts them.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import coverage

from docs.rooms import PURPOSE, ROWS

DOCS: Final = Path(__file__).parent
PACKAGE: Final = DOCS.parent / "icws_explore"
PAGE: Final = DOCS / "coverage.md"
COMPLETE: Final = "protocol"  # the room in which no branch may be missing
EXCEPTIONS: Final = {
    "# pragma: no branch": "the last case of a `match` over all the members of a type; mypy checks that no member is "
    "missing, and the way past the last case does not exist",
    "raise AssertionError": "the end of a function after all the members of a type; an earlier check refuses others",
}
MEASURED: Final = (
    "`make coverage` runs the tests of `make test` and the notebooks, measures them with coverage.py, and writes this "
    "page. Commands, notebook kernels and other processes that the tests start are measured too. The other tests of "
    "`make slow` are not."
)


@dataclass
class Counts:
    """What was measured of a room or of a file: numbers of statements and of branches, and how many of them ran."""

    statements: int = 0
    statements_run: int = 0
    branches: int = 0
    branches_run: int = 0

    def add(self, other: Counts) -> None:
        self.statements += other.statements
        self.statements_run += other.statements_run
        self.branches += other.branches
        self.branches_run += other.branches_run

    @property
    def is_complete(self) -> bool:
        return (self.statements, self.branches) == (self.statements_run, self.branches_run)

    def row(self, name: str) -> str:
        shares = _share(self.statements_run, self.statements), _share(self.branches_run, self.branches)
        return f"| {name} | {self.statements} | {shares[0]} | {self.branches} | {shares[1]} |"


def _share(part: int, whole: int) -> str:
    """A percentage that is only 100 if nothing is missing."""
    return "100 %" if part == whole else f"{int(1000 * part / whole) / 10:.1f} %"


def measured(report: dict[str, Any]) -> dict[Path, Counts]:
    """The counts of each file in coverage.py's JSON report; paths are relative to the package."""
    found = {}
    for name, each in report["files"].items():
        numbers = each["summary"]
        found[(DOCS.parent / name).relative_to(PACKAGE)] = Counts(
            numbers["num_statements"],
            numbers["num_statements"] - numbers["missing_lines"],
            numbers["num_branches"],
            numbers["covered_branches"],
        )
    return found


def by_room(files: dict[Path, Counts]) -> dict[str, Counts]:
    """The counts of each room. The modules beside the rooms are the front door."""
    rooms: dict[str, Counts] = defaultdict(Counts)
    for path, counts in files.items():
        rooms[path.parts[0] if len(path.parts) > 1 else "front door"].add(counts)
    return dict(rooms)


def exceptions() -> dict[str, int]:
    """How often each kind of exception is marked in protocol/."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (PACKAGE / COMPLETE).rglob("*.py"))
    return {mark: text.count(mark) for mark in EXCEPTIONS}


def page(rooms: dict[str, Counts], marked: dict[str, int]) -> str:
    """The page's text."""
    order = [name for row in ROWS for name in row]
    total = Counts()
    for counts in rooms.values():
        total.add(counts)
    lines = [
        "# Coverage",
        "",
        MEASURED,
        "",
        "| room | statements | run | branches | taken |",
        "|---|---|---|---|---|",
        *(rooms[name].row(f"`{name}/`: {PURPOSE[name]}") for name in order if name in rooms),
        rooms["front door"].row("front door and `errors.py`"),
        total.row("all"),
        "",
        "In `protocol/`, the tests take every branch; otherwise `make coverage` fails. Exceptions are marked there:",
        "",
        *(f"- `{mark}` ({marked[mark]} times): {EXCEPTIONS[mark]}." for mark in EXCEPTIONS),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page; 1 if protocol/ is not complete."""
    data = coverage.Coverage()
    data.load()
    with TemporaryDirectory() as folder:
        written = Path(folder) / "coverage.json"
        data.json_report(outfile=str(written))
        files = measured(json.loads(written.read_text(encoding="utf-8")))
    PAGE.write_text(page(by_room(files), exceptions()), encoding="utf-8")
    missing = [path for path, counts in files.items() if path.parts[0] == COMPLETE and not counts.is_complete]
    if missing:
        data.report(morfs=[str(PACKAGE / path) for path in missing], show_missing=True)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
