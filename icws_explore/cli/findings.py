"""What the doctor says, on a terminal: its findings and what the real SDK would have done."""

from __future__ import annotations

from collections.abc import Iterable

import click

from icws_explore.analysis.doctor import Finding, Findings

from .console import printable

_MARKS = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("·", "cyan")}


def print_findings(findings: Findings, replayed: Iterable[str] = ()) -> None:
    """Each finding in full, the lines of the replay, and a last line that counts."""
    for finding in findings:
        for line in _lines(finding):
            click.echo(line)
    for line in replayed:
        click.echo(f"replay: {printable(line)}")
    counts = [
        f"{count} {severity}{'s' if count != 1 else ''}"
        for severity in ("error", "warning")
        if (count := sum(finding.severity == severity for finding in findings))
    ]
    click.echo(", ".join(counts) if counts else "nothing is wrong as far as this tells")


def _lines(finding: Finding) -> list[str]:
    mark, colour = _MARKS[finding.severity]
    frames = ", ".join(str(number) for number in finding.frames[:12]) + ("…" if len(finding.frames) > 12 else "")
    where = f"  frame{'s' if len(finding.frames) > 1 else ''} {frames}" if finding.frames else ""
    return [
        click.style(f"{mark} {finding.id}", fg=colour, bold=True) + f"  {finding.severity}{where}",
        f"    {printable(finding.explanation)}",
        f"    the SDK: {printable(finding.sdk_behaviour)}",
        f"    fix: {printable(finding.fix)}",
        f"    source: {finding.source}",
        "",
    ]
