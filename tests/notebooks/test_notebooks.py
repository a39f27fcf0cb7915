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

from icws_explore.notebook.exercises.hints import HINTS
from support.lessons import NOTEBOOKS, READ, READER, read, solved, tagged
from support.machine import ROOT
from support.unhurried_clock import IN_A_KERNEL

LESSONS = [path for path in NOTEBOOKS if path.name[:2] not in {"00", "90"}]
OFFLINE = [path for path in LESSONS if path.name[:2] in {"02", "03", "04", "05", "06", "08"}]
MAX_CELL_LINES = 15
CELL_TIMEOUT_S = 300  # ends what hangs
LINK = re.compile(r"\]\(\.\./docs/([\w/-]+\.md)(?:#([\w-]+))?\)")


def run(notebook: NotebookNode) -> NotebookNode:
    """Execute every cell, with labs that are not late on a busy machine."""
    notebook.cells.insert(0, nbformat.v4.new_code_cell(IN_A_KERNEL))
    return execute(notebook)


def execute(notebook: NotebookNode) -> NotebookNode:
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


@cache
def with_solutions(path: Path) -> NotebookNode:
    """It has run with its solutions, and with three minutes between its cells."""
    notebook = solved(read(path))
    notebook.cells = read_slowly(notebook.cells)
    return run(notebook)


def results(notebook: NotebookNode, tag: str) -> list[str]:
    """What the tagged cells show, as text."""
    shown = []
    for cell in tagged(notebook, tag):
        (output,) = [o for o in cell.outputs if o.output_type == "execute_result"]
        shown.append(output.data["text/plain"])
    return shown


def pictures(path: Path, notebook: NotebookNode) -> dict[str, str]:
    """What each cell shows that is no exercise and no score, as text: a view's text has all that the picture has.

    Two prints come as one output or as two, as it happens, so the outputs of a cell are put together.
    """
    shown = {cell.id: cell.get("outputs", ()) for cell in notebook.cells}
    return {
        cell.id: "".join(output.data["text/plain"] if "data" in output else output.text for output in shown[cell.id])
        for cell in read(path).cells
        if cell.cell_type == "code" and "exercise" not in cell.metadata.get("tags", ()) and cell.source != "score"
    }


def read_slowly(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The code cells, with three minutes after each."""
    slow = [nbformat.v4.new_code_cell(READER)]
    for cell in cells:
        slow += [cell, nbformat.v4.new_code_cell(READ)] if cell.cell_type == "code" else []
    return slow


def between(notebook: NotebookNode, first: str, last: str) -> list[NotebookNode]:
    """The imports, and the cells from ``first`` to ``last`` (their ids)."""
    ids = [cell.id for cell in notebook.cells]
    assert {first, last} <= set(ids)
    imports = [notebook.cells[1]] if ids.index(first) > 1 else []
    return imports + notebook.cells[ids.index(first) : ids.index(last) + 1]


def anchors(page: str) -> set[str]:
    """The anchors of a page of docs/, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.notebook
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
class TestRuns:
    def test_runs_before_its_exercises_are_solved(self, path: Path) -> None:
        shown = results(as_it_is(path), "exercise")
        assert all(text.startswith("– replace the three dots with your answer") for text in shown)

    def test_every_check_accepts_its_solution(self, path: Path) -> None:
        assert all(text.startswith("✓") for text in results(with_solutions(path), "exercise"))

    def test_draws_its_views(self, path: Path) -> None:
        outputs = [o for cell in as_it_is(path).cells for o in cell.get("outputs", ()) if "data" in o]
        assert any("icws-view" in o.data.get("text/html", "") for o in outputs)
        # Every picture has a text for viewers that cannot show it.
        assert all("text/plain" in o.data for o in outputs)


@pytest.mark.notebook
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
class TestScores:
    def test_tell_what_is_solved_and_what_is_not(self, path: Path) -> None:
        many = len(tagged(read(path), "exercise"))
        for notebook, right in ((as_it_is(path), 0), (with_solutions(path), many)):
            (score,) = [cell.outputs[0].data["text/plain"] for cell in notebook.cells if cell.source == "score"]
            assert f"{right} of {many} exercises solved" in score

    def test_asks_for_two_things_to_write(self, path: Path) -> None:
        asked = results(as_it_is(path), "exercise")
        written = [text for text in asked if re.search(r"your answer: write (?!a dictionary)", text)]
        assert len(written) >= 2


@pytest.mark.notebook
class TestPace:
    @pytest.mark.parametrize("path", OFFLINE, ids=lambda path: path.name)
    def test_minutes_between_cells_change_no_picture(self, path: Path) -> None:
        assert pictures(path, with_solutions(path)) == pictures(path, as_it_is(path))

    @pytest.mark.parametrize(
        ("name", "first", "last", "probe", "shown"),
        [
            pytest.param(
                "01_first_session", "imports", "wrong-key", "session.recording",
                ["handshake", "open_request", "open", "app", "message"], id="01",
            ),
            pytest.param(
                "07_a_gateway_that_lies", "switches", "switches-offered", "live.recording",
                ["handshake", "open_request", "open", "app", "control"], id="07",
            ),
            pytest.param(
                "10_your_own_canister", "app", "trap-log", "session.recording",
                ["handshake", "open_request", "open", "app", "message", "close", "control"], id="10",
            ),
            pytest.param(
                "90_live_session", "connect", "verify", "session.recording",
                ["handshake", "open_request", "open", "app"], id="90",
            ),
        ],
    )  # fmt: skip
    def test_a_lab_stands_still_while_somebody_reads(
        self, name: str, first: str, last: str, probe: str, shown: list[str]
    ) -> None:
        """On the package's own clock, which a test's labs have nowhere else. An ack would say that time has passed."""
        notebook = read(ROOT / "notebooks" / f"{name}.ipynb")
        cells = read_slowly(between(notebook, first, last))
        cells.append(nbformat.v4.new_code_cell(f"print(*dict.fromkeys(frame.kind for frame in {probe})); lab.stop()"))
        notebook.cells = cells
        execute(notebook)
        assert notebook.cells[-1].outputs[0].text.split() == shown


@pytest.mark.notebook
class TestClaims:
    def test_every_fault_of_notebook_07_ends_as_its_text_says(self) -> None:
        """Its sessions are made by the package's faults and scenarios, and its sentences are not made by them."""
        notebook = read(ROOT / "notebooks" / "07_a_gateway_that_lies.ipynb")
        asked = "import json; print(json.dumps({name: ending(recording) for name, recording in sessions.items()}))"
        notebook.cells.append(nbformat.v4.new_code_cell(asked))
        (output,) = run(notebook).cells[-1].outputs
        endings = json.loads(output.text)
        unnoticed = {name for name, ending in endings.items() if ending["code"] == 1000}
        assert unnoticed == {"all but the first", "sent twice", "foreign"}  # "In three of them the code is 1000"
        caught = {name: ending["failing_step"] for name, ending in endings.items() if ending["failing_step"] != "-"}
        assert caught == {
            "altered": "body", "forged": "signature", "older proof": "certified_data", "dropped": "sequence",
            "repeated": "sequence", "swapped": "sequence", "no acks": "sequence", "310 s late": "time",
            "foreign": "client_key",
        }  # fmt: skip


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
class TestConventions:
    def test_begins_with_what_the_reader_learns(self, path: Path) -> None:
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
        code = [cell.source for cell in read(path).cells[2:] if cell.cell_type == "code"]
        assert max((len(source.splitlines()) for source in code), default=0) <= MAX_CELL_LINES

    def test_every_exercise_has_its_solution_after_it(self, path: Path) -> None:
        kinds = [tag for cell in read(path).cells for tag in cell.metadata.get("tags", ())]
        assert kinds == ["exercise", "solution"] * (len(kinds) // 2)

    def test_names_the_plain_kernel(self, path: Path) -> None:
        assert read(path).metadata.kernelspec.name == "python3"

    def test_asks_a_question_first_and_says_at_the_end_what_the_reader_can_do(self, path: Path) -> None:
        notebook = read(path)
        assert re.search(r"^\*\*The question:\*\* .+\?$", notebook.cells[0].source, re.MULTILINE)
        assert "**What you can do now:**" in "\n".join(cell.source for cell in notebook.cells[-4:])

    def test_links_lead_to_pages_and_headings_of_the_documentation(self, path: Path) -> None:
        found = [link for cell in read(path).cells for link in LINK.findall(cell.source)]
        assert found
        for page, anchor in found:
            assert (ROOT / "docs" / page).is_file(), page
            assert not anchor or anchor in anchors(page), f"{page}#{anchor}"

    def test_stores_no_outputs(self, path: Path) -> None:
        code = [cell for cell in read(path).cells if cell.cell_type == "code"]
        assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.name)
class TestLessons:
    def test_have_at_least_four_exercises_each_with_its_number_and_its_hints(self, path: Path) -> None:
        asked = [re.search(r"^score\((\d+), ", cell.source, re.MULTILINE) for cell in tagged(read(path), "exercise")]
        numbers = [int(found[1]) for found in asked if found is not None]
        assert len(numbers) >= 4
        assert numbers == list(range(1, len(asked) + 1))
        assert list(HINTS[path.name[:2]]) == numbers
        told = re.findall(r"\*\*Exercise (\d+)\.\*\*", "\n".join(cell.source for cell in read(path).cells))
        assert [int(number) for number in told] == numbers

    def test_let_the_reader_predict_and_look_into_the_explorer(self, path: Path) -> None:
        source = "\n".join(cell.source for cell in read(path).cells)
        assert re.search(r"\*Predict", source)
        assert "icws.explore(" in source

    def test_link_terms_to_the_glossary_and_to_a_specification(self, path: Path) -> None:
        source = "\n".join(cell.source for cell in read(path).cells)
        assert len(set(re.findall(r"glossary\.md#([\w-]+)", source))) >= 3
        assert re.search(r"\]\(https?://", source)

    def test_summarise(self, path: Path) -> None:
        assert any(cell.source.startswith("## Summary") for cell in read(path).cells)


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
