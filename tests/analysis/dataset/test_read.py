"""A dataset is read lazily: a filter on a day opens the files of that day alone."""

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pytest

import icws_explore as icws
from icws_explore.analysis.dataset.tables import TABLES, schema_of
from icws_explore.protocol.errors import ArgumentValueError, CaptureError
from support.data_files import SESSIONS


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset") / "tables"
    icws.write_dataset([SESSIONS / "healthy.icws", SESSIONS / "real_sdk_0_3_4.icws.gz"], folder)
    return icws.load_dataset(folder)


class TestTables:
    @pytest.mark.parametrize("name", TABLES)
    def test_have_their_columns(self, dataset, name):
        table = getattr(dataset, name).to_table()
        assert table.schema.names == schema_of(name).names
        assert table.schema.types == schema_of(name).types

    def test_of_a_day_are_read_without_the_others(self, dataset, tmp_path):
        copy = Path(shutil.copytree(dataset.path, tmp_path / "copy"))
        (damaged,) = (copy / "frames" / "day=2026-11-30").iterdir()
        damaged.write_bytes(b"no Parquet")
        frames = icws.load_dataset(copy).frames
        assert frames.to_table(filter=pc.field("day") == "2026-11-23").num_rows == 17
        with pytest.raises(Exception, match="Parquet|parquet"):
            frames.to_table()

    def test_join_by_recording_and_session(self, dataset):
        kinds = dataset.frames.to_table(columns=["recording", "kind"]).to_pandas()
        sessions = dataset.sessions.to_table().to_pandas()
        acks = kinds[kinds.kind == "ack"].groupby("recording").size()
        assert acks.to_dict() == {name: n for name, n in zip(sessions.recording, sessions.acks, strict=True) if n}

    def test_without_a_row_are_empty(self, tmp_path):
        icws.write_dataset(SESSIONS / "healthy.icws", tmp_path / "d")
        assert not (tmp_path / "d" / "findings").exists()
        empty = icws.load_dataset(tmp_path / "d").findings.to_table()
        assert (empty.num_rows, empty.schema.names) == (0, schema_of("findings").names)

    def test_names_of_the_recordings(self, dataset):
        assert [Path(name).name for name in dataset.recordings] == ["healthy.icws", "real_sdk_0_3_4.icws.gz"]
        assert repr(dataset).startswith("<Dataset of 2 recordings in ")


class TestDask:
    @pytest.mark.parametrize("name", TABLES)
    def test_gives_the_same_rows(self, dataset, name):
        lazy = dataset.dask(name)
        assert list(lazy.columns) == schema_of(name).names
        rows = lazy.compute(scheduler="synchronous").to_dict("records")
        assert repr(rows) == repr(
            getattr(dataset, name).to_table().to_pandas(types_mapper=pd.ArrowDtype).to_dict("records")
        )

    def test_computes_over_files(self, dataset):
        counted = dataset.dask("frames").groupby("day")["size"].sum().compute(scheduler="synchronous")
        sizes = dataset.frames.to_table(columns=["day", "size"]).to_pandas().groupby("day")["size"].sum()
        assert counted.to_dict() == sizes.to_dict()

    def test_of_another_table(self, dataset):
        with pytest.raises(ArgumentValueError, match="table must be one of frames"):
            dataset.dask("messages")


class TestWrong:
    def test_a_folder_that_is_no_dataset(self, tmp_path):
        with pytest.raises(CaptureError, match="is no dataset"):
            icws.load_dataset(tmp_path)
