"""The text twins of the HTML views, readable in 80 columns; the commands print them.

Every line is a rich Text, so a terminal gets colour, and `.plain` (or a ``…_text`` function) gives
the same without. What a peer sent cannot move the cursor: all of it went through `rows.one_line`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from icws_explore.analysis.decode import DecodedFrame

from .facts import Fact, Subject, capture_facts, capture_of
from .fields import Group, frame_groups
from .kinds import LOOKS
from .rows import HEADINGS, MAX_FRAMES, FrameRow, FrameWindow, frame_rows, frame_window
from .steps import StepRow, Verdict, about, step_rows, verdict_line

WIDTH: Final = 80
_MAX_SIDE: Final = 200  # characters: hashes, keys and signatures, but no certificate
_FLAG_STYLE: Final = {"": "", "closed": "bold", "malformed": "bold red"}
_FACT_STYLE: Final = {"": "default", "note": "yellow", "bad": "bold red"}
_MARK_STYLE: Final = {"✓": "green", "✗": "bold red", "–": "bright_black"}


def frame_header(width: int = WIDTH) -> Text:
    """The head of a frame list whose lines come from `frame_line`."""
    number, time, _, kind, seq, size, summary = HEADINGS
    return _cut(Text(f" {number:>4} {time:>9}   {'  ' + kind:<14} {seq:>4} {size:>6}  {summary}", style="bold"), width)


def frame_line(row: FrameRow, width: int = WIDTH) -> Text:
    """One frame as one line of at most ``width`` cells; what is cut ends in an ellipsis."""
    look = LOOKS[row.kind]
    line = Text(f"{row.mark}{row.number:>4} {row.elapsed:>9} {row.arrow} ", style=_FLAG_STYLE[row.flag])
    line.append(f"{look.glyph} {row.kind:<12}", style=look.terminal)
    line.append(f" {row.sequence:>4} {row.size:>6}  ")
    line.append(f"[{row.session}] {row.summary}" if row.session else row.summary)
    return _cut(line, width)


def frame_lines(frames: Iterable[DecodedFrame], *, start: float | None = None, width: int = WIDTH) -> Iterator[Text]:
    """A line a frame as they come, without the head; times count from ``start`` (seconds since the epoch)."""
    for row in frame_rows(frames, start):
        yield frame_line(row, width)


def frame_table_text(frames: Iterable[DecodedFrame], *, start: float | None = None, width: int = WIDTH) -> str:
    """The frame list as plain text."""
    return _join([frame_header(width), *frame_lines(frames, start=start, width=width)])


def capture_lines(subject: Subject, *, limit: int | None = MAX_FRAMES, width: int = WIDTH) -> Iterator[Text]:
    """A capture: its facts, then its frames; beyond ``limit`` the middle ones are left out, and that is said."""
    capture = capture_of(subject)
    yield from facts_lines(capture_facts(capture), width=width)
    yield from window_lines(frame_window(capture, limit), width=width)


def capture_text(subject: Subject, *, limit: int | None = MAX_FRAMES, width: int = WIDTH) -> str:
    return _join(capture_lines(subject, limit=limit, width=width))


def window_lines(window: FrameWindow, *, width: int = WIDTH) -> Iterator[Text]:
    """The frames of a window under their head, and how many are left out."""
    yield frame_header(width)
    yield from frame_lines(window.head, start=window.start, width=width)
    if window.left_out:
        yield Text(f"      … {window.left_out} frames not shown …", style="italic")
    yield from frame_lines(window.tail, start=window.start, width=width)


def window_text(facts: Sequence[Fact], window: FrameWindow, *, width: int = WIDTH) -> str:
    return _join([*facts_lines(facts, width=width), *window_lines(window, width=width)])


def facts_lines(facts: Sequence[Fact], *, width: int = WIDTH) -> Iterator[Text]:
    """A line a fact, its name in front."""
    label = max((len(fact.name) for fact in facts), default=0)
    for fact in facts:
        yield from _hanging(
            Text(f"{fact.name:<{label}} ", style="bold"), fact.value, width, style=_FACT_STYLE[fact.weight]
        )


def facts_text(facts: Sequence[Fact], *, width: int = WIDTH) -> str:
    return _join(facts_lines(facts, width=width))


def frame_detail_lines(decoded: DecodedFrame, *, width: int = WIDTH) -> Iterator[Text]:
    """One frame in full: every field of every layer, grouped by layer."""
    look = LOOKS[decoded.kind]
    head = Text(f"frame {decoded.number} ", style="bold")
    yield head.append(f"{look.glyph} {decoded.kind}", style=look.terminal)
    for group in frame_groups(decoded):
        yield from _group_lines(group, width)


def frame_detail_text(decoded: DecodedFrame, *, width: int = WIDTH) -> str:
    return _join(frame_detail_lines(decoded, width=width))


def _group_lines(group: Group, width: int) -> Iterator[Text]:
    yield Text(group.title, style="bold red underline" if group.fault else "bold underline")
    label = max(len(field.name) for field in group.fields)
    for field in group.fields:
        body = f"{field.value}   {field.meaning}" if field.meaning else field.value
        yield from _hanging(Text(f"  {field.name:<{label}}  ", style="cyan"), body, width)


def steps_lines(verdict: Verdict, *, width: int = WIDTH) -> Iterator[Text]:
    """The walk over one message: a mark, the step, what it found, and the two sides that were compared."""
    yield from _hanging(Text(), verdict_line(verdict), width, style="bold")
    name, value = about(verdict)
    yield from _hanging(Text(f"  {name} "), value, width)
    for row in step_rows(verdict.steps):
        head = Text(f"  {row.mark} ", style=_MARK_STYLE[row.mark]).append(f"{row.name:<15}", style="default")
        yield from _hanging(head, row.detail, width)
        yield from _side_lines(row, width)


def steps_text(verdict: Verdict, *, width: int = WIDTH) -> str:
    return _join(steps_lines(verdict, width=width))


def verdicts_lines(verdicts: Iterable[Verdict], *, width: int = WIDTH) -> Iterator[Text]:
    """A line a message or request, and the whole walk of each that does not hold."""
    for verdict in verdicts:
        if verdict.ok:
            yield _cut(Text(verdict_line(verdict)), width)
        else:
            yield from steps_lines(verdict, width=width)


def verdicts_text(verdicts: Iterable[Verdict], *, width: int = WIDTH) -> str:
    return _join(verdicts_lines(verdicts, width=width))


def _side_lines(row: StepRow, width: int) -> Iterator[Text]:
    """What was compared; of a step that fails, all of it unless that fills the screen, as a certificate does."""
    for name, side in row.sides:
        full = side.full or side.short
        shown = full if row.mark == "✗" and len(full) <= _MAX_SIDE else side.short
        yield from _hanging(Text(f"{'':19}{name:<9}"), shown, width, style="bright_black")


def _hanging(head: Text, body: str, width: int, *, style: str = "default") -> Iterator[Text]:
    """``body`` beside ``head``, going on below itself where it is too long for the line."""
    indent = " " * cell_len(head.plain)
    for number, part in enumerate(wrap_cells(body, max(20, width - len(indent)))):
        line = head.copy() if number == 0 else Text(indent)
        line.append(part, style=style)
        line.rstrip()
        yield line


def wrap_cells(text: str, width: int) -> list[str]:
    """``text`` in parts of at most ``width`` terminal cells, broken after words, else after hyphens."""
    parts: list[str] = []
    rest = text
    while cell_len(rest) > width:
        fits, cells = 0, cell_len(rest[0])
        while cells <= width:
            fits += 1
            cells += cell_len(rest[fits])
        gap = rest.rfind(" ", width // 3, fits + 1)
        hyphen = rest.rfind("-", width // 3, fits) + 1
        at = gap if gap > 0 else hyphen or max(1, fits)
        parts.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return [*parts, rest]


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    line.rstrip()
    return line


def _join(lines: Iterable[Text]) -> str:
    return "\n".join(line.plain for line in lines)
