"""``course``: a table of the notebooks, from the first cell of each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

NOTEBOOKS: Final = Path(__file__).parents[2] / "notebooks"


@dataclass(frozen=True, slots=True)
class Lesson:
    file: str
    title: str
    about: str
    minutes: int


def lessons() -> Iterator[Lesson]:
    """Every notebook but the index, in order. Raises ValueError for one whose first cell lacks a part."""
    for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")):
        if path.name.startswith("00"):
            continue
        head = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
        found = re.match(
            r"# (?:\d+ · )?(?P<title>.+)\n\n(?P<about>.+)\n[\s\S]*\*Time:\* (?P<minutes>\d+) minutes", head
        )
        if found is None:
            raise ValueError(f"{path.name}: the first cell has no title, description and time")
        yield Lesson(path.name, found["title"], found["about"], int(found["minutes"]))


class Course(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        try:
            rows = [f"| {lesson.title} | {lesson.about} | {lesson.minutes} min |" for lesson in lessons()]
        except ValueError as error:
            raise self.error(str(error)) from error
        return self.parse_text_to_nodes("\n".join(["| notebook | about | time |", "|---|---|---|", *rows]))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("course", Course)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
