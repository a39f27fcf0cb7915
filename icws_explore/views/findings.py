"""The doctor's findings with their evidence, the worst first, and what was not checked or left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from icws_explore.analysis.doctor import Finding, Findings, Severity
from icws_explore.analysis.doctor.finding import NOTHING_WRONG

from .formatting import one_line
from .html import View, render, view_of

MARKS: Final[dict[Severity, str]] = {"error": "✗", "warning": "!", "info": "·"}
UNCHECKED_MARK: Final = "?"
_WEIGHTS: Final[dict[Severity, str]] = {"error": "bad", "warning": "note", "info": "soft"}
_MAX_FRAMES: Final = 12  # numbers in a line


class FindingRow(NamedTuple):
    """A finding as the template takes it. Each text is one line, whatever a peer sent."""

    title: str
    weight: str
    where: str
    explanation: str
    rest: tuple[tuple[str, str], ...]


def findings_html(findings: Sequence[Finding]) -> Markup:
    """The findings as a part of a page."""
    return render(
        "findings.html.j2",
        rows=[finding_row(finding) for finding in findings],
        unchecked=unchecked_lines(findings),
        left_out=left_out_lines(findings),
        nothing=nothing_line(findings),
    )


def findings_text(findings: Sequence[Finding]) -> str:
    """The findings as plain lines."""
    lines = []
    for row in map(finding_row, findings):
        lines += [f"{row.title}{row.where and f', {row.where}'}", f"    {row.explanation}"]
        lines += [f"    {name}: {text}" for name, text in row.rest]
    lines += left_out_lines(findings)
    lines += [f"{UNCHECKED_MARK} {line}" for line in unchecked_lines(findings)]
    nothing = nothing_line(findings)
    return "\n".join([*lines, *([nothing] if nothing else [])])


def findings_view(findings: Sequence[Finding]) -> View:
    """The findings in a notebook."""
    plain = findings_text(findings)
    return view_of(findings_html(findings), plain)


def unchecked_lines(findings: Sequence[Finding]) -> list[str]:
    """A line for each check that could not be made."""
    return [one_line(f"not checked: {it}") for it in getattr(findings, "unchecked", ())]


def left_out_lines(findings: Sequence[Finding]) -> list[str]:
    """A line for each socket that speaks another protocol."""
    return [one_line(str(it)) for it in getattr(findings, "left_out", ())]


def nothing_line(findings: Sequence[Finding]) -> str:
    """What to say if there is no finding: that nothing is wrong, or that something was not checked; else ""."""
    if findings:
        return ""
    return findings.conclusion if isinstance(findings, Findings) else NOTHING_WRONG


def finding_row(finding: Finding) -> FindingRow:
    """A finding's lines."""
    shown = ", ".join(map(str, finding.frames[:_MAX_FRAMES])) + (", …" if len(finding.frames) > _MAX_FRAMES else "")
    plural = "s" if len(finding.frames) > 1 else ""
    return FindingRow(
        f"{MARKS[finding.severity]} {finding.id} ({finding.severity})",
        _WEIGHTS[finding.severity],
        f"frame{plural} {shown}" if finding.frames else "",
        one_line(finding.explanation),
        (("the SDK", finding.sdk_behaviour), ("fix", finding.fix), ("source", finding.source)),
    )
