"""A clock that a process of Node's and the labs of this one share: it moves on when both have kept up with it.

Whoever is held up by the machine, or takes long for a proof, holds up the other one too, so nobody is late.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from icws_explore.capture import ClockInfo
from icws_explore.live.clock import Clock
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S

from .node_peer import Run, command_of

TICK_S = 0.005  # real, at least
MOST_S = 0.02  # of the machine's time, that a tick can be worth
LOOK_S = 0.01  # real, at least between two looks of somebody who waits
TOCK = "tock\n"  # environment.mjs


class LockstepClock(Clock):
    """Stands still until `drive_script` lets it run, at most ``scale`` times as fast as the machine's."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._now_ns = time.time_ns()

    def now_ns(self) -> int:
        return self._now_ns

    def tick(self, real_s: float) -> None:
        """So much of the machine's time has passed since the last one."""
        self._now_ns += round(min(real_s, MOST_S) * self._scale * NS_PER_S)

    async def sleep(self, seconds: float) -> None:
        end_ns = self._now_ns + round(seconds * NS_PER_S)
        await asyncio.sleep(0)
        while (left_ns := end_ns - self._now_ns) > 0:  # noqa: ASYNC110 -- nothing tells that the clock has moved
            await asyncio.sleep(self.real_seconds(left_ns / NS_PER_S))

    def real_seconds(self, protocol_s: float) -> float:
        return max(protocol_s / self._scale, LOOK_S) if protocol_s > 0 else 0.0

    @property
    def info(self) -> ClockInfo:
        return ClockInfo("real" if self._scale == 1 else "scaled", self._scale)


def drive_script(script: str, config: Mapping[str, Any], clock: LockstepClock, *, timeout_s: float) -> Run:
    """Run it to its end, its clock in step with ``clock``. It is killed after ``timeout_s`` real seconds."""
    told = {**config, "clock": {"now_ms": clock.now_ns() / NS_PER_MS, **config["clock"]}}
    events: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, text=True, **command_of(script, told)
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        hangs = threading.Timer(timeout_s, process.kill)
        hangs.start()
        ticked = time.monotonic()
        try:
            while _keeps_up(process, clock, events):
                time.sleep(TICK_S)
                now = time.monotonic()
                clock.tick(now - ticked)
                ticked = now
        finally:
            hangs.cancel()
            process.stdout.close()
            with suppress(BrokenPipeError):  # the tick that came after its end is still in the buffer
                process.stdin.close()
        process.wait()
        complaints.seek(0)
        return Run(events, complaints.read(), process.returncode)


def _keeps_up(process: subprocess.Popen[str], clock: Clock, events: list[dict[str, Any]]) -> bool:
    """Whether it is at the clock's time: it has done what was due by then. False once it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(f"{clock.now_ns() / NS_PER_MS}\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # what it still had to say is behind this
    for line in process.stdout:
        if line == TOCK:
            return True
        events.append(json.loads(line))
    return False
