"""Text in Markdown as GitHub renders it: nothing that a peer sent becomes markup, a mention, a reference or a link.

GitHub looks for @names, #numbers, :emoji: and addresses in what Markdown has become, where a backslash
is gone already; an empty comment between two characters is what it does not look across. Inside code
spans it looks for nothing, so what is shown as it was sent stands in those.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Final

from ..rows import one_line

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
