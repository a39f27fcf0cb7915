"""Every notebook in a real JupyterLab as a reader works through it, for `make readings`.

Cell by cell, with three minutes between the cells: once as it is handed out, on a projector in the light theme, and
once with its solutions, on a desk's screen in the dark theme. When it has run, it is looked at in all four ways.
The minutes are the kernel's clock put ahead, so nobody waits for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import nbformat
import pytest
from nbformat import NotebookNode
from playwright.sync_api import Page

from support.jupyter_lab import JupyterLab
from support.lessons import NOTEBOOKS, READ, READER, read, solved
from support.notebook_page import (
    SIZES,
    execute_code,
    failures,
    open_notebook,
    run_slowly,
    set_theme,
    shot,
    watch_faults,
)
from support.page_looks import cut_off, faint
from support.unhurried_clock import IN_A_KERNEL

Theme = Literal["Light", "Dark"]
THEMES: tuple[Theme, ...] = ("Light", "Dark")
UNSOLVED, SOLVED = "as handed out", "with solutions"
# What the check of an exercise says first.
VERDICT = {UNSOLVED: "– replace the three dots with your answer", SOLVED: "✓"}


def prepare(lab: JupyterLab, path: Path, copy: str) -> str:
    """Put the notebook, or its solved copy, into the lab's folder. Returns the file's name."""
    notebook = read(path)
    name = f"reading_{path.name}"
    nbformat.write(solved(notebook) if copy == SOLVED else notebook, lab.folder / "notebooks" / name)
    return name


def verdicts(notebook: NotebookNode) -> list[str]:
    """What the checks of its exercises say."""
    asked = [cell for cell in notebook["cells"] if "exercise" in cell["metadata"].get("tags", ())]
    return ["".join(cell["outputs"][-1]["data"]["text/plain"]) for cell in asked]


def resize(page: Page, size: str) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})


@pytest.mark.browser
@pytest.mark.reading
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    ("copy", "first_size", "first_theme"),
    [(UNSOLVED, "projector", "Light"), (SOLVED, "desk", "Dark")],
    ids=["as-handed-out", "with-solutions"],
)
def test_a_reader_works_through_it(
    page: Page, lab: JupyterLab, path: Path, copy: str, first_size: str, first_theme: Theme
) -> None:
    faults = watch_faults(page)
    resize(page, first_size)
    open_notebook(page, lab, prepare(lab, path, copy))
    set_theme(page, first_theme)
    assert execute_code(page, IN_A_KERNEL + READER) == ""
    notebook = run_slowly(page, READ)
    assert failures(notebook) == []
    assert all(said.startswith(VERDICT[copy]) for said in verdicts(notebook))
    for theme in THEMES if first_theme == "Light" else THEMES[::-1]:
        set_theme(page, theme)
        for size in SIZES if first_size == "projector" else reversed(SIZES):
            resize(page, size)
            shot(page, f"{path.stem}-{copy.replace(' ', '-')}-{size}-{theme.lower()}")
            assert cut_off(page) == [], f"{size}, {theme}"
            assert faint(page) == [], f"{size}, {theme}"
    assert faults == []
