"""How many sessions of one message a second a lab serves: in the process of its clients, and in one of its own.

The clients are those of `icws load`. In the first case they share a process with the lab, as in a notebook; in the
second there are two labs in processes of their own behind one address (`icws lab --workers 2`), and two processes of
clients. Served are sessions that all open and stay open, with 99 of 100 answers within a second of the moment at which
the message was due. The number is found by halving, so it is good to `STEP`. It is what the machine has left: run it
alone.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

STEP: Final = 25
MOST: Final = 1000
FOR_S: Final = 15.0
OPENS_PER_S: Final = 40.0
P99_MS: Final = 1000.0
ICWS: Final = [sys.executable, "-m", "icws_explore.cli"]
# The lab and the clients in one process.
TOGETHER: Final = """
import sys
from icws_explore.cli.main import run
from icws_explore.lab import Lab
with Lab("echo") as lab:
    target = [lab.gateway_url, "--network", lab.network_url, "--canister", str(lab.canister_id)]
    run(["load", *target, *sys.argv[1:]])
"""


def together() -> float:
    """The sessions with a lab in the process of its clients."""
    return _most(lambda number: _json([sys.executable, "-c", TOGETHER, *_options(number)]))


def apart() -> float:
    """The sessions with two labs in processes of their own, and two processes of clients."""

    def load(number: int) -> dict[str, Any]:
        with lab(2) as target:
            return _json([*ICWS, "load", *target, *_options(number), "--workers", "2"])

    return _most(load)


@contextmanager
def lab(workers: int) -> Iterator[list[str]]:
    """A running ``icws lab``; yields the arguments of `icws load` that name it."""
    command = [*ICWS, "lab", "--app", "echo", "--json", "--workers", str(workers)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        # Its events would fill the pipe.
        drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
        try:
            yield [ready["gateway_url"], "--network", ready["network_url"], "--canister", ready["canister_id"]]
        finally:
            process.send_signal(signal.SIGINT)
            drain.wait()


def _options(number: int) -> list[str]:
    return ["--sessions", str(number), "--rate", "1", "--for", str(FOR_S), "--opens-per-s", str(OPENS_PER_S), "--json"]


def _json(command: list[str]) -> dict[str, Any]:
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def _most(load: Callable[[int], dict[str, Any]]) -> float:
    served, refused = 0, MOST + STEP
    while refused - served > STEP:
        number = (served + refused) // 2 // STEP * STEP
        if is_served(number, load(number)):
            served = number
        else:
            refused = number
    return served


def is_served(number: int, found: dict[str, Any]) -> bool:
    """Whether the result of `icws load` is what this module counts."""
    p99_ms = found["round_trip_p99_ms"]
    whole = found["opened"] == number and not found["failed"] and found["answered"] == found["sent"]
    return whole and p99_ms is not None and p99_ms < P99_MS


if __name__ == "__main__":
    print(f"together: {together():.0f}")
    print(f"apart: {apart():.0f}")
