"""How long the import and the start of a lab take, each in a new interpreter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from .timing import Cost

RUNS = 5
PROGRAMS = {
    "import icws_explore": ("", "import icws_explore"),
    "import and start a lab until it is ready": ("", "import icws_explore; lab = icws_explore.Lab().start()"),
    "start another lab until it is ready": (
        "import icws_explore; icws_explore.Lab().start().stop()",
        "lab = icws_explore.Lab().start()",
    ),
}


def start_costs() -> Iterator[Cost]:
    """Yield the cost of each program."""
    for name, (before, timed) in PROGRAMS.items():
        times = [_seconds(before, timed) for _ in range(RUNS + 1)][1:]  # the first run may write byte code
        yield Cost(name, min(times), median(times))


def _seconds(before: str, timed: str) -> float:
    lines = (before, "import time", "began = time.perf_counter()", timed, "print(time.perf_counter() - began)")
    command = [sys.executable, "-c", "\n".join(lines)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
