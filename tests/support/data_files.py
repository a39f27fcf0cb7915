"""The captures of data/ and what its README says of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from icws_explore.analysis.recording import load

from .machine import ROOT

DATA = ROOT / "data"
SESSIONS = DATA / "sessions"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
HEAD = "| file | frames | canister messages | verdict | requests | root key |"


@dataclass(frozen=True, slots=True)
class Row:
    """``verdict`` and ``requests`` are "valid", or "<step> fails at frame <n>" for the first that fails."""

    file: str
    frames: int
    messages: int
    verdict: str
    requests: str
    root_key: str

    def line(self) -> str:
        return (
            f"| `{self.file}` | {self.frames} | {self.messages} | {self.verdict} | {self.requests} | {self.root_key} |"
        )


def row_of(path: Path) -> Row:
    """What the file itself says, under the root key that it names."""
    recording = load(path)
    verdicts, requests = recording.verify(), recording.check_envelopes()
    key = "none" if recording.info.root_key is None else f"the lab's, ends in `{recording.info.root_key[-6:].hex()}`"
    return Row(path.name, len(recording), len(verdicts), _verdict(verdicts), _verdict(requests), key)


def _verdict(verdicts: object) -> str:
    failed = [(each.frame, each.failure) for each in verdicts if not each.ok]  # type: ignore[attr-defined]  # either list
    if not failed:
        return "valid"
    number, step = failed[0]
    others = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"{step.step if step else 'nothing'} fails at frame {number}{others}"


def write_table(readme: Path, rows: list[Row]) -> None:
    """Put the rows between the marks of the README."""
    text = readme.read_text(encoding="utf-8")
    table = "\n".join([HEAD, "|---|---|---|---|---|---|", *(row.line() for row in rows)])
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


def table_rows() -> list[Row]:
    """What the README says."""
    text = (DATA / "README.md").read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    rows = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 6 and re.fullmatch(r"`[^`]+`", cells[0]):
            rows.append(Row(cells[0].strip("`"), int(cells[1]), int(cells[2]), *cells[3:]))
    return rows
