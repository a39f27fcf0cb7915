"""Slides of a notebook: one HTML page, a slide for each section and each cell with its output.

A figure fills its slide, below at most a few lines of code.
The page needs no script and no other file. Slides snap to the window; Page Down, the space bar or a swipe moves on,
and printing makes a sheet of each slide.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nbformat import NotebookNode

from .fragments import CODE_STYLE, code, has_figure, height_of, is_trust, markdown, outputs, title_of, without_links

MAX_CHARACTERS: Final = 900  # of text on a slide
SHORT: Final = 450  # so much text has its cell below it, unless it asks for a prediction
MAX_LINES_WITH_FIGURE: Final = 3  # of code above a figure, or above a long table
LONG_TABLE: Final = 12  # rows
STYLE: Final = (Path(__file__).parent / "slides.css").read_text(encoding="utf-8")


def slides_of(notebook: NotebookNode) -> list[str]:
    """The slides, each as HTML. Solutions are not in a student's copy, and so not here."""
    slides: list[str] = []
    heading, has_room, asks = title_of(notebook), False, False
    for cell in notebook.cells:
        if cell.source == "score" or cell.source.startswith("**Go on:**") or _only_tidies(cell):
            continue  # for who works in the notebook
        if cell.cell_type == "markdown":
            for text in _sections(without_links(cell.source)):
                found = re.match(r"#+ (.+)", text)
                heading = found[1] if found else heading
                slides.append(markdown(text if found else f"### {heading}\n\n{text}"))
                has_room, asks = len(text) <= SHORT, "Predict" in text
        elif cell.cell_type == "code" and cell.source.strip():
            is_exercise = "exercise" in cell.metadata.get("tags", ())
            # An exercise stands below its question, and so does what prepares it; a result that is predicted does not.
            below = bool(slides) and (is_exercise or (has_room and not ((asks and cell.outputs) or has_figure(cell))))
            first, *others = _cell_slides(cell, is_exercise=is_exercise)
            if below:
                slides[-1] += first
            else:
                slides.append(f"{markdown(f'### {heading}')}{first}")
            slides += [f"{markdown(f'### {heading}')}{other}" for other in others]
            has_room = below and not is_exercise and not cell.outputs
    return slides


def _cell_slides(cell: NotebookNode, *, is_exercise: bool) -> Iterator[str]:
    """A cell as parts of slides: its code with its outputs, and a figure or a long table apart if the code is long."""
    shown = code(cell.source)
    if is_exercise:
        yield shown
    elif len(cell.source.splitlines()) > MAX_LINES_WITH_FIGURE and _needs_room(cell):
        yield shown
        yield "".join(outputs(cell, "slide"))
    else:
        yield shown + "".join(outputs(cell, "slide"))


def _needs_room(cell: NotebookNode) -> bool:
    return has_figure(cell) or any(map(is_trust, cell.outputs)) or height_of(cell) > LONG_TABLE


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
        f'<body data-jp-theme-light="true">\n{sections}\n</body></html>\n'
    )
