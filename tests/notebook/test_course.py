"""Copies of the course: students get no solutions, teachers get all, and both run where they are."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import ClassVar

import nbformat
import pytest
from nbclient import NotebookClient

import icws_explore
from icws_explore.notebook import course
from icws_explore.notebook.course import (
    course_folder,
    student_copy,
    tags_of,
    teacher_copy,
    without_links_to_docs,
    write_course,
)
from icws_explore.protocol.errors import CaptureError
from support.machine import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def read(path: Path) -> course.Notebook:
    return json.loads(path.read_text(encoding="utf-8"))


def cell(source: str, *tags: str, kind: str = "code") -> dict[str, object]:
    made: dict[str, object] = {"cell_type": kind, "metadata": {"tags": list(tags)}, "source": source}
    return made | ({"outputs": [{"output_type": "stream"}], "execution_count": 3} if kind == "code" else {})


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
class TestOfEachNotebook:
    def test_a_students_copy_lacks_the_solutions_and_nothing_else(self, path: Path) -> None:
        given, copy = read(path)["cells"], student_copy(read(path))["cells"]
        assert copy == [each for each in given if not tags_of(each) & {"solution", "teacher"}]

    def test_no_answer_is_left_in_a_students_copy(self, path: Path) -> None:
        text = json.dumps(student_copy(read(path)))
        assert "<summary>A solution" not in text
        for each in read(path)["cells"]:
            if "solution" in tags_of(each):
                assert "".join(each["source"]) not in [
                    "".join(kept["source"]) for kept in student_copy(read(path))["cells"]
                ]

    def test_a_teachers_copy_has_every_cell(self, path: Path) -> None:
        copy = teacher_copy(read(path))
        nbformat.validate(nbformat.from_dict(copy))
        assert len(copy["cells"]) == len(read(path)["cells"])
        assert "<details>" not in "".join(
            "".join(each["source"]) for each in copy["cells"] if "solution" in tags_of(each)
        )


class TestCopies:
    GIVEN: ClassVar = {
        "cells": [cell("a = ...", "exercise"), cell("a = 1", "solution"), cell("ask them", "teacher", kind="markdown")],
        "metadata": {"widgets": {}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }

    def test_have_no_outputs(self) -> None:
        for copy in (student_copy(self.GIVEN), teacher_copy(self.GIVEN)):
            assert next((c["outputs"], c["execution_count"]) for c in copy["cells"] if c["cell_type"] == "code") == (
                [],
                None,
            )
            assert "widgets" not in copy["metadata"]
        assert self.GIVEN["cells"][0]["execution_count"] == 3, "the original stays as it is"

    def test_a_note_for_the_teacher_is_for_the_teacher(self) -> None:
        assert len(student_copy(self.GIVEN)["cells"]) == 1
        assert len(teacher_copy(self.GIVEN)["cells"]) == 3


class TestLinks:
    def test_to_pages_that_are_not_beside_the_copy_become_text(self) -> None:
        text = "An [ack](../docs/glossary.md#ack), [here](#x), [next](02_envelopes.ipynb)."
        notebook = {"cells": [{"cell_type": "markdown", "metadata": {}, "source": [text]}]}
        (copied,) = without_links_to_docs(notebook)["cells"]
        assert copied["source"] == "An ack, [here](#x), [next](02_envelopes.ipynb)."

    def test_of_a_written_course_lead_somewhere(self, tmp_path: Path) -> None:
        for path in write_course(tmp_path):
            if path.suffix == ".ipynb":
                for each in read(path)["cells"]:
                    found = (
                        re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", "".join(each["source"]))
                        if each["cell_type"] == "markdown"
                        else []
                    )
                    assert [link for link in found if not (path.parent / link).exists()] == []


class TestFolder:
    def test_of_a_clone_is_its_root(self) -> None:
        assert course_folder() == ROOT

    def test_of_an_installed_package_is_in_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        package = tmp_path / "site-packages" / "icws_explore"
        shutil.copytree(ROOT / "notebooks", package / "course" / "notebooks")
        monkeypatch.setattr(icws_explore, "__file__", str(package / "__init__.py"))
        assert course_folder() == package / "course"

    def test_an_installation_without_notebooks_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(icws_explore, "__file__", str(tmp_path / "icws_explore" / "__init__.py"))
        with pytest.raises(CaptureError, match="no notebooks"):
            course_folder()


class TestWritten:
    def test_has_what_the_notebooks_read(self, tmp_path: Path) -> None:
        written = write_course(tmp_path)
        assert {path.name for path in written if path.suffix == ".ipynb"} == {path.name for path in NOTEBOOKS}
        assert (tmp_path / "data" / "certificates" / "mainnet.cbor").is_file()
        assert not list(tmp_path.rglob("*.py"))

    @pytest.mark.notebook
    def test_a_copy_runs_where_it_is(self, tmp_path: Path) -> None:
        write_course(tmp_path)
        path = tmp_path / "notebooks" / "03_hash_trees.ipynb"
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(
            notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
        ).execute()
        assert any(each.get("outputs") for each in notebook.cells)
