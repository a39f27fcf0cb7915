"""Every notebook runs from top to bottom in a fresh kernel: as it is handed out, and with its solutions filled in."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from support.machine import ROOT
from support.unhurried_clock import IN_A_KERNEL

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_CELL_LINES = 15
CELL_TIMEOUT_S = 300  # ends what hangs
FENCED = re.compile(r"```python\n(.*?)```", re.DOTALL)


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]


def solved(notebook: NotebookNode) -> NotebookNode:
    """The notebook with each solution in the place of its exercise's dots."""
    for exercise, solution in zip(tagged(notebook, "exercise"), tagged(notebook, "solution"), strict=True):
        found = FENCED.search(solution.source)
        assert found is not None
        (dots,) = [line for line in exercise.source.splitlines() if line.endswith("= ...")]
        exercise.source = exercise.source.replace(dots, found[1].strip())
    return notebook


def run(notebook: NotebookNode) -> NotebookNode:
    notebook.cells.insert(0, nbformat.v4.new_code_cell(IN_A_KERNEL))
    NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        startup_timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(ROOT / "notebooks")}},
    ).execute()
    return notebook


@cache
def as_it_is(path: Path) -> NotebookNode:
    """It has run with every exercise still open."""
    return run(read(path))


def results(notebook: NotebookNode, tag: str) -> list[str]:
    """What the tagged cells show, as text."""
    shown = []
    for cell in tagged(notebook, tag):
        (output,) = [o for o in cell.outputs if o.output_type == "execute_result"]
        shown.append(output.data["text/plain"])
    return shown


@pytest.mark.notebook
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
class TestRuns:
    def test_as_it_is_with_every_exercise_still_open(self, path: Path) -> None:
        shown = results(as_it_is(path), "exercise")
        assert all(text.startswith("– put your answer") for text in shown)

    def test_with_its_solutions_every_check_is_content(self, path: Path) -> None:
        notebook = run(solved(read(path)))
        assert all(text.startswith("✓") for text in results(notebook, "exercise"))

    def test_draws_its_views(self, path: Path) -> None:
        outputs = [o for cell in as_it_is(path).cells for o in cell.get("outputs", ()) if "data" in o]
        assert any("icws-view" in o.data.get("text/html", "") for o in outputs)
        # Every picture has a twin for where it cannot be shown.
        assert all("text/plain" in o.data for o in outputs)


@pytest.mark.notebook
class TestClaims:
    def test_every_lie_of_notebook_07_ends_as_its_text_says(self) -> None:
        """Its sessions are made by the package's faults and scenarios, and its sentences are not made by them."""
        notebook = read(ROOT / "notebooks" / "07_a_gateway_that_lies.ipynb")
        asked = "import json; print(json.dumps({name: ending(recording) for name, recording in told.items()}))"
        notebook.cells.append(nbformat.v4.new_code_cell(asked))
        (output,) = run(notebook).cells[-1].outputs
        told = json.loads(output.text)
        unnoticed = {name for name, ending in told.items() if ending["code"] == 1000}
        assert unnoticed == {"all but the first", "sent twice", "foreign"}  # "In three of them the code is 1000"
        caught = {name: ending["failing_step"] for name, ending in told.items() if ending["failing_step"] != "-"}
        assert caught == {
            "altered": "body", "forged": "signature", "older proof": "certified_data", "dropped": "sequence",
            "repeated": "sequence", "swapped": "sequence", "no acks": "sequence", "310 s late": "time",
            "foreign": "client_key",
        }  # fmt: skip


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
class TestConventions:
    def test_begins_with_what_one_can_do_afterwards(self, path: Path) -> None:
        first, second, *_ = read(path).cells
        assert first.cell_type == "markdown"
        assert first.source.startswith("# ")
        verbs = re.search(r"\*\*After this you can\*\*\n\n((?:- .*\n)+)", first.source)
        assert verbs is not None
        assert 3 <= verbs[1].count("- ") <= 5
        assert all(word in first.source for word in ("*Before:*", "*Time:*"))
        assert "*Live:*" in first.source or "*Offline:*" in first.source
        assert second.cell_type == "code"
        assert "import icws_explore as icws" in second.source

    def test_all_imports_are_in_the_second_cell(self, path: Path) -> None:
        later = [cell.source for cell in read(path).cells[2:] if cell.cell_type == "code"]
        assert [source for source in later if re.search(r"^(import|from) ", source, re.MULTILINE)] == []

    def test_cells_are_short(self, path: Path) -> None:
        code = [cell.source for cell in read(path).cells if cell.cell_type == "code"]
        assert max(len(source.splitlines()) for source in code) <= MAX_CELL_LINES

    def test_every_exercise_has_its_solution_behind_it(self, path: Path) -> None:
        kinds = [tag for cell in read(path).cells for tag in cell.metadata.get("tags", ())]
        assert kinds == ["exercise", "solution"] * (len(kinds) // 2)

    def test_a_lesson_has_three_to_five_exercises(self, path: Path) -> None:
        assert path.name == "00_index.ipynb" or 3 <= len(tagged(read(path), "exercise")) <= 5

    def test_names_the_plain_kernel(self, path: Path) -> None:
        assert read(path).metadata.kernelspec.name == "python3"


class TestIndex:
    def test_lists_the_notebooks_that_exist_and_no_others(self) -> None:
        index = "\n".join(cell.source for cell in read(ROOT / "notebooks" / "00_index.ipynb").cells)
        listed = re.findall(r"^\| \d\d \| \[.*?\]\((.*?)\)", index, re.MULTILINE)
        assert listed == [path.name for path in NOTEBOOKS if path.name != "00_index.ipynb"]

    def test_links_between_notebooks_lead_somewhere(self) -> None:
        for path in NOTEBOOKS:
            for cell in read(path).cells:
                for target in re.findall(r"\]\((\w[\w.]*\.ipynb)\)", cell.source):
                    assert (path.parent / target).is_file()
