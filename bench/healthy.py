"""Healthy sessions of varied settings, and what the doctor says of them: nothing, else it is a false alarm.

python -m bench.healthy [--sweep N] [--seed S] [--live]

Simulations of settings that are dealt at random, plans, the healthy recordings in data/, and with --live
the plans again over real sockets. Each simulation is handed to the doctor as it was recorded and in one
more way in which recordings come: cut short, without a configuration, one session of several, as a
browser's HAR. Certificates and requests are real ones throughout.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from icws_explore.analysis.doctor import Findings, diagnose
from icws_explore.analysis.doctor.facts import CaptureFacts
from icws_explore.analysis.recording import load
from icws_explore.capture import Capture
from icws_explore.lab.scenarios.live import play
from icws_explore.lab.scenarios.simulated import run_simulated
from icws_explore.lab.simulator import Simulation

from .healthy_plans import plans
from .healthy_recordings import retold
from .healthy_settings import settings

WANTED = 200  # sessions
DATA = Path(__file__).resolve().parent.parent / "data" / "sessions"
RECORDINGS = (
    "healthy.icws", "chat.icws", "markup.icws", "motoko_flavour.icws", "no_delegation.icws",
    "real_sdk_ed25519.icws.gz", "real_sdk_secp256k1.icws.gz", "real_sdk_delegation.icws.gz",
)  # fmt: skip
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
        if lost_a_poller(simulation):
            continue
        opened = simulation.counts.opened
        yield Healthy(str(setting), simulation.doctor(), opened)
        for how, capture in retold(simulation.raw, setting):
            yield Healthy(f"{setting}; {how}", diagnose(capture), 0)
        count += opened
        if count >= wanted:
            return


def lost_a_poller(simulation: Simulation) -> bool:
    """Whether no fault was needed: what a client left unread is deleted bit by bit, and the next poller finds a gap.

    So it is with the real gateway, and what the doctor says of it (POLLER_DEAD) is no false alarm.
    """
    return any(event.part == "gateway" and "terminated with error" in event.text for event in simulation.log)


def planned(seed: int = 1) -> Iterator[Healthy]:
    """The plans, simulated; people who come back, above all."""
    for plan in plans():
        simulation = run_simulated(plan.make(), seed)
        yield Healthy(f"{plan.text}, simulated", simulation.doctor(), simulation.counts.opened)


def played(names: Iterable[str] | None = None, seed: int = 1) -> Iterator[Healthy]:
    """The plans (None: all) over real sockets in the lab, recorded by a tap in front of each gateway."""
    for plan in plans():
        if names is None or plan.text in names:
            recording = play(plan.make(), time_scale=plan.time_scale, seed=seed)
            yield Healthy(f"{plan.text}, played × {plan.time_scale:g}", recording.doctor(), _opened(recording.raw))


def recorded() -> Iterator[Healthy]:
    """The healthy ones of the recordings in data/, the real SDK's among them."""
    for name in RECORDINGS:
        recording = load(DATA / name)
        yield Healthy(name, recording.doctor(), _opened(recording.raw))


def _opened(capture: Capture) -> int:
    return sum(session.opened is not None for session in CaptureFacts(capture).sessions)


def main() -> int:
    """Print the false alarms, and how many recordings have one; the exit code is 1 where there is any."""
    parser = argparse.ArgumentParser(description="Healthy sessions, and false alarms of the doctor.")
    parser.add_argument("--sweep", type=int, default=WANTED, metavar="N", help="sessions (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--live", action="store_true", help="the plans over real sockets, too (some minutes)")
    asked = parser.parse_args()
    began, recordings, sessions, wrong = time.monotonic(), 0, 0, 0
    kinds = [healthy(asked.sweep, asked.seed), planned(asked.seed), recorded()]
    for it in chain(*kinds, played(seed=asked.seed) if asked.live else ()):
        recordings, sessions = recordings + 1, sessions + it.sessions
        if it.alarms:
            wrong += 1
            print(f"✗ {', '.join(it.alarms)}: {it.text}", flush=True)
    took_s = time.monotonic() - began
    print(f"{sessions} healthy sessions in {recordings} recordings: {wrong} with a false alarm ({took_s:.0f} s)")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
