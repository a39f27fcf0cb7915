"""Many recordings in one analysis: the same numbers however it is done, and nothing is done twice."""

import json
import os
import shutil

import pandas as pd
import pytest

import icws_explore as icws
from icws_explore.analysis.fleet.analyze import parts_of
from icws_explore.protocol.errors import ArgumentTypeError, ArgumentValueError, CaptureError
from support.data_files import SESSIONS


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("healthy", "lost_message", "motoko_flavour"):
        shutil.copy(SESSIONS / f"{name}.icws", folder / f"{name}.icws")
    return folder


class TestAnalysis:
    def test_counts_what_the_doctor_says(self, folder):
        analysis = icws.analyze(folder)
        assert analysis.states == {"passed": 2, "failed": 1}
        assert analysis.total.causes == {"SEQUENCE_GAP_DOWN": 1}
        versions = {name: tally.sessions for name, tally in analysis.groups("version") if "CDK" in name}
        assert versions == {"canister's CDK: Rust": 2, "canister's CDK: Motoko": 1}
        assert repr(analysis) == f"<Analysis of 3 recordings: 3 sessions, {dict(analysis.states)}>"

    def test_of_a_dataset_is_that_of_its_recordings(self, folder, tmp_path):
        icws.write_dataset(folder, tmp_path / "dataset")
        one, other = icws.analyze(folder), icws.analyze(tmp_path / "dataset")
        pd.testing.assert_frame_equal(one.table(), other.table())
        assert (one.states, one.size) == (other.states, other.size)

    @pytest.mark.slow
    def test_is_the_same_with_processes(self, folder):
        pd.testing.assert_frame_equal(icws.analyze(folder).table(), icws.analyze(folder, workers=2).table())

    def test_an_unreadable_file_is_a_result(self, folder):
        (folder / "z.har").write_text("{")
        analysis = icws.analyze(folder)
        assert analysis.states["unreadable"] == 1
        assert analysis.unreadable[0][0] == "z.har"
        assert analysis.total.sessions == 3

    def test_a_damaged_dataset_is_a_result(self, folder, tmp_path):
        icws.write_dataset(folder, tmp_path / "dataset")
        next(iter((tmp_path / "dataset" / "acks").iterdir())).write_bytes(b"no Parquet")
        next(iter((tmp_path / "dataset" / "_recordings").glob("motoko*"))).write_text("{")
        analysis = icws.analyze(tmp_path / "dataset")
        assert analysis.states == {"unreadable": 2, "failed": 1}
        assert "cannot read" in "".join(error for _, error in analysis.unreadable)


class TestOutput:
    def test_is_the_table(self, folder, tmp_path):
        for name in ("a.parquet", "a.csv", "a.json"):
            table = icws.analyze(folder, out=tmp_path / name).table()
            read = {"parquet": pd.read_parquet, "csv": pd.read_csv, "json": lambda path: pd.read_json(path, lines=True)}
            stored = read[name.partition(".")[2]](tmp_path / name)
            assert list(stored.columns) == list(table.columns)
            assert list(stored.sessions) == list(table.sessions)
            assert [json.loads(causes) for causes in stored.causes] == list(table.causes)

    def test_in_another_format(self, folder, tmp_path):
        with pytest.raises(ArgumentValueError, match=r"must end in \.parquet, \.csv, \.json"):
            icws.analyze(folder, out=tmp_path / "a.xlsx")


class TestAgain:
    def analyzed(self, folder, out):
        seen = {}
        analysis = icws.analyze(folder, out=out, progress=lambda counted: seen.update({counted.name: counted.skipped}))
        return analysis, seen

    def test_skips_what_has_not_changed(self, folder, tmp_path):
        out = tmp_path / "a.parquet"
        first, seen = self.analyzed(folder, out)
        assert set(seen.values()) == {False}
        os.utime(folder / "healthy.icws", ns=(1, 1))
        again, seen = self.analyzed(folder, out)
        assert seen == {"healthy.icws": False, "lost_message.icws": True, "motoko_flavour.icws": True}
        pd.testing.assert_frame_equal(first.table(), again.table())

    def test_goes_on_where_it_was_interrupted(self, folder, tmp_path):
        def interrupt(counted):
            raise KeyboardInterrupt

        out = tmp_path / "a.csv"
        with pytest.raises(KeyboardInterrupt):
            icws.analyze(folder, out=out, progress=interrupt)
        assert len(list(parts_of(out).iterdir())) == 1
        assert not out.exists()
        _, seen = self.analyzed(folder, out)
        assert sorted(seen.values()) == [False, False, True]

    @pytest.mark.parametrize("changed", [{"tallies": [["all", "", {}]]}, {"size": float("inf")}])
    def test_does_again_what_is_damaged_or_could_not_be_read(self, folder, tmp_path, changed):
        (folder / "z.har").write_text("{")
        out = tmp_path / "a.csv"
        self.analyzed(folder, out)
        damaged = next(iter(parts_of(out).glob("healthy*")))
        kept = json.loads(damaged.read_text())
        kept["result"] |= changed
        damaged.write_text(json.dumps(kept))
        _, seen = self.analyzed(folder, out)
        assert {name for name, skipped in seen.items() if not skipped} == {"healthy.icws", "z.har"}

    def test_does_all_again_with_another_question(self, folder, tmp_path):
        self.analyzed(folder, tmp_path / "a.csv")
        seen = {}
        key = icws.load(folder / "healthy.icws").info.root_key
        icws.analyze(
            folder, out=tmp_path / "a.csv", root_key=key, progress=lambda each: seen.update({each.name: each.skipped})
        )
        assert set(seen.values()) == {False}


class TestWrong:
    def test_a_folder_without_a_recording(self, tmp_path):
        with pytest.raises(CaptureError, match="contains no recording"):
            icws.analyze(tmp_path)

    def test_what_is_no_path(self):
        with pytest.raises(ArgumentTypeError, match="paths must be"):
            icws.analyze(5)

    def test_groups_of_another_kind(self, folder):
        with pytest.raises(ArgumentValueError, match="by must be one of all"):
            icws.analyze(folder).groups("client")
