"""`icws doctor` of several recordings: a line for each file, then the findings by cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from typing import Final

import click

from icws_explore.analysis.doctor import Finding, Findings
from icws_explore.analysis.doctor.finding import count
from icws_explore.analysis.doctor.many import (
    Cause,
    FileResult,
    Question,
    causes,
    examine_files,
    files_in,
    has_errors,
)
from icws_explore.analysis.imports import load_any

from ..console import json_line, printable
from ..findings import print_evidence, print_findings, print_wrapped
from .progress import progress

UNREADABLE: Final = 3
_MAX_MISSING: Final = 5  # different checks that could not be made
_MAX_FRAMES: Final = 12
_LOOKS: Final = {"failed": ("✗", "red"), "passed": ("✓", "green"), "not checked": ("?", "yellow")}
_WARNED: Final = ("!", "yellow")
_NOT_READ: Final = ("–", "magenta")
_MARKS: Final = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("·", "cyan")}


def examine_all(
    paths: Sequence[str], question: Question, configuration: Findings, *, frames: bool, as_json: bool
) -> int:
    """Examine every file, and print each as it is done. Returns the exit code.

    ``configuration`` are findings that need no recording. Raises CaptureError for a folder without a recording.
    """
    files = files_in(paths)
    if not as_json and configuration:
        print_findings(configuration)
    column = max((len(str(file)) for file in files), default=0)
    results: list[FileResult] = []
    with progress("examining", len(files)) as advance, closing(examine_files(files, question)) as examined:
        for result in examined:
            results.append(result)
            if as_json:
                json_line(result.to_json())
            else:
                click.echo(_line(result, column))
                if frames:
                    _print_evidence(result, question)
            advance()
    found = causes(results)
    if as_json:
        json_line({"files": len(results), "causes": [cause.to_json() for cause in found]})
    else:
        _print_causes(found, results)
    if has_errors(results) or configuration.has_errors:
        return 1
    return UNREADABLE if any(result.state == "unreadable" for result in results) else 0


def _line(result: FileResult, column: int) -> str:
    """The file, and what was found in it."""
    name = printable(result.file)
    if result.error is not None:
        mark, colour = _NOT_READ
        return f"{click.style(mark, fg=colour)} {name:<{column}}  {printable(result.error)}"
    has_error = Findings(result.findings).has_errors
    mark, colour = _WARNED if result.state == "failed" and not has_error else _LOOKS[result.state]
    said = ", ".join(result.ids) if result.state == "failed" else result.conclusion
    sessions = f"{result.sessions} session{'' if result.sessions == 1 else 's'}"
    return f"{click.style(mark, fg=colour)} {name:<{column}}  {sessions:>11}  {said}"


def _print_evidence(result: FileResult, question: Question) -> None:
    """The frames that the findings of a file name. The file is read again, because its frames are in a worker."""
    if not result.findings:
        return
    capture = load_any(result.file, url=question.url)
    for finding in result.findings:
        if finding.frames:
            click.echo(f"  {finding.id}")
            print_evidence(finding, capture)


def _print_causes(found: Sequence[Cause], results: Sequence[FileResult]) -> None:
    """The findings by cause, what was not checked, and a conclusion."""
    click.echo("")
    for cause in found:
        finding = cause.first
        mark, colour = _MARKS[finding.severity]
        places = f"{cause.files} of {count(len(results), 'file')}, {count(cause.sessions, 'session')}"
        click.echo(click.style(f"{mark} {finding.id}", fg=colour, bold=True) + f"  {finding.severity}  {places}")
        where = f", {_frames(finding)}" if finding.frames else ""
        print_wrapped(f"    first: {printable(cause.example)}{where}: {printable(finding.explanation)}", "      ")
        print_wrapped(f"    fix: {printable(finding.fix)}", "      ")
        click.echo("")
    missing = Counter(line for result in results for line in result.not_checked)
    for line, files in missing.most_common(_MAX_MISSING):
        print_wrapped(f"? not checked in {count(files, 'file')}: {printable(line)}", "    ", fg="yellow")
    if len(missing) > _MAX_MISSING:
        click.echo(f"? and {len(missing) - _MAX_MISSING} more that could not be checked")
    click.echo(_conclusion(results))


def _frames(finding: Finding) -> str:
    shown = ", ".join(map(str, finding.frames[:_MAX_FRAMES])) + ("…" if len(finding.frames) > _MAX_FRAMES else "")
    return f"frame{'s' if len(finding.frames) > 1 else ''} {shown}"


def _conclusion(results: Sequence[FileResult]) -> str:
    """How many files there are of each state."""
    states = Counter(result.state for result in results)
    errors = sum(Findings(result.findings).has_errors for result in results)
    counts = {
        "with errors": errors,
        "with warnings": states["failed"] - errors,
        "not checked in full": states["not checked"],
        "fine": states["passed"],
        "unreadable": states["unreadable"],
    }
    said = ", ".join(f"{number} {words}" for words, number in counts.items() if number)
    text = f"{count(len(results), 'file')}: {said}"
    bad = errors or states["failed"] or states["unreadable"]
    return click.style(text, fg="red" if bad else "yellow" if states["not checked"] else "green")
