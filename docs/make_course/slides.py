"""Slides of a notebook: one HTML page, a slide for each section and each cell with its output.

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

from .fragments import CODE_STYLE, code, markdown, outputs, title_of

MAX_CHARACTERS: Final = 750  # of text on a slide
SHORT: Final = 350  # so much text has its cell below it, unless it asks for a prediction
STYLE: Final = (Path(__file__).parent / "slides.css").read_text(encoding="utf-8")


def slides_of(notebook: NotebookNode) -> list[str]:
    """The slides, each as HTML. Solutions are not in a student's copy, and so not here."""
    slides: list[str] = []
    heading, has_room = title_of(notebook), False
    for cell in notebook.cells:
        if cell.source == "score" or cell.source.startswith("**Go on:**"):
            continue  # for who works in the notebook
        if cell.cell_type == "markdown":
            for text in _sections(cell.source):
                found = re.match(r"#+ (.+)", text)
                heading = found[1] if found else heading
                slides.append(markdown(text if found else f"### {heading}\n\n{text}", links=False))
                has_room = len(text) <= SHORT and "Predict" not in text
        elif cell.cell_type == "code" and cell.source.strip():
            if "exercise" in cell.metadata.get("tags", ()) and slides:
                slides[-1] += code(cell.source)  # below its question
            elif has_room and slides:
                slides[-1] += code(cell.source) + "".join(outputs(cell))
            else:
                slides.append(f"{markdown(f'### {heading}')}{code(cell.source)}{''.join(outputs(cell))}")
            has_room = False
    return slides


def _sections(source: str) -> Iterator[str]:
    """A text cut at its headings, and at paragraphs where a section is too long for a slide."""
    for section in re.split(r"\n(?=#{1,3} )", source):
        part = ""
        for block in re.split(r"\n\n+", section.strip()):
            if part and len(part) + len(block) > MAX_CHARACTERS and not re.fullmatch(r"#+ .+", part):
                yield part
                part = ""
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
