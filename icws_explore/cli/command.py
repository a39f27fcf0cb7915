"""`icws lab` without its options: a lab that runs until it is interrupted and says what happens in it."""

from __future__ import annotations

import json
import queue
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from icws_explore.lab.lab import Lab
from icws_explore.lab.log import LabEvent

_Done = None  # what the queue holds when it is time to end


def run_lab(lab: Lab, *, as_json: bool, write: Callable[[str], None] | None = None) -> None:
    """Start ``lab``, say where it is, then what happens in it, until SIGINT or SIGTERM; end it cleanly.

    With ``as_json`` the first line is ``{"ready": true, "gateway_url", …}`` and every event one line
    more. ``write`` takes a line without its end (default: stdout, flushed). Call it from the main
    thread, which signals go to. Raises LabError when the lab cannot start.
    """
    write = write or _write_stdout
    events: queue.SimpleQueue[LabEvent | None] = queue.SimpleQueue()
    with _until_signal(lambda: events.put(_Done)), lab:
        end_listening = lab.listen(events.put)
        try:
            for line in [json.dumps(ready(lab))] if as_json else summary(lab):
                write(line)
            while (event := _next(events)) is not None:
                write(json.dumps(event.as_json()) if as_json else str(event))
        finally:
            end_listening()


def ready(lab: Lab) -> dict[str, Any]:
    """The first line of ``icws lab --json``."""
    return {
        "ready": True,
        "gateway_url": lab.gateway_url,
        "network_url": lab.network_url,
        "canister_id": str(lab.canister_id),
        "root_key": lab.root_key.hex(),
        "gateway_principal": str(lab.gateway_principal),
    }


def summary(lab: Lab) -> Iterator[str]:
    """The same for a person, with what to type next."""
    facts = ready(lab)
    yield f"gateway        {facts['gateway_url']}  ({facts['gateway_principal']})"
    yield f"network        {facts['network_url']}"
    yield f"canister       {facts['canister_id']}  ({lab.canisters[0].app.name})"
    interval_s, timeout_s = lab.ack_interval_ms / 1000, lab.keep_alive_timeout_ms / 1000
    yield f"acks           every {interval_s:g} s, to be answered within {timeout_s:g} s"
    if lab.clock.scale != 1:
        yield f"clock          × {lab.clock.scale:g}: a client on the real clock, as `icws open` is, cannot stay"
    yield ""
    yield f"icws open {facts['gateway_url']} --network {facts['network_url']} --canister {facts['canister_id']}"
    yield "Ctrl-C ends it."
    yield ""


def _write_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _next(events: queue.SimpleQueue[LabEvent | None]) -> LabEvent | None:
    # A wait without an end would not let Python run its signal handlers on every platform.
    while True:
        try:
            return events.get(timeout=1.0)
        except queue.Empty:
            continue


@contextmanager
def _until_signal(on_signal: Callable[[], None]) -> Iterator[None]:
    """Call ``on_signal`` at SIGINT and SIGTERM, and give the handlers back afterwards."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        on_signal()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
