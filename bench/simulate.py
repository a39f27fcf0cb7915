"""What simulations cost: an hour of one session, and ten minutes of a thousand. Each runs in a process of its own.

The hour is also measured without skipping idle polls, as the lab has to run it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from icws_explore.lab.faults import Faults
from icws_explore.lab.simulator import Simulation, simulate
from icws_explore.protocol.gateway.events import PollOutcome

from .timing import duration_text


class EveryPoll(Faults):
    """Changes nothing. It overrides the hook for poll answers, so no poll is skipped."""

    def poll_answer(self, gateway: int, outcome: PollOutcome) -> tuple[PollOutcome, float]:
        del gateway
        return outcome, 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement. ``limit_s`` and ``limit_mib`` are the limits that the project promises, if any."""

    name: str
    simulate: Callable[[], Simulation]
    limit_s: float | None = None
    limit_mib: float | None = None


RUNS = {
    "hour": Run("an hour of one session", lambda: simulate(duration="1h"), 2.0),
    "polls": Run("the same, without skipping idle polls", lambda: simulate(duration="1h", faults=EveryPoll())),
    "hour-stand-in": Run("an hour of one session, stand-in", lambda: simulate(duration="1h", crypto="stand-in")),
    "many": Run(
        "ten minutes of 1,000 sessions, stand-in",
        lambda: simulate(duration="10m", population=1_000, crypto="stand-in"),
        120.0,
        1_536.0,
    ),
}


def measured(keys: Iterable[str] = tuple(RUNS)) -> Iterator[dict[str, Any]]:
    """Yield for each run of ``keys``: its name, wall and processor seconds, peak MiB, frames, events, limits."""
    for key in keys:
        run = RUNS[key]
        child = [sys.executable, "-m", "bench.simulate", key]
        done = subprocess.run(child, check=True, capture_output=True, text=True)
        facts = json.loads(done.stdout)
        yield {"name": f"simulate {run.name}", **facts, "limit_s": run.limit_s, "limit_mib": run.limit_mib}


def row(facts: dict[str, Any]) -> tuple[str, ...]:
    """Return a row of the table."""
    return (
        facts["name"],
        _of(duration_text(facts["took_s"]), facts["limit_s"], "s"),
        duration_text(facts["cpu_s"]),
        _of(f"{facts['peak_mib']:.0f} MiB", facts["limit_mib"], "MiB"),
        f"{facts['frames']:,}",
        f"{facts['events']:,}",
    )


HEADINGS = ("simulation", "took (at most)", "of the processor", "peak (at most)", "frames", "events")


def _of(text: str, limit: float | None, unit: str) -> str:
    return text if limit is None else f"{text} ({limit:,.0f} {unit})"


def main(key: str) -> None:
    """Run one simulation once and print what it took. This runs in the child process."""
    simulate(duration="5s")  # fills imports and caches
    began, cpu = time.perf_counter(), time.process_time()
    simulation = RUNS[key].simulate()
    took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_mib = peak / 2**20 if sys.platform == "darwin" else peak / 2**10
    counts = simulation.counts
    facts = {"took_s": took_s, "cpu_s": cpu_s, "peak_mib": peak_mib, "frames": counts.frames, "events": counts.events}
    print(json.dumps(facts))


if __name__ == "__main__":
    main(sys.argv[1])
