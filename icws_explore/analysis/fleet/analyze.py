"""What many recordings have in common: findings, timing and versions, in all and by canister, gateway, day, version.

Each recording is examined by itself, in any of many processes (`Crew`), and gives tallies, which are added up. What a
recording of a dataset gives is in the dataset's small tables already, so its frames are not read. Kept beside the
output, the tallies of recordings that were finished let an interrupted analysis go on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from icws_explore.protocol.errors import ArgumentValueError, CaptureError, IcwsError
from icws_explore.protocol.principal import Principal

from ..dataset.source import Finished, Source, read_entry, replacing, sources_in
from ..dataset.tables import examined, schema_of
from ..doctor.many import PathLike, as_paths
from ..export import harmless
from ..imports import load_any
from .crew import Crew, own_version
from .tally import BYS, By, Tallies, Tally, tally_of

if TYPE_CHECKING:
    from ..table import Table

SUFFIXES: Final = (".parquet", ".csv", ".json")
MOST_UNREADABLE: Final = 1_000  # whose reasons are kept; the others are counted


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of one recording: its tallies, or the ``error`` that says why there are none. ``size`` is in bytes.

    ``skipped``: they were kept from an earlier analysis.
    """

    name: str
    size: int
    state: str = "unreadable"
    tallies: Tallies = field(default_factory=Tallies)
    skipped: bool = False
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"state": self.state, "size": self.size, "tallies": self.tallies.to_json(), "error": self.error}


class Analysis:
    """The tallies of many recordings. A notebook draws its `table`.

    ``states`` counts the recordings by the doctor's state: passed, failed, not checked, unreadable. ``unreadable``
    lists the first of these with the reasons.
    """

    def __init__(self) -> None:
        self.tallies = Tallies()
        self.states: Counter[str] = Counter()
        self.unreadable: list[tuple[str, str]] = []
        self.size = 0

    def add(self, counted: Counted) -> None:
        """Add a recording."""
        self.tallies.merge(counted.tallies)
        self.states[counted.state] += 1
        self.size += counted.size
        if counted.error is not None and len(self.unreadable) < MOST_UNREADABLE:
            self.unreadable.append((counted.name, counted.error))

    @property
    def recordings(self) -> int:
        """How many recordings were looked at."""
        return self.states.total()

    @property
    def total(self) -> Tally:
        """The tally of all sessions."""
        return self.tallies.groups.get(("all", ""), Tally())

    def groups(self, by: By) -> list[tuple[str, Tally]]:
        """The groups of a kind by name: days in their order, others by their number of sessions, the most first.

        ``by`` is "all", "canister", "gateway", "day" or "version". Raises ArgumentValueError for another word.
        """
        if by not in BYS:
            raise ArgumentValueError(f"by must be one of {', '.join(BYS)}, not {by!r}")
        ours = [(name, tally) for (kind, name), tally in self.tallies.groups.items() if kind == by]
        return sorted(ours, key=lambda pair: (0 if by == "day" else -pair[1].sessions, pair[0]))

    def table(self) -> Table:
        """A row for each group: ``by`` (all, canister, gateway, day, version), ``name``, and the columns of a tally.

        Columns that end in ``_s`` are seconds, ``size`` is bytes, ``causes`` maps the id of a finding to a number of
        sessions.
        """
        import pandas as pd

        from ..table import Table

        rows = [{"by": by, "name": name, **tally.row()} for by in BYS for name, tally in self.groups(by)]
        return Table(pd.DataFrame(rows, columns=["by", "name", *Tally().row()]))

    def save(self, path: PathLike) -> Path:
        """Write the table as .parquet, .csv or .json (lines) and return the path. ``causes`` is JSON text.

        Raises ArgumentValueError for another ending, CaptureError.
        """
        target = check_out(path)
        table = self.table()
        table["causes"] = [json.dumps(causes) for causes in table["causes"]]
        with replacing(target) as temporary:
            if target.suffix == ".parquet":
                table.to_parquet(temporary, index=False)
            elif target.suffix == ".csv":
                table["name"] = [harmless(name) for name in table["name"]]
                table.to_csv(temporary, index=False)
            else:
                table.to_json(temporary, orient="records", lines=True)
        return target

    def __repr__(self) -> str:
        return f"<Analysis of {self.recordings} recordings: {self.total.sessions} sessions, {dict(self.states)}>"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of every recording. ``root_key`` is DER."""

    root_key: bytes | None = None
    canister_id: Principal | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "version": own_version(),  # another version's doctor may find something else
            "root_key": None if self.root_key is None else self.root_key.hex(),
            "canister_id": None if self.canister_id is None else self.canister_id.text,
        }


def check_out(path: PathLike) -> Path:
    """The path of the output. Raises ArgumentValueError if its ending names no format."""
    target = Path(path)
    if target.suffix not in SUFFIXES:
        raise ArgumentValueError(f"the output's name must end in {', '.join(SUFFIXES)}, not {target.name!r}")
    return target


def parts_of(out: Path) -> Path:
    """The folder beside the output with the tallies of finished recordings."""
    return out.with_name(f"{out.name}.parts")


def analyze(
    paths: PathLike | Iterable[PathLike],
    *,
    out: PathLike | None = None,
    root_key: bytes | None = None,
    canister_id: Principal | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Callable[[Counted], None] | None = None,
) -> Analysis:
    """Analyse recordings and folders of recordings, or datasets that `write_dataset` wrote.

    ::

        analysis = icws.analyze("recordings/", out="analysis.parquet")
        analysis.table().query("by == 'canister'")

    ``out`` is a file for the table (.parquet, .csv or .json). Beside it, in ``out`` + ".parts", the tallies of finished
    recordings are kept: the next call with the same ``out`` skips those that have not changed. ``root_key`` (DER) and
    ``canister_id`` are as for `diagnose`; a dataset was judged when it was written.

    ``workers`` processes work at the same time: by default one for each core, or none besides this one if the files are
    small. A script that uses several must guard its start with ``if __name__ == "__main__":``. ``scheduler`` is the
    address of the scheduler of a Dask cluster instead, whose workers see the files under the same paths. It must be
    your own: whoever can talk to it can run code in its workers. ``progress`` is called with each recording.

    Raises CaptureError for a folder without a recording, ArgumentValueError, and IcwsError without Dask or pyarrow.
    """
    target = None if out is None else check_out(out)
    analysis = Analysis()
    crew, asked = Crew(workers, scheduler), Asked(root_key, canister_id)
    with closing(
        counting(sources_in(as_paths(paths)), asked, crew, None if target is None else parts_of(target))
    ) as results:
        for counted in results:
            analysis.add(counted)
            if progress is not None:
                progress(counted)
    if target is not None:
        analysis.save(target)
    return analysis


def counting(
    sources: Sequence[Source], asked: Asked, crew: Crew, kept_in: Path | None
) -> Generator[Counted, None, None]:
    """Count each recording, and yield it as it is done. Results are kept in a folder, if one is given."""
    schema_of("sessions")  # says what to install
    finished = None if kept_in is None else Finished(kept_in, asked.to_json())
    todo: list[Source] = []
    for source in sources:
        kept = None if finished is None else finished.get(source)
        counted = None if kept is None else _counted(source, kept, skipped=True)
        if counted is None:
            todo.append(source)
        else:
            yield counted
    with closing(crew.each(partial(count, asked), todo)) as results:
        for source, result in results:
            if isinstance(result, Counted) and result.error is None and finished is not None:
                finished.put(source, result.to_json())
            yield result if isinstance(result, Counted) else Counted(source.name, source.size, error=result)


def _counted(source: Source, told: dict[str, Any], *, skipped: bool) -> Counted | None:
    """What `Counted.to_json` gave; None if somebody has changed it."""
    try:
        tallies = Tallies.from_json(told["tallies"])
        return Counted(source.name, int(told["size"]), str(told["state"]), tallies, skipped)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None


def count(asked: Asked, source: Source) -> Counted:
    """Count one recording, in a worker; whatever is wrong with the file is in the result."""
    try:
        return _count_entry(source) if source.is_entry else _count_recording(asked, source)
    except IcwsError as error:
        return Counted(source.name, source.size, error=str(error))


def _count_recording(asked: Asked, source: Source) -> Counted:
    capture = load_any(source.path)
    if not capture.frames:
        raise CaptureError(f"{source.path} contains no frames: there is nothing to examine")
    found = examined(capture, source.name, root_key=asked.root_key, canister_id=asked.canister_id, with_frames=False)
    return Counted(source.name, source.size, found.state, tally_of(found.tables))


def _count_entry(source: Source) -> Counted:
    """Count what a dataset holds of a recording; its frames are not read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    entry = read_entry(Path(source.path))
    if entry is None:
        raise CaptureError(f"{source.path} is no entry of a dataset: export the recordings again")
    folder = Path(source.path).parent.parent
    tables = {}
    for name in ("sessions", "findings", "acks", "keep_alives"):
        made = schema_of(name).empty_table()
        for file in entry.files:
            if file.startswith(f"{name}/"):
                try:
                    made = pq.read_table(folder / file, schema=schema_of(name), partitioning=None)
                except (OSError, pa.ArrowException) as error:
                    raise CaptureError(f"cannot read {folder / file}: {error}") from error
        tables[name] = made.to_pandas()
    return Counted(entry.name, entry.size, entry.state, tally_of(tables))
