"""Recordings become a dataset; what is in it already is left alone, and what has changed is replaced."""

import os
import shutil
from dataclasses import replace

import pytest

import icws_explore as icws
from icws_explore.analysis.dataset.source import ENTRIES
from icws_explore.capture import Capture, load, save
from icws_explore.protocol.errors import ArgumentTypeError, CaptureError
from support.data_files import SESSIONS


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    shutil.copy(SESSIONS / "healthy.icws", folder / "a.icws")
    shutil.copy(SESSIONS / "lost_message.icws", folder / "b.icws")
    return folder


@pytest.fixture
def dataset(tmp_path):
    return tmp_path / "dataset"


def later(path, days):
    """The recording of a file, once more some days later, in the same file."""
    capture = load(path)
    frames = [*capture.frames, *(replace(frame, t=frame.t + days * 86_400) for frame in capture.frames)]
    save(Capture(capture.info, frames), path)


class TestWriting:
    def test_gives_one_row_a_frame_by_day(self, folder, dataset):
        later(folder / "a.icws", 3)
        icws.write_dataset(folder, dataset)
        table = icws.load_dataset(dataset).frames.to_table().to_pandas()
        assert len(table) == 2 * 17 + 16
        days = {path.name: len(list(path.iterdir())) for path in (dataset / "frames").iterdir()}
        assert days == {"day=2026-11-23": 2, "day=2026-11-26": 1}
        assert table.groupby("day").recording.nunique().to_dict() == {"2026-11-23": 2, "2026-11-26": 1}

    def test_keeps_every_byte(self, folder, dataset):
        icws.write_dataset(folder, dataset)
        table = icws.load_dataset(dataset).frames.to_table().to_pandas()
        stored = table[table.recording == "a.icws"].sort_values("frame")
        raw = load(folder / "a.icws")
        assert list(stored.data) == [frame.data for frame in raw.frames]
        assert [round(t.timestamp(), 6) for t in stored.t] == [round(frame.t, 6) for frame in raw.frames]

    def test_an_unreadable_file_is_a_result(self, folder, dataset):
        (folder / "c.har").write_text("{")
        results = icws.write_dataset(folder, dataset)
        assert [result.error is None for result in results] == [True, True, False]
        assert icws.load_dataset(dataset).recordings == ["a.icws", "b.icws"]


class TestAgain:
    def test_skips_what_has_not_changed(self, folder, dataset):
        icws.write_dataset(folder, dataset)
        before = {path: path.stat().st_mtime_ns for path in dataset.rglob("*.parquet")}
        shutil.copy(SESSIONS / "chat.icws", folder / "c.icws")
        results = icws.write_dataset(folder, dataset)
        assert [(result.name, result.skipped) for result in results] == [
            ("a.icws", True), ("b.icws", True), ("c.icws", False),
        ]  # fmt: skip
        assert {path: path.stat().st_mtime_ns for path in before} == before

    def test_replaces_what_has_changed_with_its_days(self, folder, dataset):
        later(folder / "a.icws", 3)
        icws.write_dataset(folder, dataset)
        shutil.copy(SESSIONS / "healthy.icws", folder / "a.icws")
        os.utime(folder / "a.icws", ns=(1, 1))
        results = icws.write_dataset(folder, dataset)
        assert [result.skipped for result in results] == [True, False]
        assert icws.load_dataset(dataset).frames.count_rows() == 17 + 16
        assert list((dataset / "frames" / "day=2026-11-26").iterdir()) == []

    def test_writes_again_what_was_interrupted_before_its_entry(self, folder, dataset):
        icws.write_dataset(folder, dataset)
        next(iter((dataset / ENTRIES).glob("a-*"))).unlink()
        assert [result.skipped for result in icws.write_dataset(folder, dataset)] == [True, False]
        assert icws.load_dataset(dataset).frames.count_rows() == 17 + 16

    def test_writes_again_whose_file_is_gone(self, folder, dataset):
        icws.write_dataset(folder, dataset)
        next(iter((dataset / "acks").glob("a-*"))).unlink()
        assert [result.skipped for result in icws.write_dataset(folder, dataset)] == [True, False]

    def test_redacts_what_was_not(self, folder, dataset):
        icws.write_dataset(folder, dataset)
        assert [result.skipped for result in icws.write_dataset(folder, dataset, redact=True)] == [False, False]
        assert icws.load_dataset(dataset).frames.to_table(["data"]).column("data").null_count == 17 + 16


class TestWrong:
    def test_a_folder_with_something_else_is_left_alone(self, folder):
        with pytest.raises(CaptureError, match="is no dataset"):
            icws.write_dataset(folder, folder)
        assert len(list(folder.iterdir())) == 2

    def test_a_dataset_of_a_dataset(self, folder, dataset, tmp_path):
        icws.write_dataset(folder, dataset)
        with pytest.raises(CaptureError, match="in a dataset already"):
            icws.write_dataset(dataset, tmp_path / "other")

    def test_what_is_no_path(self, dataset):
        with pytest.raises(ArgumentTypeError, match="paths must be"):
            icws.write_dataset(5, dataset)
        assert not dataset.exists()
