"""The doctor for many files: each is a result, also what cannot be read, and workers end with their work."""

import multiprocessing
import shutil
import time

import pandas as pd
import pytest

import icws_explore as icws
from icws_explore.analysis.doctor.many import Question, causes, examine_files, files_in, has_errors
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import ArgumentTypeError, CaptureError
from support import examiners
from support.data_files import SESSIONS

GOOD, BAD = SESSIONS / "healthy.icws", SESSIONS / "lost_message.icws"


@pytest.fixture
def folder(tmp_path):
    shutil.copy(GOOD, tmp_path / "a.icws")
    shutil.copy(BAD, tmp_path / "b.icws")
    (tmp_path / "inner").mkdir()
    shutil.copy(BAD, tmp_path / "inner" / "c.icws")
    (tmp_path / "torn.har").write_text("{")
    (tmp_path / "notes.txt").write_text("not looked at")
    return tmp_path


class TestDiagnose:
    def test_is_a_table_with_a_row_for_each_finding(self, folder):
        table = icws.diagnose(folder, workers=1)
        assert list(table.state) == ["passed", "failed", "failed", "unreadable"]
        assert list(table.cause.dropna()) == ["SEQUENCE_GAP_DOWN"] * 2
        assert table.groupby("cause").file.nunique().to_dict() == {"SEQUENCE_GAP_DOWN": 2}
        assert table.frames[1] == (8, 15)
        assert "not JSON" in table.explanation[3] or "not a HAR" in table.explanation[3]

    def test_the_same_with_several_processes(self, folder):
        one, several = (icws.diagnose([folder], workers=workers) for workers in (1, 2))
        pd.testing.assert_frame_equal(pd.DataFrame(one), pd.DataFrame(several))

    def test_with_the_key_that_is_given(self):
        assert list(icws.diagnose(GOOD, root_key=MAINNET_ROOT_KEY).cause) == ["ROOT_KEY"]

    def test_arguments_that_are_no_paths(self):
        with pytest.raises(ArgumentTypeError, match="paths must be"):
            icws.diagnose(5)


class TestFiles:
    def test_of_folders_are_the_recordings_in_them(self, folder):
        assert [path.name for path in files_in([folder])] == ["a.icws", "b.icws", "c.icws", "torn.har"]

    def test_are_each_taken_once(self, folder):
        assert len(files_in([folder, folder / "a.icws"])) == 4

    def test_that_are_named_need_no_suffix(self, folder):
        assert files_in([folder / "notes.txt"]) == [folder / "notes.txt"]

    def test_a_folder_without_any_is_refused(self, tmp_path):
        with pytest.raises(CaptureError, match="contains no recording"):
            files_in([tmp_path])


class TestCauses:
    def test_are_counted_with_a_first_example_the_worst_first(self, folder):
        results = list(examine_files(files_in([folder, SESSIONS / "forged_certificate.icws"]), workers=1))
        found = causes(results)
        assert [(each.first.id, each.files, each.sessions) for each in found] == [
            ("SEQUENCE_GAP_DOWN", 2, 2),
            ("BAD_CERTIFICATE", 1, 1),
            ("IGNORES_PROOFS", 1, 1),
        ]
        assert found[0].example == str(folder / "b.icws")
        assert has_errors(results)


class TestWorkers:
    def test_one_that_dies_costs_only_its_file(self, folder):
        shutil.copy(GOOD, folder / "die.icws")
        results = list(examine_files(files_in([folder]), Question(), workers=2, examine=examiners.dying))
        assert [(result.file.rsplit("/", 1)[1], result.state) for result in results] == [
            ("a.icws", "passed"),
            ("b.icws", "failed"),
            ("die.icws", "unreadable"),
            ("c.icws", "failed"),
            ("torn.har", "unreadable"),
        ]
        assert "the process that examined" in results[2].error

    def test_end_when_nobody_wants_more(self, tmp_path):
        for name in ("0", "1", "2", "3"):
            shutil.copy(GOOD, tmp_path / f"{name}.icws")
        before = set(multiprocessing.active_children())
        results = examine_files(files_in([tmp_path]), workers=2, examine=examiners.hanging)
        assert next(results).state == "passed"
        mine = set(multiprocessing.active_children()) - before
        assert mine
        results.close()
        while any(process.is_alive() for process in mine):  # the pool's thread may be the one that learns of the end
            time.sleep(0.01)
