"""Runs the students' copies of the notebooks once; site, slides and hand-out show these outputs.

A notebook that fails, or that writes to the standard error, fails the build. Outputs keep what a page without a
kernel can show: of a widget that is its static twin. Each figure is drawn for a slide and for a printed page, too.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

from icws_explore.notebook.course import student_copy, write_course
from icws_explore.views.figures.figure import Size

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = ROOT / "docs" / "course"  # made anew by every build, and not in the repository
AT_ONCE: Final = 2
CELL_TIMEOUT_S: Final = 300
LIVE_ONLY: Final = ("application/vnd.jupyter.widget-view+json", "application/javascript")
DRAWN_FOR: Final[dict[Size, str]] = {size: f"application/vnd.icws.{size}+html" for size in ("slide", "page")}
ON_THE_SITE: Final = "*Results of one run. In JupyterLab you can click on them, and the exercises are checked.*"
# What a kernel runs first: a figure of a cell has a form for each of these sizes beside its own.
DRAW_FOR_ALL: Final = f"""
from icws_explore.views.figures.figure import SessionFigure
SessionFigure._repr_mimebundle_ = lambda figure, include=None, exclude=None: {{
    mime: figure.at(size)._repr_html_() for size, mime in {DRAWN_FOR!r}.items() if figure.draw_on is not None
}}
"""


class CourseError(Exception):
    """The course cannot be made; the message says which notebook and why."""


def executed(folder: Path) -> dict[str, NotebookNode]:
    """The students' copies by file name, with their outputs. They run in ``folder``, which holds the course."""
    paths = sorted((folder / "notebooks").glob("*.ipynb"))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip([path.name for path in paths], pool.map(_execute, paths), strict=True))


def _execute(path: Path) -> NotebookNode:
    notebook = nbformat.reads(json.dumps(student_copy(json.loads(path.read_text(encoding="utf-8")))), as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(DRAW_FOR_ALL))
    # Every kernel has sockets of its own: at the same address, two that start together wait for each other.
    sockets = Config(KernelManager={"transport": "ipc", "ip": str(path.with_suffix(".ipc"))})
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(
        notebook, timeout=CELL_TIMEOUT_S, startup_timeout=CELL_TIMEOUT_S, kernel_name="python3", resources=resources,
        config=sockets,
    ).execute()  # fmt: skip
    del notebook.cells[0]
    complaints = list(warnings_of(notebook))
    if complaints:
        raise CourseError(f"{path.name}: " + "; ".join(complaints))
    make_static(notebook)
    return notebook


def warnings_of(notebook: NotebookNode) -> Iterator[str]:
    """What the cells wrote to the standard error, and outputs that nothing but a running kernel can show."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", ()):
            if output.output_type == "stream" and output.name == "stderr":
                yield f"cell {number} warns: {output.text.strip()[:300]}"
            data = set(output.get("data", ()))
            if data & set(LIVE_ONLY) and not data - {*LIVE_ONLY, "text/plain"}:
                yield f"cell {number} shows a widget without a static twin"


def make_static(notebook: NotebookNode) -> None:
    """Leave out what needs a kernel."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            for mime in LIVE_ONLY:
                output.get("data", {}).pop(mime, None)


def for_site(notebook: NotebookNode) -> NotebookNode:
    """The notebook as a page of the site, on which links into docs/ are links between pages.

    What a cell shows right after an exercise is folded, because it tells the answer.
    """
    page = nbformat.reads(nbformat.writes(notebook), as_version=4)
    page.cells[0].source += f"\n\n{ON_THE_SITE}"
    after_exercise = False
    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\]\(\.\./docs/", "](../", cell.source)
            after_exercise = False
        elif after_exercise and cell.outputs:
            cell.metadata.tags = [*cell.metadata.get("tags", ()), "hide-output"]
        after_exercise = after_exercise or "exercise" in cell.metadata.get("tags", ())
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            forms = {size: data.pop(mime, None) for size, mime in DRAWN_FOR.items()}
            if forms["page"] is not None:  # about as wide as a page of the site
                data["text/html"] = forms["page"]
    return page


def write_pages(notebooks: dict[str, NotebookNode], folder: Path = PAGES) -> None:
    """Write the pages of the site into ``folder``, and remove earlier ones."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.ipynb"):
        old.unlink()
    for name, notebook in notebooks.items():
        nbformat.write(for_site(notebook), folder / name)


def execute_course() -> dict[str, NotebookNode]:
    """Run all notebooks in a folder of their own."""
    with TemporaryDirectory(prefix="icws-course-") as folder:
        (Path(folder) / "docs").mkdir()  # so that links to docs/ are kept
        write_course(folder)
        return executed(Path(folder))


if __name__ == "__main__":
    try:
        write_pages(execute_course())
    except CourseError as error:
        sys.exit(str(error))
