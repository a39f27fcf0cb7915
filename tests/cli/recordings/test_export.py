"""`icws export`: a file beside the recording, a folder for several, a collector; nothing is overwritten unasked."""

import json
import shutil

import pytest

from icws_explore.capture import load
from icws_explore.capture.har import load_har
from support.data_files import SESSIONS


@pytest.fixture
def recording(tmp_path):
    return shutil.copy(SESSIONS / "healthy.icws", tmp_path / "s.icws")


class TestExport:
    @pytest.mark.parametrize(
        ("wanted", "name"), [("har", "s.har"), ("csv", "s.csv"), ("parquet", "s.parquet"), ("otlp", "s.otlp.jsonl")]
    )
    def test_writes_beside_the_recording(self, icws, recording, tmp_path, wanted, name):
        assert icws("export", recording, "--to", wanted).code == 0
        assert (tmp_path / name).stat().st_size > 1000
        assert icws.out.splitlines() == [f"written {tmp_path / name}"]

    def test_a_har_is_read_back(self, icws, recording, tmp_path):
        assert icws("export", recording, "--to", "har").code == 0
        assert "A HAR does not hold the root key" in icws.err
        assert load_har(tmp_path / "s.har").frames == load(recording).frames
        assert icws("compare", recording, tmp_path / "s.har").code == 0

    def test_several_into_a_folder(self, icws, tmp_path):
        files = [SESSIONS / "healthy.icws", SESSIONS / "real_sdk_ed25519.icws.gz"]
        assert icws("export", *files, "--to", "csv", "-o", f"{tmp_path}/tables/").code == 0
        assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == ["healthy.csv", "real_sdk_ed25519.csv"]

    def test_json(self, icws, recording, tmp_path):
        icws("export", recording, "--to", "har", "--json")
        told = json.loads(icws.out)
        assert (told["file"], told["output"], told["frames"]) == (str(recording), str(tmp_path / "s.har"), 17)
        assert told["loss"].startswith("A HAR does not hold")

    def test_redacted(self, icws, recording, tmp_path):
        icws("export", recording, "--to", "csv", "--redact")
        assert "ping" not in (tmp_path / "s.csv").read_text()


class TestWrong:
    def test_a_file_that_is_there_stays(self, icws, recording, tmp_path):
        icws("export", recording, "--to", "har")
        assert "--force" in icws.fails(3, "export", recording, "--to", "har")
        assert icws("export", recording, "--to", "har", "--force").code == 0

    def test_several_into_one_file(self, icws, recording, tmp_path):
        line = icws.fails(3, "export", recording, recording, "--to", "har", "-o", tmp_path / "one.har")
        assert "-o names a folder" in line

    def test_the_recording_itself(self, icws, recording):
        assert "is the recording" in icws.fails(3, "export", recording, "--to", "csv", "-o", recording, "--force")

    def test_an_address_for_a_file(self, icws, recording):
        assert "only --to otlp" in icws.fails(2, "export", recording, "--to", "har", "-o", "http://127.0.0.1:1/")


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / "recordings"
        folder.mkdir()
        shutil.copy(SESSIONS / "healthy.icws", folder / "a.icws")
        return folder

    def test_becomes_a_dataset_beside_it(self, icws, folder, tmp_path):
        assert icws("export", folder, "--to", "parquet").code == 0
        assert icws.out.startswith(f"written {folder}.dataset: 1 recording, 17 frames, ")
        assert icws("analyze", f"{folder}.dataset").code == 0

    def test_is_written_once(self, icws, folder, tmp_path):
        icws("export", folder, "--to", "parquet", "-o", tmp_path / "d")
        assert icws("export", folder, "--to", "parquet", "-o", tmp_path / "d").out.endswith("; 1 had not changed\n")
        told = json.loads(icws("export", folder, "--to", "parquet", "-o", tmp_path / "d", "--json").out)
        assert (told["file"], told["frames"], told["skipped"]) == ("a.icws", 17, True)

    def test_with_a_file_that_cannot_be_read(self, icws, folder, tmp_path):
        (folder / "b.har").write_text("{")
        assert icws("export", folder, "--to", "parquet", "-o", tmp_path / "d").code == 3
        assert icws.err.startswith("b.har cannot be read: ")

    def test_in_another_format(self, icws, folder):
        assert "--to parquet alone" in icws.fails(2, "export", folder, "--to", "csv")
        assert "go with a folder" in icws.fails(2, "export", folder / "a.icws", "--to", "csv", "--workers", "2")
        assert "-o names the dataset" in icws.fails(2, "export", folder, folder, "--to", "parquet")
