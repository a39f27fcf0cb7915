"""`icws drill` as a process, with a dapp that reconnects."""

import json
import signal
import subprocess
import sys

import pytest
from lab.test_drill import Dapp

from icws_explore.cli.console import show_table
from icws_explore.cli.drill import _table
from icws_explore.lab import Lab
from icws_explore.lab.drill import DrillRow


class Through:
    """What a dapp connects to."""

    def __init__(self, url):
        self.url = url


def start(*arguments):
    command = [sys.executable, "-m", "icws_explore.cli", "drill", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def lab():
    with Lab("echo", time_scale=20) as running:
        yield running


class TestDrill:
    def test_json_and_exit_code(self, lab):
        faults = ["--fault", "body-hash", "--fault", "CONNECTION_LOST"]
        with start(lab.gateway_url, *faults, "--json", "--patience", "30", "--return", "30") as process:
            ready = json.loads(process.stdout.readline())
            assert (ready["faults"], ready["gateway_url"]) == (["BODY_HASH", "CONNECTION_LOST"], lab.gateway_url)
            with Dapp(Through(ready["url"]), lab):
                out, err = process.communicate(timeout=120)
        rows = [json.loads(line) for line in out.splitlines()]
        assert [(row["fault"], row["noticed"], row["recovered"]) for row in rows] == [
            ("BODY_HASH", "yes", "yes"),
            ("CONNECTION_LOST", "yes", "yes"),
        ]
        assert (process.returncode, err) == (0, "")

    def test_for_people(self, lab):
        with start(lab.gateway_url, "--fault", "CONNECTION_LOST", "--return", "1") as process:
            url = process.stdout.readline().split()[1]
            with Dapp(Through(url), lab, reconnects=False):
                out, err = process.communicate(timeout=60)
        assert "CONNECTION_LOST  its session was ended; it did not come back  ✗ no     ✗ no" in out
        assert "1/1 CONNECTION_LOST: the client's network fails once" in err
        assert process.returncode == 1

    def test_ctrl_c_ends_it(self, lab):
        with start(lab.gateway_url) as process:
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
            assert "Traceback" not in process.stderr.read()

    @pytest.mark.parametrize("arguments", [["ws://x", "--fault", "KEEPALIVE_LATE"], ["nonsense"]])
    def test_what_cannot_be_is_one_line(self, icws, arguments):
        icws.fails(3, "drill", *arguments)

    def test_an_unknown_fault_is_corrected(self, icws):
        assert "did you mean BODY_HASH" in icws.fails(2, "drill", "ws://x", "--fault", "BODY_HAS")

    def test_the_table_shows_what_a_peer_wrote_as_text(self, capsys):
        row = DrillRow("BODY_HASH", "", "it closed with 4000 '[red]\x1b[2J'", "yes", "not checked")
        show_table(_table([row]))
        out = capsys.readouterr().out
        assert "[red]·[2J" in out
        assert "? not checked" in out
