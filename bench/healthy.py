"""Diagnoses healthy sessions with varied settings. Any finding is a false alarm.

python -m bench.healthy [--sweep N] [--seed S] [--live]

The sessions are: simulations with random settings, plans in the simulator, the healthy recordings in data/, and with
--live the plans over real sockets. One simulation in four runs on busy machines, whose delays jump. The doctor gets
each simulation as it was recorded, as a recorder on a busy machine writes it, and once more in another form in which
recordings arrive: cut short, without a configuration, one session of several, or as a browser's HAR. All certificates
and requests are real. `make healthy` runs 3,000 sessions.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
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
from .healthy_recordings import by_a_busy_machine, converted
from .healthy_settings import settings

WANTED = 200  # sessions
TELL_EVERY = 250  # sessions
DATA = Path(__file__).resolve().parent.parent / "data" / "sessions"
RECORDINGS = (
    "healthy.icws", "chat.icws", "markup.icws", "motoko_flavour.icws", "no_delegation.icws",
    "real_sdk_ed25519.icws.gz", "real_sdk_secp256k1.icws.gz", "real_sdk_delegation.icws.gz",
)  # fmt: skip
FIRST_KEY = "_" + "0" * 20  # the end of the key of a gateway's first message
NORMAL = ("CLOSED_BY_APPLICATION",)  # a finding that a healthy session may have: the canister's code closed it


class Healthy(NamedTuple):
    """One recording: its description, the findings, and the number of sessions in it that opened."""

    text: str
    findings: Findings
    sessions: int

    @property
    def alarms(self) -> list[str]:
        """The ids of the false alarms."""
        return [found.id for found in self.findings if found.id not in NORMAL or found.severity != "info"]


def healthy(wanted: int = WANTED, seed: int = 1) -> Iterator[Healthy]:
    """Yield simulations until ``wanted`` sessions have opened. Each also comes in two other forms, not counted."""
    count = 0
    for setting in settings(seed):
        simulation = setting.run()
        if lost_a_poller(simulation) or removed_a_polling_gateway(simulation):
            continue
        opened = simulation.counts.opened
        yield Healthy(str(setting), simulation.doctor(), opened)
        busy = by_a_busy_machine(simulation.raw, setting.number)
        yield Healthy(f"{setting}; recorded by a busy machine", diagnose(busy), 0)
        for form, capture in converted(simulation.raw, setting):
            yield Healthy(f"{setting}; {form}", diagnose(capture), 0)
        count += opened
        if count >= wanted:
            return


def lost_a_poller(simulation: Simulation) -> bool:
    """Return whether a gateway's poller ended, which can happen without any fault.

    The canister deletes messages that a client left unread, and the next poller finds a gap in the nonces. The real
    gateway ends its poller then too, so the doctor's finding POLLER_DEAD is correct and no false alarm.
    """
    return any(event.part == "gateway" and "terminated with error" in event.text for event in simulation.log)


def removed_a_polling_gateway(simulation: Simulation) -> bool:
    """Return whether a session could not open because the canister removed its gateway, which can happen without fault.

    At a keep-alive check the CDK removes a gateway that had no clients for longer than an ack interval, and then counts
    its messages from 0 again. A gateway whose next client came just before has a poller that has read the old messages
    and asks for the nonces that follow them, so the doctor's finding OPEN_TIMEOUT is correct and no false alarm.
    """
    log = simulation.world.event_log
    relayed = b"".join(frame for _, frame in log.polled)
    first = [(key, content) for _, key, _, content in log.queued if key.endswith(FIRST_KEY)]
    numbered_again = {key for key, count in Counter(key for key, _ in first).items() if count > 1}
    return any(key in numbered_again and content not in relayed for key, content in first)


def planned(seed: int = 1) -> Iterator[Healthy]:
    """Yield the plans in the simulator, most of all users who return."""
    for plan in plans():
        simulation = run_simulated(plan.make(), seed)
        yield Healthy(f"{plan.text}, simulated", simulation.doctor(), simulation.counts.opened)


def played(names: Iterable[str] | None = None, seed: int = 1) -> Iterator[Healthy]:
    """Yield the plans of those names (None: all) over real sockets, recorded by a tap in front of each gateway."""
    for plan in plans():
        if names is None or plan.text in names:
            recording = play(plan.make(), time_scale=plan.time_scale, seed=seed)
            yield Healthy(f"{plan.text}, played × {plan.time_scale:g}", recording.doctor(), _opened(recording.raw))


def recorded() -> Iterator[Healthy]:
    """Yield the healthy recordings of data/, some of which come from the real SDK."""
    for name in RECORDINGS:
        recording = load(DATA / name)
        yield Healthy(name, recording.doctor(), _opened(recording.raw))


def _opened(capture: Capture) -> int:
    return sum(session.opened is not None for session in CaptureFacts(capture).sessions)


def main() -> int:
    """Print the false alarms and the number of recordings that have one. The exit code is 1 if there is any."""
    parser = argparse.ArgumentParser(description="Diagnose healthy sessions and print false alarms.")
    parser.add_argument("--sweep", type=int, default=WANTED, metavar="N", help="sessions (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--live", action="store_true", help="also run the plans over real sockets (some minutes)")
    asked = parser.parse_args()
    began, recordings, sessions, wrong = time.monotonic(), 0, 0, 0
    kinds = [healthy(asked.sweep, asked.seed), planned(asked.seed), recorded()]
    for recording in chain(*kinds, played(seed=asked.seed) if asked.live else ()):
        recordings, before, sessions = recordings + 1, sessions, sessions + recording.sessions
        if recording.alarms:
            wrong += 1
            print(f"✗ {', '.join(recording.alarms)}: {recording.text}", flush=True)
        if sessions // TELL_EVERY > before // TELL_EVERY:
            print(f"… {sessions} sessions, {wrong} with a false alarm", file=sys.stderr, flush=True)
    took_s = time.monotonic() - began
    print(f"{sessions} healthy sessions in {recordings} recordings: {wrong} with a false alarm ({took_s:.0f} s)")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
