"""Reading a dataset lazily: its tables as datasets of Arrow or DataFrames of Dask, which read what is asked of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from icws_explore.protocol.errors import ArgumentValueError, CaptureError, IcwsError
from icws_explore.protocol.type_checks import checked

from .source import ENTRIES, is_a_dataset, read_entry
from .tables import TABLES, schema_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset as pads

DASK_EXTRA: Final = 'this needs Dask: pip install "icws_explore[dask]"'


class Dataset:
    """A folder that `icws export DIR --to parquet` or `write_dataset` wrote.

    Each table is a `pyarrow.dataset.Dataset`. It reads a file's rows only when they are asked for::

        dataset = icws.load_dataset("tables/")
        dataset.frames.head(5).to_pandas()
        acks = dataset.frames.to_table(columns=["recording", "t"], filter=pc.field("kind") == "ack")
        dataset.dask("acks").groupby("day").oldest_age_s.max().compute()

    A filter on ``day`` reads the files of that day alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def frames(self) -> pads.Dataset:
        """A row for each frame: the columns of ``recording.frames()``, its ``op``, and ``data``, its bytes."""
        return self._table("frames")

    @property
    def sessions(self) -> pads.Dataset:
        """A row for each session: canister, gateway, client, versions, and the numbers of ``recording.summary()``."""
        return self._table("sessions")

    @property
    def findings(self) -> pads.Dataset:
        """A row for each finding of the doctor: ``cause``, ``severity``, ``sessions``, ``frames``, what to change."""
        return self._table("findings")

    @property
    def acks(self) -> pads.Dataset:
        """A row for each ack: the columns of ``recording.timing().acks``."""
        return self._table("acks")

    @property
    def keep_alives(self) -> pads.Dataset:
        """A row for each ack with its keep-alive: the columns of ``recording.timing().keep_alives``."""
        return self._table("keep_alives")

    @property
    def recordings(self) -> list[str]:
        """The names of the recordings, in order."""
        entries = (read_entry(path) for path in sorted((self.path / ENTRIES).glob("*.json")))
        return sorted(entry.name for entry in entries if entry is not None)

    def dask(self, table: str) -> Any:
        """The table of that name as a Dask DataFrame, whose columns have Arrow's types.

        Raises ArgumentValueError for another name than the five tables', IcwsError without Dask.
        """
        if table not in TABLES:
            raise ArgumentValueError(f"table must be one of {', '.join(TABLES)}, not {table!r}")
        try:
            import dask.dataframe as dd
        except ImportError as error:
            raise IcwsError(DASK_EXTRA) from error
        whole = self._table(table)
        fragments = list(whole.get_fragments())
        empty = _as_frame(whole.schema.empty_table())
        if not fragments:
            return dd.from_pandas(empty, npartitions=1)
        return dd.from_map(_rows, fragments, schema=whole.schema, meta=empty)

    def _table(self, name: str) -> pads.Dataset:
        import pyarrow as pa
        import pyarrow.dataset as pads

        folder = self.path / name
        schema = schema_of(name)
        if not folder.is_dir():
            return pads.dataset(schema.empty_table())
        by_day = pads.partitioning(pa.schema([("day", pa.string())]), flavor="hive") if name == "frames" else None
        return pads.dataset(folder, schema=schema, format="parquet", partitioning=by_day)

    def __repr__(self) -> str:
        return f"<Dataset of {len(self.recordings)} recordings in {self.path}>"


def _rows(fragment: Any, schema: pa.Schema) -> pd.DataFrame:
    """The rows of one file as a DataFrame, in a worker of Dask."""
    import pyarrow.dataset as pads

    return _as_frame(pads.FileSystemDataset([fragment], schema, fragment.format, fragment.filesystem).to_table())


def _as_frame(table: pa.Table) -> pd.DataFrame:
    """With Arrow's types in every column: Dask takes columns of Python objects for texts."""
    import pandas as pd

    return pd.DataFrame(table.to_pandas(types_mapper=pd.ArrowDtype))


@checked(path="the dataset's folder")
def load_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Open the dataset in a folder; its rows are read when they are asked for.

    Raises CaptureError for a folder that is no dataset, IcwsError without pyarrow.
    """
    folder = Path(path)
    if not is_a_dataset(folder):
        raise CaptureError(f"{folder} is no dataset: icws export DIR --to parquet -o DATASET/ writes one")
    schema_of("frames")  # says what to install
    return Dataset(folder)
