"""The confusion matrix for people: as a square of signs in a terminal, and as docs/scenarios.md."""

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
WIDTH: Final = 100  # columns that the printed matrix takes
SIGNS: Final = {"error": "■", "warning": "▲", "info": "i"}
LEGEND: Final = "■ error  ▲ warning  i info: found in every run;  ? in some of the runs;  ✗ not its own, and no info"
INTRODUCTION: Final = """\
# Scenarios

Every row of the doctor's catalogue that a recording can show can be made to happen: in the lab over real sockets \
(`icws lab --fault NAME`), and in the simulator (`icws simulate --fault NAME`). In a notebook that is \
`scenario(NAME).play()` and `scenario(NAME).run(seed)`, of `icws_explore.lab.scenarios`. `ACK_INTERVAL_TOO_SHORT`, \
`CSP_BLOCK`, `IDENTITY_TYPE` and `WS_MESSAGE_ARITY` never come to a session: `icws doctor` finds them in a \
configuration, a page's policy, an identity, a `.did`. `make scenarios` plays all scenarios in both, asks the doctor \
what is wrong, and writes this page and [the confusion matrix](../data/scenarios/confusion_matrix.csv) anew. The \
matrix has a line for each scenario and stage and a column for each finding, with the number of runs in which it was \
found.

A scenario counts as named when its own rule speaks, and no other rule does so as an error or a warning.
""".splitlines()
TABLE_HEAD: Final = """\
| scenario | what is made to go wrong | severity | simulated | over sockets | the sessions end with |
|---|---|---|---|---|---|""".splitlines()
_STAGE_NAMES: Final[dict[Stage, str]] = {"simulated": "simulated", "sockets": "over real sockets"}


def print_matrix(matrix: Matrix, console: Console) -> None:
    """A row a scenario, a column an id, both in the same order and by the same numbers; 100 columns wide."""
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
    for told in _summaries(matrix):
        console.print(told, highlight=False)


def _verdict(row: Row) -> tuple[str, str]:
    if not row.runs:
        return " –  ", "dim"
    return (" ✓  ", "green") if row.is_right else (" ✗  ", "bold red")


def _cell(name: str, column: str, rows: list[Row]) -> tuple[str, str]:
    found, runs = sum(row.found[column] for row in rows), sum(row.runs for row in rows)
    if not found:
        return ("·", "dim") if name != column else ("✗", "bold red")
    severity = RULES[column].severity
    if name != column and severity != "info":
        return "✗", "bold red"
    return SIGNS[severity] if found == runs else "?", "green" if found == runs else "yellow"


def _summaries(matrix: Matrix) -> Iterator[str]:
    """What it comes to, a line a stage and kind."""
    for stage in STAGES:
        rows = [matrix.rows[name, stage] for name in matrix.ids if (name, stage) in matrix.rows]
        if not rows:
            yield f"{_STAGE_NAMES[stage]}: not played"
            continue
        named, runs = sum(row.named for row in rows), sum(row.runs for row in rows)
        counted = f"{sum(row.is_right for row in rows)} of {len(rows)} scenarios ({named} of {runs} runs)"
        yield f"{_STAGE_NAMES[stage]}: {counted} named by their own rule alone"
    for stage, row in matrix.healthy.items():
        counted = f"{row.named} of {row.runs} healthy recordings ({row.sessions} sessions)"
        yield f"{_STAGE_NAMES[stage]}: {counted} without a warning or an error"


def write_page(matrix: Matrix, path: Path = PAGE) -> None:
    """docs/scenarios.md, from what the scenarios say of themselves and from what was found."""
    path.write_text(page(matrix), encoding="utf-8")


def page(matrix: Matrix) -> str:
    told = [f"- {line[0].upper()}{line[1:]}." for line in _summaries(matrix)]
    lines = [*INTRODUCTION, "", *told, "", *TABLE_HEAD]
    lines += [_page_line(matrix, name) for name in matrix.ids if name in SCENARIOS]
    others = [f"`{row.scenario}` ({_STAGE_NAMES[row.stage]}): {_also(row)}" for row in matrix if _also(row)]
    if others:
        lines += ["", "Besides, the doctor remarks (as an info, which is no fault):", "", *(f"- {it}" for it in others)]
    return "\n".join(lines) + "\n"


def _page_line(matrix: Matrix, name: str) -> str:
    rows = [matrix.row(name, stage) for stage in STAGES]
    counts = (f"{'✓' if row.is_right else '✗'} {row.named}/{row.runs}" if row.runs else "–" for row in rows)
    return f"| `{name}` | {SCENARIOS[name].about} | {RULES[name].severity} | {' | '.join(counts)} | {_ends(rows)} |"


def _ends(rows: list[Row]) -> str:
    """How the sessions ended, once where it was the same in all stages."""
    told = {row.stage: "; ".join(row.ends) or "no close" for row in rows if row.runs}
    if len(set(told.values())) <= 1:
        return next(iter(told.values()), "–")
    return ", ".join(f"{text} ({_STAGE_NAMES[stage]})" for stage, text in told.items())


def _also(row: Row) -> str:
    return ", ".join(f"`{name}` in {count} of {row.runs}" for name, count in row.found.items() if name != row.scenario)
