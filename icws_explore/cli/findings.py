"""The doctor's findings on a terminal, and what the real SDK would have done."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

import click

from icws_explore.analysis.doctor import Finding, Findings

from .console import printable, width

_MARKS: Final = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("·", "cyan")}
_UNCHECKED: Final = ("?", "yellow")
_STATES: Final = {"passed": "green", "not checked": "yellow", "failed": "red"}
_MAX_WIDTH: Final = 110  # characters of a line of prose


def print_findings(findings: Findings, replayed: Iterable[str] = ()) -> None:
    """Print each finding in full, what was not checked or left out, the replay, and a conclusion."""
    for finding in findings:
        for line in _lines(finding):
            click.echo(line)
    for left_out in findings.left_out:
        _print(f"· {printable(str(left_out))}", "  ", fg="cyan")
    for unchecked in findings.unchecked:
        mark, colour = _UNCHECKED
        _print(f"{mark} not checked: {printable(str(unchecked))}", "    ", fg=colour)
    for line in replayed:
        _print(f"replay: {printable(line)}", "  ")
    click.echo(click.style(findings.conclusion, fg=_STATES[findings.state]))


def _lines(finding: Finding) -> Iterator[str]:
    mark, colour = _MARKS[finding.severity]
    frames = ", ".join(str(number) for number in finding.frames[:12]) + ("…" if len(finding.frames) > 12 else "")
    where = f"  frame{'s' if len(finding.frames) > 1 else ''} {frames}" if finding.frames else ""
    yield click.style(f"{mark} {finding.id}", fg=colour, bold=True) + f"  {finding.severity}{where}"
    yield from _wrapped(f"    {printable(finding.explanation)}", "    ")
    for name, text in (("the SDK", finding.sdk_behaviour), ("fix", finding.fix), ("source", finding.source)):
        yield from _wrapped(f"    {name}: {printable(text)}", "      ")
    yield ""


def _print(text: str, indent: str, *, fg: str | None = None) -> None:
    for line in _wrapped(text, indent):
        click.echo(line if fg is None else click.style(line, fg=fg))


def _wrapped(text: str, indent: str) -> list[str]:
    """``text`` in lines of the terminal; one line in a pipe, so that it can be searched."""
    if sys.stdout.closed or not sys.stdout.isatty():
        return [text]
    columns = max(min(width(), _MAX_WIDTH), 40)
    return textwrap.wrap(text, columns, subsequent_indent=indent, break_on_hyphens=False)
