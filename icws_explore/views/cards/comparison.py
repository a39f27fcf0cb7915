"""Two recordings side by side: what differs, and the events around each difference in two columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from icws_explore.analysis.compare import Comparison, Difference, Row
from icws_explore.analysis.compare.events import Event
from icws_explore.analysis.decode import Kind

from ..facts import Fact
from ..formatting import count, one_line, seconds
from ..html import TEXT_WIDTH, View, render, view_of
from ..kinds import ARROWS, LOOKS
from ..rows import Part, excerpt
from ..text import cut, facts_lines, hanging_lines, plain

MAX_ROWS: Final = 60  # events in a notebook and on a terminal, unless all are asked for
_MAX_LISTED: Final = 5  # differences of a subject
FIRST_MARK: Final = "▶"
MARK: Final = "≠"
_LACKING: Final = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """An event of one side as the template takes it. ``elapsed`` is in seconds since the session's first frame."""

    number: int
    elapsed: str
    arrow: str
    kind: Kind
    glyph: str
    summary: str


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """A row of both sides; None where a side has no counterpart. ``mark`` tells the first difference and others."""

    one: Cell | None
    other: Cell | None
    mark: str
    said: tuple[str, ...]


def comparison_view(comparison: Comparison, *, limit: int | None = MAX_ROWS) -> View:
    """A comparison in a notebook. Of more than ``limit`` events (None: no limit) those around differences are shown."""
    parts = _parts(comparison, limit)
    body = render(
        "comparison.html.j2",
        head_facts=comparison_facts(comparison),
        same=comparison.is_same,
        names=[one_line(name) for name in comparison.names],
        parts=parts,
        subjects=_subjects(comparison, parts),
        not_compared=[one_line(line) for line in comparison.not_compared],
        conclusion=one_line(comparison.conclusion),
        first_mark=FIRST_MARK,
    )
    return view_of(body, plain(comparison_lines(comparison, limit=limit)), "cards.css")


def comparison_facts(comparison: Comparison) -> list[Fact]:
    """Both recordings, and the first difference."""
    facts = [
        Fact(one_line(name), one_line(about)) for name, about in zip(comparison.names, comparison.about, strict=True)
    ]
    if comparison.first is not None:
        facts.append(Fact("first difference", one_line(f"{comparison.first}{_places(comparison)}"), "bad"))
    return facts


def _places(comparison: Comparison) -> str:
    """The frames of the first difference in both recordings."""
    first = comparison.first
    assert first is not None
    row = None if comparison.first_row is None else comparison.rows[comparison.first_row]
    frames = (first.frames[:1] or _one(row)), (first.other_frames[:1] or _other(row))
    said = [f"frame {numbers[0]} of {name}" for numbers, name in zip(frames, comparison.names, strict=True) if numbers]
    return f" ({', '.join(said)})" if said else ""


def _one(row: Row | None) -> tuple[int, ...]:
    return () if row is None or row.frame is None else (row.frame,)


def _other(row: Row | None) -> tuple[int, ...]:
    return () if row is None or row.other_frame is None else (row.other_frame,)


def comparison_lines(
    comparison: Comparison, *, limit: int | None = MAX_ROWS, width: int = TEXT_WIDTH
) -> Iterator[Text]:
    """A comparison as lines: the first difference, both recordings in two columns, then the differences not there."""
    yield from facts_lines(comparison_facts(comparison), width=width)
    half = (width - 5) // 2
    heads = [_column(Text(one_line(name), style="bold"), half) for name in comparison.names]
    parts = _parts(comparison, limit)
    if not comparison.is_same:
        yield Text("")
        yield _joined("  ", heads, width)
        for part in parts:
            if part.left_out:
                yield Text(f"      … {count(part.left_out, 'event')} not shown …", style="italic")
            for row in part.items:
                yield from _row_lines(row, half, width)
        yield Text("")
    for subject, differences, more in _subjects(comparison, parts):
        for text in differences:
            yield from hanging_lines(Text(f"{subject:<9} ", style="bold"), text, width)
        if more:
            yield Text(f"{'':<10}and {more} more", style="italic")
    for line in comparison.not_compared:
        yield from hanging_lines(Text("? ", style="yellow"), one_line(line), width, style="yellow")
    yield Text(one_line(comparison.conclusion), style="green" if comparison.is_same else "bold red")


def _row_lines(row: ComparedRow, half: int, width: int) -> Iterator[Text]:
    style = "bold red" if row.mark == FIRST_MARK else "red" if row.mark else ""
    cells = [_column(_cell_text(cell), half) for cell in (row.one, row.other)]
    line = _joined(f"{row.mark or ' '} ", cells, width)
    line.stylize(style, 0, 1)
    yield line
    for text in row.said:
        yield from hanging_lines(Text(f"    {MARK} ", style=style), text, width, style=style or "default")


def _cell_text(cell: Cell | None) -> Text:
    if cell is None:
        return Text(f"{_LACKING:>5}", style="bright_black")
    line = Text(f"{cell.number:>5} {cell.elapsed:>8} {cell.arrow} ")
    return line.append(f"{cell.glyph} {cell.kind}", style=LOOKS[cell.kind].terminal).append(f" {cell.summary}")


def _column(text: Text, width: int) -> Text:
    line = cut(text.copy(), width)
    line.append(" " * (width - cell_len(line.plain)))
    return line


def _joined(mark: str, columns: Sequence[Text], width: int) -> Text:
    return cut(Text(mark).append_text(Text(" │ ").join(columns)), width)


def _parts(comparison: Comparison, limit: int | None) -> list[Part[ComparedRow]]:
    """The rows that are shown: around the first difference, around the others, and from both ends."""
    rows = comparison.rows
    first = comparison.first_row
    told: set[Difference] = set()
    said: dict[int, tuple[str, ...]] = {}
    for at, row in enumerate(rows):
        new = [each for each in row.differences if each not in told]
        told.update(new)
        said[at] = tuple(one_line(str(each)) for each in new)
    evidence = [at for at in (first, *(at for at, texts in said.items() if texts)) if at is not None]
    shown = excerpt(len(rows), evidence, limit=len(rows) if limit is None else limit)
    return [part.map(lambda at: _row(rows[at], said[at], is_first=at == first)) for part in shown]


def _row(row: Row, said: Sequence[str], *, is_first: bool) -> ComparedRow:
    mark = FIRST_MARK if is_first else MARK if row.differences else ""
    return ComparedRow(_cell(row.pair.one), _cell(row.pair.other), mark, tuple(said))


def _cell(event: Event | None) -> Cell | None:
    if event is None:
        return None
    decoded = event.decoded
    return Cell(
        event.frame,
        seconds(event.at_s),
        ARROWS[event.direction],
        decoded.kind,
        LOOKS[decoded.kind].glyph,
        one_line(decoded.summary),
    )


def _subjects(comparison: Comparison, parts: Sequence[Part[ComparedRow]]) -> list[tuple[str, list[str], int]]:
    """By subject, the first differences that no shown row tells, and how many more there are."""
    told = {text for part in parts for row in part.items for text in row.said}
    found = []
    for subject, differences in comparison.by_subject().items():
        texts = [one_line(each.text) for each in differences if one_line(str(each)) not in told]
        if texts:
            found.append((str(subject), texts[:_MAX_LISTED], max(0, len(texts) - _MAX_LISTED)))
    return found
