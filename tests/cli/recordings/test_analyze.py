"""`icws analyze`: tables by whom it concerns, a file of all numbers, and it goes on where it was interrupted."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.data_files import SESSIONS

HANG_S = 60  # a hang guard


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("healthy", "lost_message", "motoko_flavour"):
        shutil.copy(SESSIONS / f"{name}.icws", folder / f"{name}.icws")
    return folder


class TestOutput:
    def test_is_a_table_for_each_kind_of_group(self, icws, folder):
        assert icws("analyze", folder).code == 1
        lines = icws.out.splitlines()
        assert lines[0].endswith(": 2 passed, 1 failed")
        assert lines[1] == "3 sessions, 46 frames"
        assert [line.split()[0] for line in lines if "opened" in line] == ["canister", "gateway", "day", "version"]
        assert any(line.split() == ["SEQUENCE_GAP_DOWN", "1"] for line in lines)

    def test_of_one_kind_and_its_largest_groups(self, icws, folder):
        icws("analyze", folder, "--by", "gateway", "--top", "1")
        assert icws.out.splitlines()[-1] == "and 1 more: --top N"
        assert "version" not in icws.out

    def test_as_json_holds_every_number(self, icws, folder):
        icws("analyze", folder, "--json")
        told = json.loads(icws.out)
        assert told["states"] == {"passed": 2, "failed": 1}
        total = next(group for group in told["groups"] if group["by"] == "all")
        assert (total["sessions"], total["causes"]) == (3, {"SEQUENCE_GAP_DOWN": 1})

    def test_of_healthy_ones(self, icws, folder):
        assert icws("analyze", folder / "healthy.icws").code == 0

    def test_of_one_that_cannot_be_read(self, icws, folder, tmp_path):
        (tmp_path / "b.har").write_text("{")
        assert icws("analyze", tmp_path / "b.har", folder / "healthy.icws").code == 3
        assert f"– {tmp_path / 'b.har'}" in icws.out

    def test_has_no_control_characters_of_a_file(self, icws, folder):
        text = (folder / "healthy.icws").read_text().splitlines()
        head = json.loads(text[0]) | {"gateway_url": "ws://a\x1b[2Jb"}
        (folder / "healthy.icws").write_text("\n".join([json.dumps(head), *text[1:]]))
        icws("analyze", folder)
        assert "\x1b[2J" not in icws.out


class TestAgain:
    def test_skips_what_has_not_changed(self, icws, folder, tmp_path):
        out = tmp_path / "a.csv"
        first = icws("analyze", folder, "--out", out).out
        assert first.endswith(f"written {out}\n")
        assert icws("analyze", folder, "--out", out).out == first
        assert "3 recordings had not changed since the last time, and were skipped" in icws.err

    @pytest.mark.slow
    def test_after_an_interrupt_goes_on(self, folder, tmp_path):
        """Ctrl-C goes to every process of a terminal; none is left, and the next run knows what was done."""
        for number in range(400):
            shutil.copy(folder / "lost_message.icws", folder / f"l{number}.icws")
        out = tmp_path / "a.csv"
        command = [sys.executable, "-m", "icws_explore.cli", "analyze", folder, "--workers", "2", "--out", out]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
            parts = Path(f"{out}.parts")
            while not parts.exists() or not any(parts.iterdir()):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    assert process.wait(0.05) is None, process.stderr.read()
            os.killpg(process.pid, signal.SIGINT)
            _, err = process.communicate(timeout=HANG_S)
        assert process.returncode == 130
        assert err.splitlines()[-1].endswith(f"the same command with --out {out} goes on there")
        assert "Traceback" not in err
        done = len(list(parts.iterdir()))
        again = subprocess.run([*command[:-3], "1", "--out", out], capture_output=True, text=True, check=False)
        assert f"{done} recording" in again.stderr
        assert len(list(parts.iterdir())) == 403


class TestWrong:
    def test_an_output_of_another_kind(self, icws, folder, tmp_path):
        assert "must end in .parquet" in icws.fails(3, "analyze", folder, "--out", tmp_path / "a.xlsx")

    def test_a_folder_without_a_recording(self, icws, tmp_path):
        assert "contains no recording" in icws.fails(3, "analyze", tmp_path)
