"""What the doctor says, on a terminal: its findings and what the real SDK would have done."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

import click

from icws_explore.analysis.doctor import Finding, Findings

from .console import printable, width

_MARKS = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("·", "cyan")}
_MAX_WIDTH: Final = 110  # what is read, not scanned


def print_findings(findings: Findings, replayed: Iterable[str] = ()) -> None:
    """Each finding in full, the lines of the replay, and a last line that counts."""
    for finding in findings:
        for line in _lines(finding):
            click.echo(line)
    for line in replayed:
        for part in _wrapped(f"replay: {printable(line)}", "  "):
            click.echo(part)
    counts = [
        f"{count} {severity}{'s' if count != 1 else ''}"
        for severity in ("error", "warning")
        if (count := sum(finding.severity == severity for finding in findings))
    ]
    click.echo(", ".join(counts) if counts else "nothing is wrong as far as this tells")


def _lines(finding: Finding) -> Iterator[str]:
    mark, colour = _MARKS[finding.severity]
    frames = ", ".join(str(number) for number in finding.frames[:12]) + ("…" if len(finding.frames) > 12 else "")
    where = f"  frame{'s' if len(finding.frames) > 1 else ''} {frames}" if finding.frames else ""
    yield click.style(f"{mark} {finding.id}", fg=colour, bold=True) + f"  {finding.severity}{where}"
    yield from _wrapped(f"    {printable(finding.explanation)}", "    ")
    for name, text in (("the SDK", finding.sdk_behaviour), ("fix", finding.fix), ("source", finding.source)):
        yield from _wrapped(f"    {name}: {printable(text)}", "      ")
    yield ""


def _wrapped(text: str, indent: str) -> list[str]:
    """``text`` in lines of the terminal; in a pipe it stays one line, for whoever searches it."""
    if sys.stdout.closed or not sys.stdout.isatty():
        return [text]
    columns = max(min(width(), _MAX_WIDTH), 40)
    return textwrap.wrap(text, columns, subsequent_indent=indent, break_on_hyphens=False)
