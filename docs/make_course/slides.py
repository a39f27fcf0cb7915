"""Slides of a notebook: one HTML page, a slide for each section and each cell with its output.

A figure fills its slide, below at most a few lines of code. A result that is too high for a slide with a text has one
of its own, and a table is cut at `MAX_ROWS`; heights are estimated. A script gives each result the size for which its
slide has room; without it, a result is as large as on a page, and what is too high scrolls. The page needs no other
file. Slides snap to the window; Page Down, the space bar or a swipe moves on, and printing makes a sheet of each slide.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

from nbformat import NotebookNode

from .fragments import CODE_STYLE, code, has_figure, height_of, is_trust, markdown, outputs, title_of, without_links

MAX_CHARACTERS: Final = 900  # of text on a slide
SHORT: Final = 450  # so much text has its cell below it, unless it asks for a prediction
MAX_LINES_WITH_FIGURE: Final = 3  # of code above a figure, or above a long table
LONG_TABLE: Final = 12  # rows
MAX_ROWS: Final = 24  # of a table on a slide
ROOM: Final = 600.0  # pixels of a slide of 1280 x 720 below its margin
HEADING: Final = 48.0  # pixels
SMALLEST: Final = 0.85  # times the size on a page, of a result below a text
STYLE: Final = (Path(__file__).parent / "slides.css").read_text(encoding="utf-8")
FIT: Final = (Path(__file__).parent / "slides.js").read_text(encoding="utf-8")


@dataclass(slots=True)
class Slide:
    """A slide while it is filled. ``used`` is its height so far, in pixels."""

    html: str
    used: float = HEADING
    takes_cell: bool = False  # the next cell may stand below
    asks: bool = False  # for a prediction, so the cell may not show its result
    ends_with_result: bool = False

    def add(self, part: str, height: float) -> None:
        self.html += part
        self.used += height
        self.takes_cell = self.ends_with_result = False


def slides_of(notebook: NotebookNode) -> list[str]:
    """The slides, each as HTML. Solutions are not in a student's copy, and so not here."""
    slides: list[Slide] = []
    heading = title_of(notebook)
    cells = [cell for cell in notebook.cells if not _is_for_who_works(cell)]
    for cell, follows in zip(cells, [*cells[1:], None], strict=True):
        if cell.cell_type == "markdown":
            sections = list(_sections(without_links(cell.source)))
            for number, text in enumerate(sections, start=1):
                found = re.match(r"#+ (.+)", text)
                heading = found[1] if found else heading
                height = _text_height(text)
                leads = number == len(sections) and follows is not None and follows.cell_type == "code"
                is_answer = not (found or leads or re.search(r"Exercise|Predict|:$", text))
                if is_answer and slides[-1].ends_with_result and slides[-1].used + height <= ROOM:
                    slides[-1].add(markdown(text), height)
                    continue
                shown = markdown(text if found else f"### {heading}\n\n{text}")
                slides.append(Slide(shown, HEADING + height, len(text) <= SHORT, "Predict" in text))
        elif cell.cell_type == "code" and cell.source.strip():
            _add_cell(slides, cell, markdown(f"### {heading}"))
    return [slide.html for slide in slides]


def _is_for_who_works(cell: NotebookNode) -> bool:
    """Whether a cell is only for who works in the notebook."""
    return cell.source == "score" or cell.source.startswith("**Go on:**") or _only_tidies(cell)


def _add_cell(slides: list[Slide], cell: NotebookNode, heading: str) -> None:
    """Add a cell: its code with its outputs, and these on a slide of their own if there is no room for both."""
    is_exercise = "exercise" in cell.metadata.get("tags", ())
    lines = cell.source.splitlines()
    code_height = 40 + 25 * sum(ceil(len(line) / 100) or 1 for line in lines)
    results = [] if is_exercise else cell.outputs
    is_figure = bool(results) and (has_figure(cell) or any(map(is_trust, results)))
    height = ROOM if is_figure else sum(map(_height, results)) * SMALLEST
    is_apart = len(lines) > MAX_LINES_WITH_FIGURE and bool(results) and (is_figure or height_of(cell) > LONG_TABLE)
    fits_below = bool(slides) and slides[-1].used + code_height + height <= ROOM
    fits_alone = HEADING + code_height + height <= ROOM
    # An exercise stands below its question, and so does what prepares it; a result that is predicted does not.
    takes = bool(slides) and slides[-1].takes_cell and not ((slides[-1].asks and results) or has_figure(cell))
    is_below = bool(slides) and (is_exercise or (takes and (fits_below or is_apart or is_figure or not fits_alone)))
    if not is_below:
        slides.append(Slide(heading))
    slides[-1].add(code(cell.source), code_height)
    if results:
        if is_apart or (is_below and not is_figure and not fits_below):
            slides.append(Slide(heading))
        shown = "".join(_at_most(part, MAX_ROWS) for part in outputs(cell, "slide"))
        slides[-1].add(f'<div class="results">{shown}</div>', height)
        slides[-1].ends_with_result = True
    else:
        slides[-1].takes_cell = is_below and not is_exercise


def _text_height(text: str) -> float:
    return sum(16 + 32 * ceil(len(block) / 95) for block in re.split(r"\n+", text) if block)


def _height(output: NotebookNode) -> float:
    """About how many pixels an output needs if it is as large as on a page."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    lines = sum(ceil(len(line) / 130) or 1 for line in data["text/plain"].rstrip().splitlines())
    if "text/html" not in data:
        return 30 + 20 * lines
    return 30 + min(lines, MAX_ROWS) * (27 if "dataframe" in data["text/html"] else 25)


def _at_most(shown: str, rows: int) -> str:
    """A result whose only table is cut after so many rows, and says so."""
    parts = re.split(r"(?=<tr\b)", shown)
    left_out = len(parts) - 2 - rows
    if shown.count("<table") != 1 or left_out <= 0:
        return shown
    return f"{''.join(parts[: rows + 2])}{parts[-1].partition('</tr>')[2]}<p>… and {left_out} more rows</p>"


def _only_tidies(cell: NotebookNode) -> bool:
    """Whether a cell shows nothing, and only stops or closes what others have started."""
    lines = cell.source.splitlines()
    tidies = bool(lines) and all(re.fullmatch(r"(await )?\w+\.(stop|close|cleanup)\(\)", line) for line in lines)
    return cell.cell_type == "code" and not cell.outputs and tidies


def _sections(source: str) -> Iterator[str]:
    """A text cut at its headings, and at paragraphs where a section is too long for a slide."""
    for section in re.split(r"\n(?=#{1,3} )", source):
        part = ""
        for block in re.split(r"\n\n+", section.strip()):
            is_short = len(part) < MAX_CHARACTERS / 5  # a heading, or the sentence before a list
            if part and len(part) + len(block) > MAX_CHARACTERS and not is_short:
                before, _, last = part.rpartition("\n\n")
                leads = bool(before) and last.endswith(":")  # to what follows, so it stands with that
                yield before if leads else part
                part = last if leads else ""
            part = f"{part}\n\n{block}" if part else block
        if part:
            yield part


def slides_page(notebook: NotebookNode) -> str:
    slides = slides_of(notebook)
    sections = "\n".join(
        f'<section id="{number}"><div class="slide">{slide}</div>'
        f"<footer>{html.escape(title_of(notebook))}<span>{number} / {len(slides)}</span></footer></section>"
        for number, slide in enumerate(slides, start=1)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light">'
        f"<title>{html.escape(title_of(notebook))}</title><style>{STYLE}\n{CODE_STYLE}</style></head>"
        f'<body data-jp-theme-light="true">\n{sections}\n<script>{FIT}</script></body></html>\n'
    )
