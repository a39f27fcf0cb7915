"""Shows the confusion matrix: as a square of symbols in a terminal, and as docs/scenarios.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from icws_explore.analysis.doctor import RULES
from icws_explore.lab.scenarios import SCENARIOS

from .confusion import STAGES, Matrix, Row, Stage

ROOT: Final = Path(__file__).parent.parent
DATA: Final = ROOT / "data" / "scenarios" / "confusion_matrix.csv"
PAGE: Final = ROOT / "docs" / "scenarios.md"
WIDTH: Final = 120  # characters per line of the printed matrix
SIGNS: Final = {"error": "■", "warning": "▲", "info": "i"}
LEGEND: Final = "■ error  ▲ warning  i info: found in every run;  ? in some runs;  ✗ missing, or not the scenario's own"
INTRODUCTION: Final = """\
# Scenarios

A scenario reproduces one problem of the doctor's catalogue. Run it in the lab over real sockets with \
`icws lab --fault NAME`, or in the simulator with `icws simulate --fault NAME`. In a notebook, use \
`scenario(NAME).play()` or `scenario(NAME).run(seed)` from `icws_explore.lab.scenarios`.

These problems have no scenario, because they are found before a session starts, in a configuration, a page, an \
identity or a `.did` file: `ACK_INTERVAL_TOO_SHORT`, `APP_TYPE_IS_CDK_TYPE`, `CSP_BLOCK`, `GATEWAY_ADDRESS`, \
`IDENTITY_TYPE`, `INTERFACE_MISMATCH`, `METHOD_MODE`, `MIXED_CONTENT` and `WS_MESSAGE_ARITY`.

`make scenarios` runs every scenario in the simulator and over real sockets, diagnoses the recordings, and rewrites \
this page and [the confusion matrix](../data/scenarios/confusion_matrix.csv). The matrix has a line for each \
scenario and stage, and a column for each finding with the number of runs in which it was found. A run counts as \
named if the doctor finds the scenario's own id, and no other error or warning. Some problems cannot be without \
another one; then both must be found, and no third one: {beside}.
"""
TABLE_HEAD: Final = """\
| scenario | what goes wrong | severity | simulated | over sockets | the sessions end with |
|---|---|---|---|---|---|""".splitlines()
_STAGE_NAMES: Final[dict[Stage, str]] = {"simulated": "simulated", "sockets": "over real sockets"}


def print_matrix(matrix: Matrix, console: Console) -> None:
    """Print a row for each scenario and a column for each id, in the same order and with the same numbers."""
    width = max(map(len, matrix.ids))
    tens = "".join(str(number // 10) if number >= 10 else " " for number in range(1, len(matrix.ids) + 1))
    ones = "".join(str(number % 10) for number in range(1, len(matrix.ids) + 1))
    console.print(f"{'':{width + 6}} sim soc {tens}", style="dim", highlight=False)
    console.print(f"{'':{width + 6}}         {ones}", style="dim", highlight=False)
    for number, name in enumerate(matrix.ids, start=1):
        rows = {stage: matrix.row(name, stage) for stage in STAGES}
        if not any(row.runs for row in rows.values()):
            continue
        line = Text(f"{number:>4} {name:<{width}}  ")
        for row in rows.values():
            line.append(*_verdict(row))
        for column in matrix.ids:
            line.append(*_cell(name, column, [row for row in rows.values() if row.runs]))
        console.print(line, highlight=False, no_wrap=True)
    console.print(LEGEND, style="dim", highlight=False)
    for line in _summaries(matrix):
        console.print(line, highlight=False)


def _verdict(row: Row) -> tuple[str, str]:
    if not row.runs:
        return " –  ", "dim"
    return (" ✓  ", "green") if row.is_right else (" ✗  ", "bold red")


def _cell(name: str, column: str, rows: list[Row]) -> tuple[str, str]:
    found, runs = sum(row.found[column] for row in rows), sum(row.runs for row in rows)
    if not found:
        return ("·", "dim") if column not in _expected(name) else ("✗", "bold red")
    severity = RULES[column].severity
    if column not in _expected(name) and severity != "info":
        return "✗", "bold red"
    return SIGNS[severity] if found == runs else "?", "green" if found == runs else "yellow"


def _expected(name: str) -> tuple[str, ...]:
    """The ids that are to be found in a scenario."""
    return (name, *(SCENARIOS[name].beside if name in SCENARIOS else ()))


def _summaries(matrix: Matrix) -> Iterator[str]:
    """Yield a line with the totals of each stage, for scenarios and for healthy recordings."""
    for stage in STAGES:
        rows = [matrix.rows[name, stage] for name in matrix.ids if (name, stage) in matrix.rows]
        if not rows:
            yield f"{_STAGE_NAMES[stage]}: not run"
            continue
        named, runs = sum(row.named for row in rows), sum(row.runs for row in rows)
        counted = f"{sum(row.is_right for row in rows)} of {len(rows)} scenarios ({named} of {runs} runs)"
        yield f"{_STAGE_NAMES[stage]}: {counted} named by their own rule alone"
    for stage, row in matrix.healthy.items():
        counted = f"{row.named} of {row.runs} healthy recordings ({row.sessions} sessions)"
        yield f"{_STAGE_NAMES[stage]}: {counted} without a warning or an error"


def write_page(matrix: Matrix, path: Path = PAGE) -> None:
    """Write docs/scenarios.md from the scenarios' descriptions and the matrix."""
    path.write_text(page(matrix), encoding="utf-8")


def page(matrix: Matrix) -> str:
    """Return the page as Markdown."""
    totals = [f"- {line[0].upper()}{line[1:]}." for line in _summaries(matrix)]
    pairs = ((name, other) for name, scenario in sorted(SCENARIOS.items()) for other in scenario.beside)
    beside = ", ".join(f"`{name}` with `{other}`" for name, other in pairs)
    lines = [*INTRODUCTION.format(beside=beside).splitlines(), "", *totals, "", *TABLE_HEAD]
    lines += [_page_line(matrix, name) for name in matrix.ids if name in SCENARIOS]
    others = [f"`{row.scenario}` ({_STAGE_NAMES[row.stage]}): {_also(row)}" for row in matrix if _also(row)]
    if others:
        lines += ["", "The doctor also reports (as an info, not a fault):", "", *(f"- {line}" for line in others)]
    return "\n".join(lines) + "\n"


def _page_line(matrix: Matrix, name: str) -> str:
    rows = [matrix.row(name, stage) for stage in STAGES]
    counts = (f"{'✓' if row.is_right else '✗'} {row.named}/{row.runs}" if row.runs else "–" for row in rows)
    return f"| `{name}` | {SCENARIOS[name].about} | {RULES[name].severity} | {' | '.join(counts)} | {_ends(rows)} |"


def _ends(rows: list[Row]) -> str:
    """Return how the sessions ended, for each stage unless it was the same in all."""
    ends = {row.stage: "; ".join(row.ends) or "no close" for row in rows if row.runs}
    if len(set(ends.values())) <= 1:
        return next(iter(ends.values()), "–")
    return ", ".join(f"{text} ({_STAGE_NAMES[stage]})" for stage, text in ends.items())


def _also(row: Row) -> str:
    return ", ".join(
        f"`{name}` in {count} of {row.runs}" for name, count in row.found.items() if name not in _expected(row.scenario)
    )
