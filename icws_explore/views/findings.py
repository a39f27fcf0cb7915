"""The doctor's findings, the worst first, each with the frames that prove it; and what was not checked or left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from markupsafe import Markup

from icws_explore.analysis.decode import DecodedFrame, shared_frames
from icws_explore.analysis.doctor import Finding, Findings, Severity
from icws_explore.analysis.doctor.finding import NOTHING_WRONG

from .formatting import one_line
from .html import TEXT_WIDTH, View, render, view_of
from .rows import FrameRow, excerpt, frame_row
from .text import frame_line

MARKS: Final[dict[Severity, str]] = {"error": "✗", "warning": "!", "info": "·"}
UNCHECKED_MARK: Final = "?"
_WEIGHTS: Final[dict[Severity, str]] = {"error": "bad", "warning": "note", "info": "soft"}
_MAX_FRAMES: Final = 12  # numbers in a line
MAX_EVIDENCE: Final = 12  # rows of frames below one finding

# A frame that a finding names (True) or one beside it; None is a gap between frames.
EvidenceRow: TypeAlias = tuple[bool, FrameRow | None]


class FindingRow(NamedTuple):
    """A finding as the template takes it. Each text is one line."""

    title: str
    weight: str
    where: str
    explanation: str
    rest: tuple[tuple[str, str], ...]


def findings_html(findings: Sequence[Finding]) -> Markup:
    """The findings as a part of a page."""
    frames = _frames(findings)
    return render(
        "findings.html.j2",
        rows=[(finding_row(finding), evidence_rows(frames, finding)) for finding in findings],
        unchecked=unchecked_lines(findings),
        left_out=left_out_lines(findings),
        nothing=nothing_line(findings),
    )


def findings_text(findings: Sequence[Finding]) -> str:
    """The findings as plain lines."""
    lines = []
    frames = _frames(findings)
    for finding in findings:
        row = finding_row(finding)
        lines += [f"{row.title}{row.where and f', {row.where}'}", f"    {row.explanation}"]
        lines += evidence_lines(evidence_rows(frames, finding))
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
    return [one_line(f"not checked: {unchecked}") for unchecked in getattr(findings, "unchecked", ())]


def left_out_lines(findings: Sequence[Finding]) -> list[str]:
    """A line for each socket that speaks another protocol."""
    return [one_line(str(left_out)) for left_out in getattr(findings, "left_out", ())]


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


def _frames(findings: Sequence[Finding]) -> Sequence[DecodedFrame]:
    """The frames of the recording in which the findings were found; none for those of a configuration."""
    capture = findings.capture if isinstance(findings, Findings) else None
    return [] if capture is None else list(shared_frames(capture))


def evidence_rows(
    frames: Sequence[DecodedFrame], finding: Finding, *, limit: int = MAX_EVIDENCE, around: int = 1
) -> list[EvidenceRow]:
    """At most ``limit`` of ``frames``: those that a finding names and ``around`` neighbours in its sessions.

    ``frames`` are all of the recording's, and times count from the first of them.
    """
    numbers, sessions = set(finding.frames), set(finding.sessions)
    near = [
        decoded
        for decoded in frames
        if decoded.number in numbers or (decoded.frame.session in sessions and not decoded.frame.is_http)
    ]
    rows = [row for row, decoded in enumerate(near) if decoded.number in numbers]
    beside = {row + step for row in rows for step in range(-around, around + 1)}
    found: list[EvidenceRow] = []
    for part in excerpt(len(near), rows, limit=limit, around=around):
        shown = [row for row in part.items if row in beside]
        if shown and found:
            found.append((False, None))
        found += [(near[row].number in numbers, frame_row(near[row], frames[0].frame.t)) for row in shown]
    return found


def evidence_lines(rows: Sequence[EvidenceRow], *, width: int = TEXT_WIDTH) -> list[str]:
    """The rows as plain lines of at most ``width`` cells; ``>`` marks the frames that the finding names."""
    return [
        "        ⋮" if row is None else f"    {'>' if is_named else ' '} {frame_line(row, width - 6).plain}"
        for is_named, row in rows
    ]
