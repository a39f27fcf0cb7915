"""Healthy sessions of varied settings, and what the doctor says of them: nothing, else it is a false alarm.

python -m bench.healthy [--sweep N] [--seed S] [--live]

Each simulation is handed to the doctor as it was recorded and in one more way in which recordings come:
cut short, without a configuration, one session of several, as a browser's HAR. Certificates and requests
are real ones throughout.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

from icws_explore.analysis.doctor import Findings, diagnose

from .healthy_recordings import retold
from .healthy_settings import settings

WANTED = 200  # sessions
NORMAL = ("CLOSED_BY_APPLICATION",)  # what a finding may say of a healthy session: the canister's code closed it


class Healthy(NamedTuple):
    """One recording: what it is of, what was found, and how many sessions it holds that opened."""

    text: str
    findings: Findings
    sessions: int

    @property
    def alarms(self) -> list[str]:
        """The ids of what was found and should not have been."""
        return [it.id for it in self.findings if it.id not in NORMAL or it.severity != "info"]


def healthy(wanted: int = WANTED, seed: int = 1) -> Iterator[Healthy]:
    """Recordings of ``wanted`` simulated sessions at least; those told in another way do not count again."""
    count = 0
    for setting in settings(seed):
        simulation = setting.run()
        opened = simulation.counts.opened
        yield Healthy(str(setting), simulation.doctor(), opened)
        for how, capture in retold(simulation.raw, setting):
            yield Healthy(f"{setting}; {how}", diagnose(capture), 0)
        count += opened
        if count >= wanted:
            return


def main() -> int:
    """Print the false alarms, and how many recordings had none; their number is the exit code's."""
    parser = argparse.ArgumentParser(description="Healthy sessions, and false alarms of the doctor.")
    parser.add_argument("--sweep", type=int, default=WANTED, metavar="N", help="sessions (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    asked = parser.parse_args()
    began, recordings, sessions, wrong = time.monotonic(), 0, 0, 0
    for it in healthy(asked.sweep, asked.seed):
        recordings, sessions = recordings + 1, sessions + it.sessions
        if it.alarms:
            wrong += 1
            print(f"✗ {', '.join(it.alarms)}: {it.text}", flush=True)
    took_s = time.monotonic() - began
    print(f"{sessions} healthy sessions in {recordings} recordings: {wrong} with a false alarm ({took_s:.0f} s)")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
