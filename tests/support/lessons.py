"""The notebooks of the course for tests: with their solutions filled in, and with a reader's minutes between cells."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from support.machine import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
READ_S = 180
# What a kernel runs once, and then after each cell: three minutes have passed on the machine's clock, as for a reader.
READER = """
import time
from icws_explore.live import clock

class reader:
    ahead_ns = 0
    time_ns = time.time_ns

    @classmethod
    def monotonic_ns(cls):
        return time.monotonic_ns() + cls.ahead_ns

clock.time = reader
"""
READ = f"reader.ahead_ns += {READ_S} * 10**9"
_FENCED = re.compile(r"```python\n(.*?)```", re.DOTALL)


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]


def solved(notebook: NotebookNode) -> NotebookNode:
    """The notebook with each solution in the place of its exercise's dots."""
    for exercise, solution in zip(tagged(notebook, "exercise"), tagged(notebook, "solution"), strict=True):
        found = _FENCED.search(solution.source)
        assert found is not None
        (dots,) = [line for line in exercise.source.splitlines() if line.endswith("= ...")]
        exercise.source = exercise.source.replace(dots, found[1].strip())
    return notebook
