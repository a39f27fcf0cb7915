"""Where recordings are, and what was finished: an unchanged source is skipped, whatever else lies in the folder."""

import json
import os
from pathlib import Path

import pytest

from icws_explore.analysis.dataset.source import (
    ENTRIES,
    MARK,
    Finished,
    Source,
    is_a_dataset,
    read_entry,
    replacing,
    sources_in,
)
from icws_explore.protocol.errors import CaptureError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner").mkdir()
    for name in ("a.icws", "inner/a.icws", "notes.txt"):
        (tmp_path / name).write_bytes(b"x" * 10)
    return tmp_path


class TestSources:
    def test_of_a_folder_are_named_within_it(self, folder):
        assert [(source.name, source.size) for source in sources_in([folder])] == [("a.icws", 10), ("inner/a.icws", 10)]

    def test_of_several_places_are_named_in_full_and_taken_once(self, folder):
        sources = sources_in([folder / "inner", folder])
        assert [source.name for source in sources] == [str(folder / "inner/a.icws"), str(folder / "a.icws")]

    def test_have_keys_of_their_own_that_any_system_takes(self):
        names = ["a.icws", "inner/a.icws", "a.har", "ä b:c.icws", "x" * 300]
        keys = [Source(name, "", 0, 0).key for name in names]
        assert len(set(keys)) == len(keys)
        assert all(key.replace("-", "").isalnum() and key.isascii() and len(key) < 60 for key in keys)

    def test_that_cannot_be_looked_at_are_found_again_when_they_are_read(self, tmp_path):
        (source,) = sources_in([tmp_path / "gone.icws"])
        assert source.size == 0

    def test_whose_names_are_not_text_have_names_that_a_table_takes(self, tmp_path):
        names = [os.fsdecode(name) for name in (b"\xff.icws", b"\xfe.icws", b"\xc3\xa4.icws")]
        sources = sources_in([tmp_path / name for name in names])
        assert [source.name.rpartition("/")[2] for source in sources] == ["\\xff.icws", "\\xfe.icws", "ä.icws"]
        assert [Path(source.path).name for source in sources] == names
        assert len({source.key for source in sources}) == 3

    def test_of_a_dataset_are_its_entries(self, tmp_path):
        (tmp_path / MARK).write_text("{}")
        (tmp_path / ENTRIES).mkdir()
        (tmp_path / ENTRIES / "a-1.json").write_text("{}")
        (tmp_path / "a.icws").write_text("not looked at")
        assert is_a_dataset(tmp_path)
        assert [(source.name, source.is_entry) for source in sources_in([tmp_path])] == [("a-1.json", True)]

    def test_of_an_empty_dataset_are_an_error(self, tmp_path):
        (tmp_path / MARK).write_text("{}")
        with pytest.raises(CaptureError, match="a dataset without a recording"):
            sources_in([tmp_path])


class TestFinished:
    def test_is_known_until_the_file_or_the_question_changes(self, folder, tmp_path):
        path = folder / "a.icws"
        (source,) = sources_in([path])
        finished = Finished(tmp_path / "kept", {"redact": False})
        assert finished.get(source) is None
        finished.put(source, {"n": 1})
        assert finished.get(source) == {"n": 1}
        assert Finished(tmp_path / "kept", {"redact": True}).get(source) is None
        os.utime(path, ns=(1, 1))
        assert finished.get(sources_in([path])[0]) is None

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"source": 1, "result": {}}', "[" * 100_000])
    def test_damage_counts_as_not_finished(self, folder, tmp_path, text):
        (source,) = sources_in([folder / "a.icws"])
        finished = Finished(tmp_path, {})
        finished.path(source).write_text(text)
        assert finished.get(source) is None


class TestEntry:
    def test_names_no_file_that_an_export_would_not_write(self, tmp_path):
        path = tmp_path / "a-1.json"
        files = [
            "sessions/a-1.parquet", "frames/day=2026-11-30/a-1.parquet", "sessions/../../a-1.parquet",
            "/etc/a-1.parquet", "sessions/b-2.parquet", "frames/day=../a-1.parquet", 7,
        ]  # fmt: skip
        result = {"files": files, "frames": 1, "sessions": 1, "stored": 1}
        path.write_text(json.dumps({"source": {"name": "a.icws", "size": 1}, "result": result}))
        assert read_entry(path).files == ("sessions/a-1.parquet", "frames/day=2026-11-30/a-1.parquet")

    @pytest.mark.parametrize(
        "result",
        [
            {},
            {"files": {}},
            {"files": [], "frames": "1", "sessions": 1, "stored": 1},
            {"files": [], "frames": 1, "sessions": -1, "stored": 1},
            {"files": [], "frames": 1, "sessions": 1, "stored": 10**400},
        ],
    )
    def test_that_lacks_something_is_none(self, tmp_path, result):
        path = tmp_path / "a-1.json"
        path.write_text(json.dumps({"source": {"name": "a.icws", "size": 1}, "result": result}))
        assert read_entry(path) is None


class TestReplacing:
    def test_leaves_the_old_file_where_writing_fails(self, tmp_path):
        path = tmp_path / "a.json"
        path.write_text("old")
        with pytest.raises(ZeroDivisionError), replacing(path) as target:
            target.write_text("new")
            raise ZeroDivisionError
        assert [each.name for each in tmp_path.iterdir()] == ["a.json"]
        assert path.read_text() == "old"

    def test_says_what_cannot_be_written(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(CaptureError, match="cannot write"), replacing(tmp_path / "file" / "a.json"):
            pass
