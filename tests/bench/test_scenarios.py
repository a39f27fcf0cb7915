"""What `make scenarios` does around the matrix: judge, store only what is whole, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psutil
import pytest
from click.testing import CliRunner, Result

from bench import scenarios
from bench.confusion import Run, load
from bench.healthy import Healthy
from icws_explore.analysis.doctor import RULES, Findings
from icws_explore.lab.scenarios import SCENARIOS
from support.jumping_lab import wait_for
from support.machine import ROOT


def inline(work: Sequence[Callable[[], Any]], jobs: int, title: str) -> Iterator[Any]:
    return (each() for each in reversed(work))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Callable[..., Result]:
    """The command with nothing played: every scenario is found as it should be, but those in ``wrong``."""

    def call(*arguments: str, wrong: str = "", alarms: Findings | None = None) -> Result:
        def run_of(name: str, stage: Any, seed: int) -> Run:
            found = "POLLER_DEAD" if name == wrong and stage == "sockets" else name
            return Run(name, stage, seed, ((found, RULES[found].severity),), ("1000",), 1)

        monkeypatch.setattr(scenarios, "run_of", run_of)
        monkeypatch.setattr(scenarios, "side_by_side", inline)
        monkeypatch.setattr(scenarios, "DATA", tmp_path / "matrix.csv")
        monkeypatch.setattr(scenarios, "write_page", lambda matrix: (tmp_path / "page.md").touch())
        for name in ("healthy", "planned", "played"):
            monkeypatch.setattr(scenarios, name, lambda *_: [Healthy("all is well", alarms or Findings(), 50)])
        return CliRunner().invoke(scenarios.main, arguments)

    return call


class TestCommand:
    def test_all_named_is_0_and_stored(self, bench, tmp_path):
        result = bench("--seeds", "2")
        assert result.exit_code == 0
        matrix = load(tmp_path / "matrix.csv")
        assert {name for name, _ in matrix.rows} == set(SCENARIOS)
        assert matrix.row("STALE_NONCE", "simulated").runs == 2
        assert matrix.healthy["simulated"].sessions == 250
        assert (tmp_path / "page.md").exists()

    def test_one_that_is_not_named_is_reported_and_exits_with_1(self, bench, tmp_path):
        result = bench("--seeds", "1", wrong="LOST_UP")
        assert result.exit_code == 1
        assert "✗ LOST_UP, sockets, seed 1: POLLER_DEAD (error)" in result.stderr
        assert not load(tmp_path / "matrix.csv").is_right  # what was found is stored, right or wrong

    def test_a_false_alarm_is_reported_and_exits_with_1(self, bench):
        alarm = SCENARIOS["ANONYMOUS"].run(1).doctor()
        result = bench("--seeds", "1", alarms=alarm)
        assert result.exit_code == 1
        assert "✗ ANONYMOUS: all is well" in result.stderr

    @pytest.mark.parametrize("arguments", [("LOST_UP",), ("--plays", "0"), ("--seeds", "0"), ("--sessions", "0")])
    def test_a_part_is_not_stored(self, bench, tmp_path, arguments):
        assert bench(*arguments).exit_code == 0
        assert not (tmp_path / "matrix.csv").exists()


@pytest.mark.slow
class TestSideBySide:
    def test_plays_for_real_in_processes_of_their_own(self):
        """Both stages of one scenario, as the command does it."""
        command = [sys.executable, "-m", "bench.scenarios", "RAW_CLIENT", "--seeds", "1", "--plays", "1"]
        done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert "over real sockets: 1 of 1 scenarios (1 of 1 runs)" in done.stdout

    def test_an_interrupt_ends_it_and_leaves_nothing_running(self):
        command = [sys.executable, "-m", "bench.scenarios", "UPGRADE_WIPE", "STALE_NONCE", "--seeds", "0"]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            wait_for(lambda: any(map(listens, psutil.Process(process.pid).children())))  # a lab is there
            workers = psutil.Process(process.pid).children()
            os.killpg(process.pid, signal.SIGINT)
            _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert said.endswith("Aborted!\n")
        assert "Traceback" not in said
        # The resource tracker of multiprocessing sees the end a moment later.
        wait_for(lambda: not any(worker.is_running() for worker in workers))


def listens(process: psutil.Process) -> bool:
    try:
        return any(each.status == psutil.CONN_LISTEN for each in process.net_connections(kind="tcp"))
    except psutil.Error:  # it has ended, or only begins
        return False
