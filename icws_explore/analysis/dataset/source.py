"""Where many recordings are, and what was finished with each of them.

A `Source` is a recording, or what a dataset holds of one. `Finished` keeps a small JSON file for each source that was
worked on, with the source's name, size and time of change. Work that is begun again skips the sources that have not
changed since, so it goes on where it was interrupted.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from icws_explore.protocol.errors import CaptureError

from ..doctor.many import PathLike, files_in

MARK: Final = "_icws_dataset.json"  # Arrow and Dask skip files whose name begins with _
ENTRIES: Final = "_recordings"  # the folder of a dataset with an entry for each recording
FORMAT: Final = 1
_MOST: Final = 2**53  # a number that a dataset may state; further ones, as floats, would not be whole
_FOLDERS: Final = r"frames/day=\d{4}-\d\d-\d\d|sessions|findings|acks|keep_alives"


@dataclass(frozen=True, slots=True)
class Source:
    """A file with a recording, or (``is_entry``) the entry of a recording in a dataset. ``size`` is in bytes.

    ``name`` is the path within the folder that was named. ``path`` is absolute, for workers with another folder.
    """

    name: str
    path: str
    size: int
    changed_ns: int
    is_entry: bool = False

    @property
    def key(self) -> str:
        """A name for files about it, of letters that every system takes."""
        stem = "".join(c if c.isalnum() and c.isascii() else "-" for c in Path(self.name).name.split(".")[0])[:40]
        return f"{stem}-{hashlib.sha256(self.name.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"


def sources_in(paths: Iterable[PathLike]) -> list[Source]:
    """The recordings that are named or in the folders that are named; those of a folder that is a dataset.

    Raises CaptureError for a folder without any.
    """
    chosen = [Path(path) for path in paths]
    alone = len(chosen) == 1
    found: dict[str, Source] = {}
    for path in chosen:
        is_dataset = is_a_dataset(path)
        for file in _entries(path) if is_dataset else files_in([path]):
            inside = alone and path.is_dir()
            name = file.relative_to(path / ENTRIES if is_dataset else path) if inside else file
            found.setdefault(str(file.absolute()), _source(str(name), file, is_entry=is_dataset))
    return list(found.values())


def is_a_dataset(path: Path) -> bool:
    """Whether a folder holds a dataset."""
    return (path / MARK).is_file()


def _entries(path: Path) -> list[Path]:
    entries = sorted((path / ENTRIES).glob("*.json"))
    if not entries:
        raise CaptureError(f"{path} is a dataset without a recording: was its export interrupted? Export again")
    return entries


def _source(name: str, file: Path, *, is_entry: bool) -> Source:
    """What cannot be looked at (a broken link) is found again when it is read, with the reason.

    Systems allow names that are not UTF-8, and tables do not: the other bytes are shown as ``\\xff``.
    """
    name = os.fsencode(name).decode("utf-8", "backslashreplace")
    try:
        status = file.stat()
    except (OSError, ValueError):
        return Source(name, str(file.absolute()), 0, 0, is_entry)
    return Source(name, str(file.absolute()), status.st_size, status.st_mtime_ns, is_entry)


class Finished:
    """The results of finished sources in a folder. ``asked`` is what else the results depend on."""

    def __init__(self, folder: Path, asked: Any) -> None:
        self._folder = folder
        self._asked = json.loads(json.dumps(asked))

    def get(self, source: Source) -> dict[str, Any] | None:
        """The result for an unchanged source; None if there is none, or none that can be read."""
        kept = _kept(self.path(source))
        return kept["result"] if kept is not None and kept["source"] == self._facts(source) else None

    def put(self, source: Source, result: dict[str, Any]) -> None:
        """Keep a result. It is there in whole or not at all, whenever the machine stops."""
        write_whole(self.path(source), json.dumps({"source": self._facts(source), "result": result}))

    def path(self, source: Source) -> Path:
        """The file that is kept of a source."""
        return self._folder / f"{source.key}.json"

    def _facts(self, source: Source) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "name": source.name,
            "size": source.size,
            "changed_ns": source.changed_ns,
            "asked": self._asked,
        }


def _kept(path: Path) -> dict[str, Any] | None:
    """What `Finished` keeps in a file, with the members ``source`` and ``result``; None if it is no such file."""
    try:
        kept = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    is_entry = isinstance(kept, dict) and all(isinstance(kept.get(name), dict) for name in ("source", "result"))
    return kept if is_entry else None


@dataclass(frozen=True, slots=True)
class Entry:
    """What a dataset says of one recording. ``files`` are paths within the dataset, ``size`` is that of the recording's
    file in bytes, ``stored`` that of its rows.
    """

    name: str
    size: int
    state: str
    files: tuple[str, ...]
    frames: int
    sessions: int
    stored: int

    def to_json(self) -> dict[str, Any]:
        """The result that `Finished` keeps."""
        return {
            "state": self.state,
            "files": self.files,
            "frames": self.frames,
            "sessions": self.sessions,
            "stored": self.stored,
        }


def read_entry(path: Path) -> Entry | None:
    """The entry in a file; None if it is none.

    Somebody else may have made the dataset, so only files count that an export could have written.
    """
    kept = _kept(path)
    if kept is None:
        return None
    source, result = kept["source"], kept["result"]
    files = result.get("files")
    own = re.compile(rf"({_FOLDERS})/{re.escape(path.stem)}\.parquet")
    numbers = [result.get("frames"), result.get("sessions"), result.get("stored"), source.get("size")]
    if not isinstance(files, list) or not all(isinstance(number, int) and 0 <= number <= _MOST for number in numbers):
        return None
    named = tuple(file for file in files if isinstance(file, str) and own.fullmatch(file))
    frames, sessions, stored, size = numbers
    return Entry(str(source.get("name")), size, str(result.get("state")), named, frames, sessions, stored)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader never sees a part of it. Raises CaptureError."""
    with replacing(path) as target:
        target.write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a temporary file, which takes the place of ``path`` in the end. Raises CaptureError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise CaptureError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
