"""`make course`: everything that a teacher hands out, into out/course, offline and from the same sources.

    site/        the documentation with the notebooks and their outputs, and the page of every byte
    students/    the notebooks without solutions, with the recordings that they read
    teachers/    the same with solutions
    slides/      a page of slides for each notebook, with its figures drawn for slides
    handout.pdf  all notebooks with their outputs, with the figures drawn for its width
    figures/     every figure as SVG and PNG, for a slide, a page and a column, with caption and code
    recordings/  sessions, a HAR, packets, and one recording of each fault

Whatever warns or leads nowhere fails the build. The PDF needs Chromium; without it the hand-out is a page only, and
the build says so (with CI=true it fails).
"""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from docs._ext.course import lessons
from docs._ext.site_checks import faults
from icws_explore.notebook.course import write_course

from .execute import ROOT, CourseError, execute_course, write_pages
from .figures import draw_gallery
from .handout import STYLE, chromium, handout_page, print_pdf
from .recordings import write_recordings
from .slides import slides_page

SPHINX: Final = ("--fresh-env", "--write-all", "--nitpicky", "--fail-on-warning", "--keep-going", "--quiet")


def make_course(out: Path) -> None:
    """Make everything anew. Raises CourseError if a part cannot be made or is not right."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for folder, solutions in (("students", False), ("teachers", True)):
        write_course(out / folder, solutions=solutions)
    with timed("notebooks"):
        notebooks = execute_course()
        write_pages(notebooks)
    with ThreadPoolExecutor(1) as pool:
        site = pool.submit(build_site, out / "site")
        with timed("slides and hand-out"):
            (out / "slides").mkdir()
            for name, notebook in notebooks.items():
                (out / "slides" / name).with_suffix(".html").write_text(slides_page(notebook), encoding="utf-8")
            (out / "handout.html").write_text(handout_page(notebooks), encoding="utf-8")
            has_pdf = make_pdf(out)
        with timed("figures"):
            draw_gallery(out / "figures")
        with timed("recordings"):
            write_recordings(out / "recordings")
        site.result()
    (out / "index.html").write_text(index_page(list(notebooks), has_pdf=has_pdf), encoding="utf-8")
    wrong = list(faults(out.resolve()))
    if wrong:
        raise CourseError("the course is not right:\n  " + "\n  ".join(wrong))


def build_site(folder: Path) -> None:
    """Build the site with the pages of the notebooks. Raises CourseError for any warning."""
    with timed("site"):
        command = [sys.executable, "-m", "sphinx", *SPHINX, "docs", str(folder.resolve())]
        done = subprocess.run(command, cwd=ROOT, check=False, text=True, capture_output=True)  # noqa: S603  # our own
        if done.returncode:
            raise CourseError(f"the site cannot be built:\n{done.stdout}{done.stderr}")
        shutil.rmtree(folder.parent / "jupyter_execute", ignore_errors=True)  # where MyST-NB worked


def make_pdf(out: Path) -> bool:
    """Print the hand-out. False if there is no browser, which the build then says."""
    browser_path = chromium()
    if browser_path is None:
        message = "no Chromium on the PATH (CHROMIUM names one): the hand-out is handout.html, not printed as PDF"
        if os.environ.get("CI", "").lower() == "true":
            raise CourseError(message)
        click.echo(message, err=True)
        return False
    print_pdf(out / "handout.html", out / "handout.pdf", browser_path)
    return True


def index_page(names: list[str], *, has_pdf: bool) -> str:
    """What is in the folder, and the notebooks with their page, slides and copies."""
    titles = {lesson.file: (f"{lesson.file[:2]} · {lesson.title}", f"{lesson.minutes} min") for lesson in lessons()}
    rows = ""
    for name in names:
        title, minutes = titles.get(name, ("00 · Index", ""))
        stem = name.removesuffix(".ipynb")
        rows += (
            f'<tr><td><a href="site/course/{stem}.html">{html.escape(title)}</a></td><td>{minutes}</td>'
            f'<td><a href="slides/{stem}.html">slides</a></td><td><a href="students/notebooks/{name}">students</a></td>'
            f'<td><a href="teachers/notebooks/{name}">teachers</a></td></tr>'
        )
    handout = "handout.pdf" if has_pdf else "handout.html"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Explore IC WebSocket: the course</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
        "<h1>Explore IC WebSocket</h1><p>The course. Everything here works without a network. "
        "The notebooks need icws_explore and JupyterLab; all else needs a browser.</p>"
        '<ul><li><a href="site/index.html">Site</a>: documentation, notebooks with their outputs, reference</li>'
        '<li><a href="site/how-to/teachers_guide.html">Teacher\'s guide</a>: timing, what goes wrong, questions</li>'
        '<li><a href="site/every-byte.html">Every byte of a session</a></li>'
        f'<li><a href="{handout}">Hand-out</a>: all notebooks with their outputs</li>'
        '<li><a href="figures/index.html">Figures</a> as SVG and PNG, and for a slide, a page and a column</li>'
        '<li><a href="recordings/index.html">Recordings</a>: sessions, HAR, packets, one of each fault</li></ul>'
        "<table><tr><th>notebook</th><th>time</th><th></th><th>without solutions</th><th>with solutions</th></tr>"
        f"{rows}</table>"
        "</body></html>\n"
    )


@contextmanager
def timed(what: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    click.echo(f"{what}: {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "out/course")
    try:
        make_course(target)
    except (CourseError, ValueError) as error:
        sys.exit(f"course: {error}")
    click.echo(f"built {target / 'index.html'}")
