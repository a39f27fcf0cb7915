"""The text twins of the HTML views, for 80 columns. The commands print them.

Every line is a rich Text, which a terminal shows in colour; ``.plain``, or the functions that end in ``_text``,
give it without. Text that a peer sent went through `formatting.one_line`, so it cannot move the cursor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from icws_explore.analysis.decode import DecodedFrame

from .facts import Fact
from .fields import Group, frame_groups
from .formatting import count
from .kinds import LOOKS
from .rows import FrameRow, Part, frame_row, frame_rows
from .steps import StepRow, Verdict, about, step_rows, verdict_line

WIDTH: Final = 80
_MAX_SIDE: Final = 200  # characters: enough for hashes, keys and signatures, not for a certificate
_FLAG_STYLE: Final = {"": "", "closed": "bold", "malformed": "bold red"}
_FACT_STYLE: Final = {"": "default", "good": "green", "note": "yellow", "bad": "bold red"}
_MARK_STYLE: Final = {"✓": "green", "✗": "bold red", "–": "yellow"}


def frame_header(width: int = WIDTH) -> Text:
    """The heading of a list whose lines come from `frame_line`."""
    heading = f" {'#':>4} {'seconds':>9}   {'  kind':<14} {'seq':>4} {'bytes':>6}  summary"
    return cut(Text(heading, style="bold"), width)


def frame_line(row: FrameRow, width: int = WIDTH) -> Text:
    """One frame as one line of at most ``width`` cells. A line that is cut ends in an ellipsis."""
    head, kind, rest = _frame_parts(row)
    line = Text(head, style=_FLAG_STYLE[row.flag])
    line.append(kind, style=LOOKS[row.kind].terminal)
    line.append(rest)
    return cut(line, width)


def frame_text(row: FrameRow, width: int = WIDTH) -> str:
    """The same line without colour, at a fraction of the cost: for many frames in a file or a pipe."""
    head, kind, rest = _frame_parts(row)
    line = f"{head}{kind}{rest}"
    if not rest.isascii():  # characters of two cells, or of none
        return cut(Text(line), width).plain
    return (line if len(line) <= width else f"{line[: width - 1]}…").rstrip()


def _frame_parts(row: FrameRow) -> tuple[str, str, str]:
    """A frame's line in three parts: place and time, kind, and the rest. All signs in the first two take one cell."""
    head = f"{row.mark}{row.number:>4} {row.elapsed:>9} {row.arrow} "
    summary = f"[{row.session}] {row.summary}" if row.session else row.summary
    return head, f"{row.glyph} {row.kind:<12}", f" {row.sequence:>4} {row.size:>6}  {summary}"


def frame_lines(frames: Iterable[DecodedFrame], *, start: float | None = None, width: int = WIDTH) -> Iterator[Text]:
    """A line for each frame, without the heading. Times count from ``start`` (seconds since the epoch)."""
    for row in frame_rows(frames, start):
        yield frame_line(row, width)


def frame_texts(frames: Iterable[DecodedFrame], *, start: float | None = None, width: int = WIDTH) -> Iterator[str]:
    """The same lines without colour, at a fraction of the cost."""
    for row in frame_rows(frames, start):
        yield frame_text(row, width)


def frame_list_lines(parts: Iterable[Part[DecodedFrame]], *, start: float, width: int = WIDTH) -> Iterator[Text]:
    """An excerpt of a recording under its heading, with the number of frames that are left out."""
    yield frame_header(width)
    for part in parts:
        if part.left_out:
            yield Text(f"      … {count(part.left_out, 'frame')} not shown …", style="italic")
        for decoded in part.items:
            yield frame_line(frame_row(decoded, start), width)


def facts_lines(facts: Sequence[Fact], *, width: int = WIDTH) -> Iterator[Text]:
    """A line for each fact, the names in one column."""
    label = max((len(fact.name) for fact in facts), default=0)
    for fact in facts:
        head = Text(f"{fact.name:<{label}} ", style="bold")
        yield from hanging_lines(head, fact.value, width, style=_FACT_STYLE[fact.weight])


def frame_fields_lines(decoded: DecodedFrame, *, width: int = WIDTH) -> Iterator[Text]:
    """Every field of one frame, grouped by layer."""
    yield frame_title(decoded)
    for group in frame_groups(decoded):
        yield from _group_lines(group, width)


def frame_title(decoded: DecodedFrame) -> Text:
    """The number and the kind of a frame."""
    look = LOOKS[decoded.kind]
    return Text(f"frame {decoded.number} ", style="bold").append(f"{look.glyph} {decoded.kind}", style=look.terminal)


def _group_lines(group: Group, width: int) -> Iterator[Text]:
    yield Text(group.title, style="bold red underline" if group.fault else "bold underline")
    label = max(len(field.name) for field in group.fields)
    for field in group.fields:
        body = f"{field.value}   {field.meaning}" if field.meaning else field.value
        yield from hanging_lines(Text(f"  {field.name:<{label}}  ", style="cyan"), body, width)


def steps_lines(verdict: Verdict, *, width: int = WIDTH) -> Iterator[Text]:
    """Every step of one verification: its mark, its name, what it found, and the two values that it compared."""
    yield from hanging_lines(Text(), verdict_line(verdict), width, style="bold")
    name, value = about(verdict)
    yield from hanging_lines(Text(f"  {name} "), value, width)
    yield from step_rows_lines(step_rows(verdict.steps), width=width)


def step_rows_lines(rows: Iterable[StepRow], *, width: int = WIDTH) -> Iterator[Text]:
    """The steps of a verification with the values that they compared."""
    for row in rows:
        head = Text(f"  {row.mark} ", style=_MARK_STYLE[row.mark]).append(f"{row.name:<15}", style="default")
        yield from hanging_lines(head, row.detail, width)
        yield from _side_lines(row, width)


def verdicts_lines(verdicts: Iterable[Verdict], *, width: int = WIDTH) -> Iterator[Text]:
    """A line for each verified message or request, and all steps of each that did not pass."""
    for verdict in verdicts:
        if verdict.ok:
            yield cut(Text(verdict_line(verdict)), width)
        else:
            yield from steps_lines(verdict, width=width)


def _side_lines(row: StepRow, width: int) -> Iterator[Text]:
    """The compared values: whole for a failed step unless they are as long as a certificate, else shortened."""
    for name, side in row.sides:
        full = side.full or side.short
        shown = full if row.mark == "✗" and len(full) <= _MAX_SIDE else side.short
        yield from hanging_lines(Text(f"{'':19}{name:<9}"), shown, width, style="bright_black")


def plain(lines: Iterable[Text]) -> str:
    """Lines without colour."""
    return "\n".join(line.plain for line in lines)


_MIN_ROOM: Final = 16  # cells that a text needs next to its head
_MIN_WRAP: Final = 10  # cells to wrap at, where a narrow terminal leaves fewer


def hanging_lines(
    head: Text, body: str, width: int, *, style: str = "default", indent: int | None = None
) -> Iterator[Text]:
    """``body`` next to ``head``, wrapped at ``width`` cells.

    Further lines begin ``indent`` cells from the left, by default where the body begins. With ``indent``, a head
    that leaves no room for the body gets a line of its own.
    """
    margin = cell_len(head.plain) if indent is None else indent
    room = width - cell_len(head.plain)
    if room < _MIN_ROOM and indent is not None:
        yield cut(head, width)
        head, room = Text(" " * margin), width - margin
    first, *rest = wrap_cells(body, max(_MIN_WRAP, room))
    if rest and width - margin != room:
        rest = wrap_cells(body[len(first) :].lstrip(), max(_MIN_WRAP, width - margin))
    line = head.copy()
    line.append(first, style=style)
    line.rstrip()
    yield line
    for part in rest:
        yield Text(" " * margin).append(part, style=style)


def wrap_cells(text: str, width: int) -> list[str]:
    """``text`` in parts of at most ``width`` terminal cells.

    A part ends after a word. It ends after a hyphen if the next word does not fit into a part of its own.
    """
    parts: list[str] = []
    rest = text
    while (fits := _first_outside(rest, width)) is not None:
        gap = rest.rfind(" ", 1, fits + 1)
        if 0 < gap < width // 3 and not _fits(rest, gap + 1, width):
            gap = -1
        hyphen = rest.rfind("-", width // 3, fits) + 1
        at = gap if gap > 0 else hyphen or max(1, fits)
        parts.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return [*parts, rest]


def _first_outside(text: str, width: int) -> int | None:
    """The first character that has no room in ``width`` cells. Reads no further: the text may be megabytes."""
    cells = 0
    for index, character in enumerate(text):
        cells += cell_len(character)
        if cells > width:
            return index
    return None


def _fits(text: str, begin: int, width: int) -> bool:
    """Whether the word that begins at ``begin`` has at most ``width`` cells."""
    word = text[begin : begin + width + 1].split(" ", 1)[0]
    return cell_len(word) <= width


def cut(line: Text, width: int) -> Text:
    """``line`` cut to ``width`` cells, with an ellipsis at the end."""
    line.truncate(width, overflow="ellipsis")
    line.rstrip()
    return line
