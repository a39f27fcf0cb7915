"""The report as Markdown to paste into an issue: findings with their evidence, then the numbers.

The text is always shorter than the limit of an issue.

Nothing that a peer sent becomes markup, a mention, a reference or a link when GitHub renders the text. GitHub looks
for @names, #numbers, :emoji: and addresses after Markdown was rendered, when backslashes are gone; an empty comment
between two characters stops it. It does not look inside code spans, so texts that must stay as they were sent are
put there.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from icws_explore.analysis.doctor import Finding

from ..facts import NO_END, Fact, clock_text
from ..findings import UNCHECKED_MARK, evidence_rows, finding_row, left_out_lines, nothing_line, unchecked_lines
from ..formatting import count, one_line
from ..limits import HEADS, NO_LIMITS
from ..rows import FrameRow
from ..steps import Verdict, verdict_line
from .contents import Contents, SequenceRow, SessionContents, session_sequence

MAX_CHARACTERS: Final = 60_000  # GitHub takes 65,536, and people write something above it

_ALWAYS: Final = frozenset("\\`*[]<|~$")
_AT_THE_START: Final = frozenset("-+#>=")  # a list, a heading, a quotation
_EMOJI: Final = re.compile(r":(?!\d\d:)[\w+-]+:")
_ADDRESS: Final = re.compile(r"(?<=:)//|(?<=\bwww)\.|(?<=\bmailto:|..\bxmpp:)(?=\w)", re.IGNORECASE)
_BREAK: Final = "<!-- -->"
ELLIPSIS: Final = "…"


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much is written: findings in full, frames with each, rows of a sequence, sessions with a sequence."""

    findings: int
    evidence: int
    sequence: int
    sessions: int


_LITERAL: Final = ("gateway", "network", "canister", "client", "message type", "recorder started")
_DETAILS: Final = (_Detail(12, 12, 40, 2), _Detail(8, 8, 24, 1), _Detail(5, 4, 12, 1), _Detail(3, 0, 0, 0))
_MAX_SESSIONS: Final = 12
_MAX_FAILED: Final = 5
_MAX_CALLS: Final = 8


def markdown_report(contents: Contents) -> str:
    """The text, of fewer than `MAX_CHARACTERS` characters."""
    text = ""
    for detail in _DETAILS:
        text = contents.published("\n".join(_lines(contents, detail)) + "\n")
        if len(text) < MAX_CHARACTERS:
            break
    return text


def _lines(contents: Contents, detail: _Detail) -> Iterator[str]:
    yield f"### {prose(contents.answer[0], 400)}"
    yield ""
    yield prose(contents.title, 300)
    if contents.capture.info.clock.kind != "real":
        yield ""
        yield f"**Not in real time.** Clock: {prose(clock_text(contents.capture))}."
    if contents.withheld:
        yield ""
        yield f"**Redacted:** {prose(contents.withheld)}"
    yield ""
    yield "#### Findings"
    yield ""
    for finding in contents.findings[: detail.findings]:
        yield from _finding(contents, finding, detail)
    more = contents.findings[detail.findings :]
    if more:
        yield f"… and {count(len(more), 'more finding')}: {', '.join(code(finding.id) for finding in more[:60])}"
        yield ""
    missing = unchecked_lines(contents.findings)
    others = [f"- {prose(line)}" for line in left_out_lines(contents.findings)]
    others += [f"- {UNCHECKED_MARK} {prose(line)}" for line in missing]
    if others:
        yield from (*others, "")
    if nothing := nothing_line(contents.findings):
        yield from (nothing if missing else f"✓ {nothing}", "")
    yield "#### Summary"
    yield ""
    yield from _facts(contents.summary_facts)
    yield from _sessions(contents)
    yield from _timing(contents)
    yield from _verification(contents)
    for session in contents.in_detail[: detail.sessions]:
        yield from _sequence(contents, session, detail.sequence)
    facts = [*contents.recorded, *contents.made_with]
    lines = (f"- {fact.name}: {code(fact.value, 1000)}" if fact.name in _LITERAL else _fact(fact) for fact in facts)
    yield from _folded("Environment", list(lines))


def _finding(contents: Contents, finding: Finding, detail: _Detail) -> Iterator[str]:
    row = finding_row(finding)
    yield f"**{prose(row.title)}**{f', {row.where}' if row.where else ''}"
    yield ""
    yield prose(row.explanation, 1500)
    yield ""
    for name, text in row.rest:
        yield f"- {name}: {prose(text, 600)}"
    yield ""
    rows = evidence_rows(contents.frames, finding, limit=detail.evidence) if detail.evidence else []
    if rows:
        yield from table(["#:", "seconds:", "", "kind", "seq:", "summary"], (_frame(*row) for row in rows))
        yield ""


def _frame(is_named: bool, row: FrameRow | None) -> list[str]:
    if row is None:
        return ["⋮", "", "", "", "", ""]
    number = f"**{row.number}**" if is_named else str(row.number)
    session = f"{code(row.session, 40)} " if row.session else ""
    return [number, row.elapsed, row.arrow, row.kind, row.sequence, f"{session}{code(row.summary, 140)}"]


def _sessions(contents: Contents) -> Iterator[str]:
    if len(contents.sessions) < 2:
        return
    yield ""
    heads = ["session", "frames:", "opened", "sent / received", "ended", "findings"]
    ordered = sorted(contents.sessions, key=lambda session: not session.findings)
    yield from table(heads, (_session(session) for session in ordered[:_MAX_SESSIONS]))
    if len(ordered) > _MAX_SESSIONS:
        yield ""
        yield f"… and {count(len(ordered) - _MAX_SESSIONS, 'more session')}"


def _session(session: SessionContents) -> list[str]:
    summary = session.summary
    return [
        code(session.name or "", 40),
        str(summary.frames),
        "yes" if summary.opened else "no",
        f"{summary.sent} / {summary.received}",
        code(summary.ended or NO_END, 100),
        ", ".join(code(each) for each in dict.fromkeys(session.findings)) or "none",
    ]


def _timing(contents: Contents) -> Iterator[str]:
    yield ""
    yield "#### Timing against limits"
    yield ""
    if contents.limits:
        rows = (
            [row.name, row.limit, row.outcome, row.longest, row.left, prose(row.where, 80)] for row in contents.limits
        )
        yield from table([f"{head}:" if head in ("limit", "longest", "left") else head for head in HEADS], rows)
    else:
        yield f"{NO_LIMITS.capitalize()}."
    yield ""
    yield from _facts(contents.pace)


def _verification(contents: Contents) -> Iterator[str]:
    yield ""
    yield "#### Verification"
    yield ""
    yield from _facts(contents.checks)
    verified: list[Verdict] = [*contents.verdicts, *contents.requests]
    failed = [verdict for verdict in verified if verdict.failure is not None]
    for verdict in failed[:_MAX_FAILED]:
        yield f"- {prose(verdict_line(verdict), 600)}"
    if len(failed) > _MAX_FAILED:
        yield f"- … and {len(failed) - _MAX_FAILED} more that failed"
    failures = [call for call in contents.calls if call.failed]
    for call in failures[:_MAX_CALLS]:
        what = code(call.method_name or call.target, 80)
        text = code(call.text, 240) or "no text"
        yield f"- frame {call.request}: {what} to the network: {call.outcome}, {text}"
    if len(failures) > _MAX_CALLS:
        yield f"- … and {count(len(failures) - _MAX_CALLS, 'more failed call')}"


def _sequence(contents: Contents, session: SessionContents, limit: int) -> Iterator[str]:
    rows: list[list[str]] = []
    for part in session_sequence(session.frames, contents.evidence, limit=limit, start=contents.start):
        if part.left_out:
            rows.append(["⋮", "", "", "", "", f"{count(part.left_out, 'frame')} not shown", ""])
        rows += [_step(row) for row in part.items]
    named = f", session {html_code(session.name, 40)}" if session.name and len(contents.sessions) > 1 else ""
    heads = ["#:", "seconds:", "from → to", "seq:", "kind", "summary", "remark"]
    yield from _folded(f"Sequence{named}", table(heads, rows))


def _step(row: SequenceRow) -> list[str]:
    number = f"**{row.number}**" if row.is_evidence else str(row.number)
    beside = f"**{prose(row.beside, 120)}**" if row.is_fault else prose(row.beside, 120)
    return [number, row.at, row.way, row.sequence, row.kind, code(row.text, 90), beside]


def _facts(facts: Sequence[Fact]) -> Iterator[str]:
    return map(_fact, facts)


def _fact(fact: Fact) -> str:
    value = prose(fact.value, 600)
    return f"- {prose(fact.name, 80)}: {f'**{value}**' if fact.weight == 'bad' else value}"


def _folded(head: str, lines: list[str]) -> Iterator[str]:
    """A part that opens with a click. GitHub needs empty lines around Markdown within HTML."""
    yield from ("", f"<details><summary>{head}</summary>", "", *lines, "", "</details>")


def prose(text: str, limit: int = 2000) -> str:
    """``text`` as prose in a paragraph, a list or a table cell, of at most ``limit`` characters of Markdown."""
    return _bounded(_escaped(one_line(text)), limit)


def _escaped(line: str) -> Iterable[str]:
    breaks = {found.start() for found in _ADDRESS.finditer(line)} | {
        found.start() + 1 for found in _EMOJI.finditer(line)
    }
    indent = len(line) - len(line.lstrip())
    for at, character in enumerate(line):
        before, behind = line[max(0, at - 2) : at], line[at + 1 : at + 2]
        is_reference = (character in "@#" and (behind.isalnum() or behind in ("_", "-"))) or (
            character == "-" and before == "GH"
        )
        if character == "&":
            written = "&amp;"
        elif character in _ALWAYS or (at == indent and character in _AT_THE_START):
            written = f"\\{character}"
        elif character == "_" and not (before[-1:].isalnum() and behind.isalnum()):
            written = "\\_"
        elif character in ".)" and line[:at].strip().isdecimal() and behind in ("", " "):
            written = f"\\{character}"  # a numbered list
        else:
            written = character
        yield f"{_BREAK if at in breaks else ''}{written}{_BREAK if is_reference else ''}"


def code(text: str, limit: int = 200) -> str:
    """``text`` as it is, in a code span that also works in a table: at most ``limit`` characters and the backticks."""
    shown = _bounded(_piped(one_line(text)), limit)
    if not shown.strip():
        return ""
    longest = run = 0
    for character in shown:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    fence = "`" * (longest + 1)
    pad = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ", "\\")) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def html_code(text: str, limit: int = 200) -> str:
    """As `code`, for a line within an HTML element, where Markdown is not rendered."""
    return f"<code>{_bounded(map(html.escape, one_line(text)), limit)}</code>"


def _piped(line: str) -> Iterable[str]:
    """Pipes escaped for a table. A space separates one from a backslash, which would escape the escape."""
    for before, character in zip(" " + line, line, strict=False):
        yield character if character != "|" else " \\|" if before == "\\" else "\\|"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table whose cells are Markdown already. A column of numbers has a head that ends in ``:``."""
    lines = [
        _row([head.rstrip(":") for head in heads]),
        _row(["--:" if head.endswith(":") else "---" for head in heads]),
    ]
    return [*lines, *(_row(cells) for cells in rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _bounded(pieces: Iterable[str], limit: int) -> str:
    """As many whole pieces as fit, and an ellipsis if that is not all of them."""
    found: list[str] = []
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > limit:
            while found and length - len(piece) + len(ELLIPSIS) > limit:
                length -= len(found.pop())
            return "".join([*found, ELLIPSIS])
        found.append(piece)
    return "".join(found)
