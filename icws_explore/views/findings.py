"""The doctor's findings: each with its evidence and what to change, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from icws_explore.analysis.doctor import Finding, Severity

from .formatting import one_line
from .html import View, render, view_of

NOTHING: Final = "nothing is wrong as far as the recording tells"
MARKS: Final[dict[Severity, str]] = {"error": "✗", "warning": "!", "info": "·"}
_WEIGHTS: Final[dict[Severity, str]] = {"error": "bad", "warning": "note", "info": "soft"}
_MAX_FRAMES: Final = 12  # numbers in a line


class FindingRow(NamedTuple):
    """A finding as the template takes it; whatever a peer sent is on one line."""

    title: str
    weight: str
    where: str
    explanation: str
    rest: tuple[tuple[str, str], ...]


def findings_html(findings: Sequence[Finding]) -> Markup:
    """The findings as a piece of a page."""
    return render("findings.html.j2", rows=[finding_row(finding) for finding in findings], nothing=NOTHING)


def findings_text(findings: Sequence[Finding]) -> str:
    """The same in plain lines."""
    if not findings:
        return NOTHING
    lines = []
    for row in map(finding_row, findings):
        lines += [f"{row.title}{row.where and f', {row.where}'}", f"    {row.explanation}"]
        lines += [f"    {name}: {said}" for name, said in row.rest]
    return "\n".join(lines)


def findings_view(findings: Sequence[Finding]) -> View:
    """The findings in a notebook."""
    plain = findings_text(findings)
    return view_of(findings_html(findings), plain)


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
