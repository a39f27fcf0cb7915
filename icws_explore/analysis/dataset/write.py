"""Writing recordings into a dataset: a folder of Parquet files that grows, and skips what it has already.

::

    DATASET/
      _icws_dataset.json             that it is one
      _recordings/RECORDING.json     the recording's file, its configuration, and which files have its rows
      frames/day=2026-11-30/RECORDING.parquet
      sessions/RECORDING.parquet     also findings, acks, keep_alives

``frames`` is partitioned by day, because it is a thousand times as large as the others together: who asks for a day
reads no other. A table without a row has no file. The entry in ``_recordings`` is written last, so a recording
without one was interrupted, and is written again.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from icws_explore.protocol.errors import CaptureError, IcwsError
from icws_explore.protocol.principal import Principal

from ..doctor.many import PathLike, as_paths
from ..fleet.crew import Crew
from ..imports import load_any
from .source import (
    ENTRIES,
    FORMAT,
    MARK,
    Entry,
    Finished,
    Source,
    is_a_dataset,
    read_entry,
    replacing,
    sources_in,
    write_whole,
)
from .tables import as_arrow, examined, schema_of

ROW_GROUP: Final = 100_000  # rows: some 100 MB of frames, which a reader holds at a time
_COMPRESSION: Final = "zstd"  # of frames, a third smaller than Arrow's default, snappy, and as quick to read


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one recording: ``stored`` bytes of Parquet, or the ``error`` that says why it could not be read.

    ``skipped``: it was in the dataset already and has not changed.
    """

    name: str
    frames: int = 0
    sessions: int = 0
    stored: int = 0
    skipped: bool = False
    error: str | None = None

    @classmethod
    def of(cls, source: Source, entry: Entry, *, skipped: bool = False) -> Self:
        """A recording that is in the dataset."""
        return cls(source.name, entry.frames, entry.sessions, entry.stored, skipped)

    def to_json(self) -> dict[str, Any]:
        return {
            "file": self.name,
            "frames": self.frames,
            "sessions": self.sessions,
            "stored": self.stored,
            "skipped": self.skipped,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of every recording: see `write_dataset`."""

    root_key: bytes | None = None
    canister_id: Principal | None = None
    redact: bool = False

    @property
    def asked(self) -> dict[str, Any]:
        return {
            "root_key": None if self.root_key is None else self.root_key.hex(),
            "canister_id": None if self.canister_id is None else self.canister_id.text,
            "redact": self.redact,
        }


def write_dataset(
    paths: PathLike | Iterable[PathLike],
    folder: PathLike,
    *,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    redact: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
) -> list[Written]:
    """Write recordings and folders of recordings into the dataset in ``folder``; `load_dataset` reads it.

    What the folder holds of an unchanged recording stays as it is, so an interrupted call can be repeated.
    ``root_key`` (DER) and ``canister_id`` are as for `diagnose`. With ``redact`` the tables hold type and size of each
    message in place of its bytes and words. ``workers`` processes work at the same time, or the workers of the Dask
    cluster whose ``scheduler`` has that address; see `analyze`.

    Raises ArgumentTypeError, CaptureError for a folder without a recording or one that cannot be written, IcwsError
    without pyarrow.
    """
    wanted = Wanted(root_key, canister_id, redact)
    with closing(writing(sources_in(as_paths(paths)), Path(folder), wanted, Crew(workers, scheduler))) as results:
        return list(results)


def writing(sources: Iterable[Source], folder: Path, wanted: Wanted, crew: Crew) -> Generator[Written, None, None]:
    """Write sources into the dataset in ``folder``, and yield what became of each as soon as it is known."""
    schema_of("frames")  # says what to install
    _mark(folder)
    finished = Finished(folder / ENTRIES, wanted.asked)
    todo: list[Source] = []
    for source in sources:
        if source.is_entry:
            raise CaptureError(f"{source.path} is in a dataset already: name the recordings it was made from")
        entry = read_entry(finished.path(source)) if finished.get(source) is not None else None
        if entry is None or not all((folder / file).is_file() for file in entry.files):
            todo.append(source)
        else:
            yield Written.of(source, entry, skipped=True)
    with closing(crew.each(partial(_write, str(folder.absolute()), wanted), todo)) as results:
        for source, result in results:
            if isinstance(result, str):
                yield Written(source.name, error=result)
                continue
            old = read_entry(finished.path(source))
            finished.put(source, result.to_json())
            for file in set() if old is None else {*old.files} - {*result.files}:  # days that it no longer has
                (folder / file).unlink(missing_ok=True)
            yield Written.of(source, result)


def _mark(folder: Path) -> None:
    """Make the folder a dataset. Raises CaptureError for one with other files, which an export must not mix with."""
    if is_a_dataset(folder):
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CaptureError(f"{folder} is there and is no dataset: name a new folder")
    write_whole(folder / MARK, json.dumps({"icws_dataset": FORMAT}))


def _write(folder: str, wanted: Wanted, source: Source) -> Entry | str:
    """Write one recording, in a worker. Returns its entry, or why it cannot be read."""
    try:
        capture = load_any(source.path)
        if not capture.frames:
            raise CaptureError(f"{source.path} contains no frames: there is nothing to write")
    except IcwsError as error:
        return str(error)
    found = examined(
        capture, source.name, root_key=wanted.root_key, canister_id=wanted.canister_id, redact=wanted.redact
    )
    files: list[str] = []
    size = 0
    for table, rows in found.tables.items():
        if not len(rows):
            continue
        parts = {table: as_arrow(table, rows)}
        if table == "frames":
            days = rows.groupby("day", sort=True)
            parts = {f"frames/day={day!s}": as_arrow(table, part).drop_columns(["day"]) for day, part in days}
        for within, made in parts.items():
            files.append(f"{within}/{source.key}.parquet")
            size += _store(made, Path(folder) / files[-1])
    return Entry(source.name, source.size, found.state, tuple(files), found.frames, found.sessions, size)


def _store(made: Any, path: Path) -> int:
    import pyarrow.parquet as pq

    with replacing(path) as target:
        pq.write_table(made, target, compression=_COMPRESSION, row_group_size=ROW_GROUP)
        return target.stat().st_size
