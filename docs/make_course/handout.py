"""The hand-out: all notebooks with their outputs as one page, and as a PDF that Chromium prints from it."""

from __future__ import annotations

import html
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from nbformat import NotebookNode

from .fragments import CODE_STYLE, code, markdown, outputs, title_of

STYLE: Final = (Path(__file__).parent / "handout.css").read_text(encoding="utf-8")
_FOOT: Final = (
    '<div style="font: 8px sans-serif; width: 100%; margin: 0 15mm; display: flex; justify-content: space-between">'
    '<span>Explore IC WebSocket</span><span><span class="pageNumber"></span> / <span class="totalPages"></span></span>'
    "</div>"
)


def handout_page(notebooks: Mapping[str, NotebookNode]) -> str:
    """All notebooks as one page, each from a new sheet."""
    listed = "".join(
        f'<li><a href="#{_anchor(name)}">{html.escape(title_of(nb))}</a></li>' for name, nb in notebooks.items()
    )
    lessons = "\n".join(
        f'<article id="{_anchor(name)}">{"".join(_cells(notebook))}</article>' for name, notebook in notebooks.items()
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Explore IC WebSocket: hand-out</title><style>{STYLE}\n{CODE_STYLE}</style></head>"
        f'<body data-jp-theme-light="true"><header><h1>Explore IC WebSocket</h1><p>Hand-out of the course</p>'
        f"<ol>{listed}</ol></header>\n{lessons}\n</body></html>\n"
    )


def _anchor(name: str) -> str:
    return name.removesuffix(".ipynb")


def _cells(notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield markdown(cell.source, links=False)
        elif cell.cell_type == "code" and cell.source.strip() and cell.source != "score":
            if "exercise" in cell.metadata.get("tags", ()):
                yield f'<div class="exercise">{code(cell.source)}<p class="answer">Your answer:</p></div>'
            else:
                yield code(cell.source)
                yield from outputs(cell, "page")


def chromium() -> str | None:
    """The browser that prints: $CHROMIUM, or the first on the PATH."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next((path for name in names if (path := shutil.which(name))), None)


def print_pdf(page: Path, target: Path, browser_path: str) -> None:
    """Print ``page`` on A4."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-proxy-server"], chromium_sandbox=False
        )
        opened = browser.new_page()
        opened.goto(page.resolve().as_uri())
        opened.pdf(
            path=target, format="A4", print_background=True, display_header_footer=True, footer_template=_FOOT,
            header_template="<span></span>", margin={"top": "14mm", "bottom": "16mm", "left": "14mm", "right": "14mm"},
        )  # fmt: skip
        browser.close()
