"""Prints the doctor's findings, and what the real SDK would have done."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import click

from icws_explore.analysis.doctor import Finding, Findings
from icws_explore.capture import Capture, Frame, SessionInfo

from .console import is_terminal, note, printable, width

_MARKS: Final = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("·", "cyan")}
_UNCHECKED: Final = ("?", "yellow")
_STATES: Final = {"passed": "green", "not checked": "yellow", "failed": "red"}
LOOK_S: Final = 2.0  # real seconds
MAX_KEPT: Final = 20_000  # frames
_MAX_WIDTH: Final = 110  # characters of a line of prose


def print_findings(findings: Findings, replayed: Iterable[str] = (), *, frames: bool = False) -> None:
    """Print each finding in full, what was left out, what was not checked, the replay, and a conclusion.

    With ``frames``, the rows of the frames that a finding names follow it.
    """
    for finding in findings:
        for line in finding_lines(finding):
            click.echo(line)
        if frames and findings.capture is not None:
            print_evidence(finding, findings.capture)
    for left_out in findings.left_out:
        print_wrapped(f"· {printable(str(left_out))}", "  ", fg="cyan")
    for unchecked in findings.unchecked:
        mark, colour = _UNCHECKED
        print_wrapped(f"{mark} not checked: {printable(str(unchecked))}", "    ", fg=colour)
    for line in replayed:
        print_wrapped(f"replay: {printable(line)}", "  ")
    print_wrapped(findings.conclusion, "  ", fg=_STATES[findings.state])


def print_evidence(finding: Finding, capture: Capture) -> None:
    """Print the frames that a finding names, with their neighbours, and an empty line."""
    from icws_explore.analysis.decode import shared_frames
    from icws_explore.views.findings import evidence_lines, evidence_rows

    if finding.frames:
        for line in evidence_lines(evidence_rows(list(shared_frames(capture)), finding), width=width()):
            click.echo(line)
        click.echo("")


class LiveFindings:
    """The findings about frames that still come, each once.

    The doctor looks at everything so far. It looks again when a session has ended, and otherwise at most every
    `LOOK_S` real seconds, and never for more than a fifth of the time. It looks at the first `MAX_KEPT` frames.
    """

    def __init__(self, info: SessionInfo, now: Callable[[], float] = time.monotonic) -> None:
        self._capture = Capture(info)
        self._now = now
        self._look_at = 0.0
        self._told: set[tuple[str, str | None]] = set()
        self._is_new = False
        self._has_ended = False
        self.is_full = False

    def add(self, frame: Frame) -> None:
        """Take the next frame."""
        if len(self._capture.frames) >= MAX_KEPT:
            if not self.is_full:
                self.is_full = True
                note(f"--doctor looks at the first {MAX_KEPT} frames; icws doctor looks at the whole recording")
            return
        self._capture.frames.append(frame)
        self._is_new = True
        self._has_ended = self._has_ended or frame.op == "close"

    def new(self, *, at_end: bool = False) -> list[Finding]:
        """Return the findings that were not there before, if it is time to look."""
        if not self._is_new or not (at_end or self._has_ended or self._now() >= self._look_at):
            return []
        if not at_end and self._now() < self._look_at - LOOK_S:
            return []  # the last look took long
        from icws_explore.analysis.doctor import diagnose

        began = self._now()
        found = diagnose(self._capture)
        self._is_new = self._has_ended = False
        self._look_at = self._now() + LOOK_S + 4 * (self._now() - began)
        return [finding for finding in found if self._is_first(finding)]

    def _is_first(self, finding: Finding) -> bool:
        """Whether it concerns a session for which this was not told."""
        keys = {(finding.id, session) for session in finding.sessions or (None,)}
        is_first = not keys <= self._told
        self._told |= keys
        return is_first


def finding_lines(finding: Finding) -> Iterator[str]:
    """A finding in full, for a terminal."""
    mark, colour = _MARKS[finding.severity]
    frames = ", ".join(str(number) for number in finding.frames[:12]) + ("…" if len(finding.frames) > 12 else "")
    where = f"  frame{'s' if len(finding.frames) > 1 else ''} {frames}" if finding.frames else ""
    title = f"{mark} {finding.id}"
    heading, *more = _wrapped(f"{title}  {finding.severity}{where}", "    ")
    yield click.style(title, fg=colour, bold=True) + heading.removeprefix(title)
    yield from more
    yield from _wrapped(f"    {printable(finding.explanation)}", "    ")
    for name, text in (("the SDK", finding.sdk_behaviour), ("fix", finding.fix), ("source", finding.source)):
        yield from _wrapped(f"    {name}: {printable(text)}", "      ")
    yield ""


def print_wrapped(text: str, indent: str, *, fg: str | None = None) -> None:
    """Print ``text`` in lines of the terminal, all but the first indented; one line in a pipe."""
    for line in _wrapped(text, indent):
        click.echo(line if fg is None else click.style(line, fg=fg))


def _wrapped(text: str, indent: str) -> list[str]:
    """``text`` in lines of the terminal, or in a pipe as one line that can be searched.

    A word that is longer than a line, such as a principal or a key, is not broken.
    """
    if not is_terminal():
        return [text]
    columns = max(min(width(), _MAX_WIDTH), 40)
    return textwrap.wrap(text, columns, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
