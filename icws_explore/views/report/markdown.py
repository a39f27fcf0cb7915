"""The report as Markdown: what one pastes into an issue. Findings with their evidence, then the numbers.

It is shorter than the page, and never longer than an issue may be, however much went wrong.

Text in Markdown as GitHub renders it: nothing that a peer sent becomes markup, a mention, a reference or a link.

GitHub looks for @names, #numbers, :emoji: and addresses in what Markdown has become, where a backslash
is gone already; an empty comment between two characters is what it does not look across. Inside code
spans it looks for nothing, so what is shown as it was sent stands in those.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from icws_explore.analysis.doctor import Finding
from icws_explore.protocol.principal import Principal

from ..facts import NO_END, Fact, Subject, clock_note
from ..findings import NOTHING, finding_row
from ..rows import FrameRow, one_line
from ..steps import Verdict, verdict_line
from .contents import Contents, Privacy, SequenceRow, SessionContents, sequence
from .gather import gather
from .html import evidence_rows

_ALWAYS: Final = frozenset("\\`*[]<|~$")
_AT_THE_START: Final = frozenset("-+#>=")  # a list, a heading, a quotation
_EMOJI: Final = re.compile(r":(?!\d\d:)[\w+-]+:")
_ADDRESS: Final = re.compile(r"(?<=:)//|(?<=\bwww)\.|(?<=\bmailto:|..\bxmpp:)(?=\w)", re.IGNORECASE)
_BREAK: Final = "<!-- -->"
ELLIPSIS: Final = "…"


def prose(text: str, limit: int = 2000) -> str:
    """``text`` as words of a paragraph, a list or a table cell, of at most ``limit`` characters of Markdown."""
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
    """``text`` as it is, in a code span that also holds in a table; of at most ``limit`` characters and its fence."""
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
    """As `code`, where Markdown is not read: within the line of an HTML element."""
    return f"<code>{_bounded(map(html.escape, one_line(text)), limit)}</code>"


def _piped(line: str) -> Iterable[str]:
    """Pipes escaped, for a table; behind a backslash, which would escape the escape, with a space between."""
    for before, character in zip(" " + line, line, strict=False):
        yield character if character != "|" else " \\|" if before == "\\" else "\\|"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; the cells are Markdown already. A head that ends in ``:`` is of numbers."""
    lines = [
        _row([head.rstrip(":") for head in heads]),
        _row(["--:" if head.endswith(":") else "---" for head in heads]),
    ]
    return [*lines, *(_row(cells) for cells in rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _bounded(pieces: Iterable[str], limit: int) -> str:
    """As many whole pieces as fit, and an ellipsis where that is not all."""
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


MAX_CHARACTERS: Final = 60_000  # GitHub takes 65,536, and one wants to write something above it


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much of it: findings in full, rows of evidence beside each, rows of a sequence, sessions with one."""

    findings: int
    evidence: int
    sequence: int
    sessions: int


_LITERAL: Final = ("gateway", "network", "canister", "client", "message type", "recorder started")
_DETAILS: Final = (_Detail(12, 12, 40, 2), _Detail(8, 8, 24, 1), _Detail(5, 4, 12, 1), _Detail(3, 0, 0, 0))


def report_markdown(
    subject: Subject,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    title: str | None = None,
    privacy: Privacy = "shown",
) -> str:
    """The text. ``root_key`` (DER) and ``canister_id`` override the capture's; ``privacy`` as of `gather`."""
    return markdown_of(gather(subject, root_key=root_key, canister_id=canister_id, title=title, privacy=privacy))


def markdown_of(contents: Contents) -> str:
    """The text of what was gathered, of fewer than `MAX_CHARACTERS` characters."""
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
        yield f"**Not in real time.** The clock was {prose(clock_note(contents.capture))}."
    if contents.withheld:
        yield ""
        yield f"**Redacted:** {prose(contents.withheld)}"
    yield ""
    yield "#### Findings"
    yield ""
    if not contents.findings:
        yield from (f"✓ {NOTHING}", "")
    for finding in contents.findings[: detail.findings]:
        yield from _finding(contents, finding, detail)
    more = contents.findings[detail.findings :]
    if more:
        yield f"… and {len(more)} more: {', '.join(code(finding.id) for finding in more[:60])}"
        yield ""
    yield "#### Summary"
    yield ""
    yield from _facts(contents.in_short)
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
    for name, said in row.rest:
        yield f"- {name}: {prose(said, 600)}"
    yield ""
    rows = evidence_rows(contents, finding, limit=detail.evidence) if detail.evidence else []
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
    yield from table(heads, (_session(session) for session in ordered[:12]))
    if len(ordered) > 12:
        yield ""
        yield f"… and {len(ordered) - 12} more sessions"


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
        yield from table(["what", "limit:", "outcome", "longest in time:", "left:", "when"], rows)
        yield ""
    yield from _facts(contents.pace)


def _verification(contents: Contents) -> Iterator[str]:
    yield ""
    yield "#### Verification"
    yield ""
    yield from _facts(contents.checks)
    walked: list[Verdict] = [*contents.verdicts, *contents.requests]
    failed = [verdict for verdict in walked if verdict.failure is not None]
    for verdict in failed[:5]:
        yield f"- {prose(verdict_line(verdict), 600)}"
    if len(failed) > 5:
        yield f"- … and {len(failed) - 5} more that fail"
    failures = [call for call in contents.calls if call.failed]
    for call in failures[:8]:
        what = code(call.method_name or call.target, 80)
        said = code(call.text, 240) or "no words"
        yield f"- frame {call.request}: {what} to the network: {call.outcome}, {said}"
    if len(failures) > 8:
        yield f"- … and {len(failures) - 8} more calls that failed"


def _sequence(contents: Contents, session: SessionContents, limit: int) -> Iterator[str]:
    whole = sequence(session.frames, contents.evidence, limit=limit, start=contents.start)
    rows: list[list[str]] = []
    for part in whole.parts:
        if part.left_out:
            rows.append(_gap(part.left_out))
        rows += [_step(row) for row in part.rows]
    if whole.left_out:
        rows.append(_gap(whole.left_out))
    named = f", session {html_code(session.name, 40)}" if session.name and len(contents.sessions) > 1 else ""
    heads = ["#:", "seconds:", "from → to", "seq:", "kind", "what", "besides"]
    yield from _folded(f"Sequence{named}", table(heads, rows))


def _step(row: SequenceRow) -> list[str]:
    number = f"**{row.number}**" if row.is_evidence else str(row.number)
    beside = f"**{prose(row.beside, 120)}**" if row.is_fault else prose(row.beside, 120)
    return [number, row.at, row.way, row.sequence, row.kind, code(row.text, 90), beside]


def _gap(left_out: int) -> list[str]:
    return ["⋮", "", "", "", "", f"{left_out} frames not shown", ""]


def _facts(facts: Sequence[Fact]) -> Iterator[str]:
    return map(_fact, facts)


def _fact(fact: Fact) -> str:
    said = prose(fact.value, 600)
    return f"- {prose(fact.name, 80)}: {f'**{said}**' if fact.weight == 'bad' else said}"


def _folded(head: str, lines: list[str]) -> Iterator[str]:
    """A part that opens on a click; GitHub wants empty lines around Markdown in HTML."""
    yield from ("", f"<details><summary>{head}</summary>", "", *lines, "", "</details>")
