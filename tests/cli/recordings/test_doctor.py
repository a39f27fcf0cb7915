"""`icws doctor` of several files: a line a file, then causes; what cannot be read is a line."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from support.data_files import SESSIONS

GOOD, BAD = SESSIONS / "healthy.icws", SESSIONS / "lost_message.icws"


@pytest.fixture
def folder(tmp_path):
    for name, source in (("a.icws", GOOD), ("b.icws", BAD), ("c.icws", BAD)):
        shutil.copy(source, tmp_path / name)
    return tmp_path


def is_there(group):
    """Whether a process of the group still runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


class TestManyFiles:
    def test_are_a_line_each_and_then_the_causes(self, icws, folder):
        assert icws("doctor", folder).code == 1
        lines = icws.out.splitlines()
        assert lines[0].endswith("a.icws    1 session  nothing is wrong")
        assert lines[1].endswith("b.icws    1 session  SEQUENCE_GAP_DOWN")
        assert lines[4] == "✗ SEQUENCE_GAP_DOWN  error  2 of 3 files, 2 sessions"
        assert lines[5].startswith(f"    first: {folder / 'b.icws'}, frames 8, 15: Frame 8 is the canister's message 5")
        assert lines[-1] == "3 files: 2 with errors, 1 fine"

    def test_one_file_keeps_its_output(self, icws):
        assert icws("doctor", GOOD).out == "nothing is wrong\n"

    def test_an_unreadable_one_is_a_line_and_not_the_end(self, icws, folder):
        (folder / "a0.har").write_text("{")
        assert icws("doctor", folder / "a0.har", GOOD).code == 3
        assert icws.out.splitlines()[0].startswith(f"– {folder / 'a0.har'}")
        assert icws.out.splitlines()[-1] == "2 files: 1 fine, 1 unreadable"
        assert icws("doctor", folder).code == 1

    def test_healthy_ones(self, icws):
        assert icws("doctor", GOOD, SESSIONS / "real_sdk_ed25519.icws.gz").code == 0

    def test_json_is_a_line_a_file_and_one_of_the_causes(self, icws, folder):
        assert icws("doctor", folder, "--json").code == 1
        *files, last = [json.loads(line) for line in icws.out.splitlines()]
        assert [each["state"] for each in files] == ["passed", "failed", "failed"]
        assert last["files"] == 3
        assert [(each["id"], each["files"]) for each in last["causes"]] == [("SEQUENCE_GAP_DOWN", 2)]

    def test_frames_show_the_evidence_of_each_file(self, icws, folder):
        icws("doctor", folder, "--frames")
        assert sum(line.startswith("    >     8    15.555 ← ■ app") for line in icws.out.splitlines()) == 2

    def test_a_session_is_one_of_one_recording(self, icws, folder):
        assert "give one FILE" in icws.fails(2, "doctor", folder, "--session", "1")

    def test_an_interrupt_ends_all_workers(self, folder):
        for number in range(60):  # more than a megabyte, so that there are workers
            shutil.copy(BAD, folder / f"d{number}.icws")
        process = subprocess.Popen(
            [sys.executable, "-m", "icws_explore.cli", "doctor", str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout.readline().startswith("✓".encode())
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert b"Traceback" not in err
        until = time.monotonic() + 30
        while is_there(process.pid) and time.monotonic() < until:
            time.sleep(0.05)
        assert not is_there(process.pid)


class TestFrames:
    def test_are_shown_below_their_finding(self, icws):
        assert icws("doctor", BAD, "--frames").code == 1
        lines = icws.out.splitlines()
        assert lines[0].startswith("✗ SEQUENCE_GAP_DOWN")
        named = [line for line in lines if line.startswith("    > ")]
        assert [line.split()[1:3] for line in named] == [["8", "15.555"], ["■", "15"]]

    def test_are_not_shown_unasked(self, icws):
        assert "■ app" not in icws("doctor", BAD).out
