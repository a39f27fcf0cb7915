"""The course as files to hand out: copies of the notebooks for students and for teachers, and the recordings.

A notebook of the course has cells with tags. ``exercise`` is a cell that the student completes, ``solution`` the
answer after it, ``teacher`` a note for the teacher. A student's copy has no cells of the last two. A teacher's copy
has all of them, and its solutions are open. No copy has outputs.

The notebooks read ``../data``, so both folders are copied together. An installed package carries them in its folder
``course``; a clone of the project has them in its root.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import icws_explore
from icws_explore.protocol.errors import CaptureError

NOTEBOOKS: Final = "notebooks"
DATA: Final = ("data/README.md", "data/certificates", "data/sessions")
FOR_TEACHERS: Final = frozenset({"solution", "teacher"})

_DOCS_LINK: Final = re.compile(r"\[([^\]]*)\]\(\.\./docs/[^)]*\)")

Notebook = dict[str, Any]  # in the format of .ipynb files, version 4


def course_folder() -> Path:
    """The folder with ``notebooks`` and ``data``. Raises CaptureError if this package came without them."""
    package = Path(icws_explore.__file__).parent
    for folder in (package / "course", package.parent):
        if next((folder / NOTEBOOKS).glob("*.ipynb"), None) is not None:
            return folder
    raise CaptureError("this installation has no notebooks: install the package from a wheel, or clone the project")


def tags_of(cell: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(cell.get("metadata", {}).get("tags", ()))


def student_copy(notebook: Mapping[str, Any]) -> Notebook:
    """A copy without solutions, notes for the teacher, and outputs."""
    copy = _without_outputs(notebook)
    copy["cells"] = [cell for cell in copy["cells"] if not tags_of(cell) & FOR_TEACHERS]
    return copy


def teacher_copy(notebook: Mapping[str, Any]) -> Notebook:
    """A copy with everything but outputs. Solutions that can be folded are open."""
    copy = _without_outputs(notebook)
    for cell in copy["cells"]:
        if "solution" in tags_of(cell):
            source = _source(cell)
            cell["source"] = source.replace("<details>", "<details open>")
    return copy


def without_links_to_docs(notebook: Mapping[str, Any]) -> Notebook:
    """A copy in which links to pages of docs/ are plain text, for a folder that has no docs/ beside it."""
    copy = deepcopy(dict(notebook))
    for cell in copy["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = _DOCS_LINK.sub(r"\1", _source(cell))
    return copy


def _without_outputs(notebook: Mapping[str, Any]) -> Notebook:
    copy = deepcopy(dict(notebook))
    copy.get("metadata", {}).pop("widgets", None)
    for cell in copy["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return copy


def _source(cell: Mapping[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def write_course(folder: str | os.PathLike[str], *, solutions: bool = False, overwrite: bool = False) -> list[Path]:
    """Write the notebooks and their recordings into ``folder``; with ``solutions`` the teacher's copies.

    Returns what was written. Raises CaptureError, before anything is written, if a file exists and ``overwrite`` is
    False, and if a file cannot be written.
    """
    source, target = course_folder(), Path(folder)
    copies = {target / path.relative_to(source): path for path in _files(source)}
    there = next((path for path in copies if path.exists()), None)
    if there is not None and not overwrite:
        raise CaptureError(f"{there} exists: choose another folder, or overwrite it with --force")
    try:
        in_reach = (target / "docs").is_dir()
        for path, original in copies.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".ipynb":
                notebook = json.loads(original.read_text(encoding="utf-8"))
                copy = teacher_copy(notebook) if solutions else student_copy(notebook)
                _write(path, copy if in_reach else without_links_to_docs(copy))
            else:
                shutil.copyfile(original, path)
    except OSError as error:
        raise CaptureError(f"cannot write {error.filename or target}: {error.strerror}") from error
    return list(copies)


def _files(source: Path) -> Iterator[Path]:
    yield from sorted((source / NOTEBOOKS).glob("*.ipynb"))
    for name in DATA:
        path = source / name
        yield from sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]


def _write(path: Path, notebook: Notebook) -> None:
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
