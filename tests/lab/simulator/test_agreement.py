"""A live session on the lab, its clock × 60, and a simulated one with the same parameters agree."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from statistics import median

import pytest

from icws_explore.analysis.recording import Recording
from icws_explore.lab import Lab
from icws_explore.lab.simulator import Network, simulate
from icws_explore.live.connect import connect
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.errors import SessionClosedError

SCALE = 60.0
INTERVAL_MS, TIMEOUT_MS = 70_000, 60_000
THINK_S, DURATION_S = 15.0, 330.0
# Protocol seconds. A stall of the machine of 100 ms is 6 s at × 60.
TOLERANCE_S = 6.0


async def live() -> Recording:
    """Ping-pong with a client that thinks, until the time is up."""
    options = {"ack_interval_ms": INTERVAL_MS, "keep_alive_timeout_ms": TIMEOUT_MS}
    with Lab("pingpong", time_scale=SCALE, seed=1, **options) as lab:
        async with connect(lab) as session:
            end_ns = session.clock.now_ns() + round(DURATION_S * 1e9)
            while session.clock.now_ns() < end_ns:
                try:
                    ping = await session.receive(timeout=10)
                except SessionClosedError:
                    break
                await session.clock.sleep(THINK_S)
                await session.send({"text": "pong", "timestamp": ping["timestamp"]})
    return session.capture


def simulated(like: Recording) -> Recording:
    """With what the machine took for a message and its answer; polls have a floor of 5 ms of real time there."""
    poll_ms = 300
    answer_ms = median(answers_after(like, "message", "app")) * 1000
    network = Network(
        client_latency_ms=20, replica_latency_ms=10, poll_interval_ms=poll_ms,
        update_latency_ms=max(answer_ms - 60 - poll_ms / 2, 50),
    )  # fmt: skip
    return simulate(
        duration=like.raw.duration_s, network=network, think_ms=THINK_S * 1000,
        ack_interval_ms=INTERVAL_MS, keep_alive_timeout_ms=TIMEOUT_MS,
    )  # fmt: skip


def times(recording: Recording, kind: str) -> list[float]:
    return [d.frame.t for d in recording if d.kind == kind]


def gaps(recording: Recording, kind: str) -> list[float]:
    return [after - before for before, after in pairwise(times(recording, kind))]


def answers_after(recording: Recording, asked: str, answered: str) -> list[float]:
    """Seconds from each frame of one kind to the next of another."""
    waiting, delays = None, []
    for decoded in recording:
        if decoded.kind == asked:
            waiting = decoded.frame.t
        elif decoded.kind == answered and waiting is not None:
            delays.append(decoded.frame.t - waiting)
            waiting = None
    return delays


def ack_timestamps_ns(recording: Recording) -> list[int]:
    return [d.message.timestamp_ns for d in recording if d.kind == "ack" and d.message is not None]


class TestAgreement:
    async def test_of_kinds_counts_and_spacing(self):
        real = await live()
        virtual = simulated(real)
        seen, expected = (Counter(d.kind for d in recording) for recording in (real, virtual))
        for kind in ("handshake", "open_request", "open", "malformed", "control", "close"):
            assert seen[kind] == expected[kind], kind
        for kind in ("ack", "keep_alive"):
            assert seen[kind] == pytest.approx(expected[kind], abs=1), kind
            assert expected[kind] >= 3
        for kind in ("app", "message"):
            assert seen[kind] == pytest.approx(expected[kind], rel=0.15), kind
        assert [d.kind for d in real][:4] == [d.kind for d in virtual][:4]

        # What the canisters' timers did agrees to the nanosecond, what reached the clients as well as machines do.
        for recording, tolerance_s in ((real, TOLERANCE_S), (virtual, 0.4)):
            stamps = ack_timestamps_ns(recording)
            assert {after - before for before, after in pairwise(stamps)} == {INTERVAL_MS * NS_PER_MS}
            assert all(gap == pytest.approx(INTERVAL_MS / 1000, abs=tolerance_s) for gap in gaps(recording, "ack"))
        for asked, answered in (("message", "app"), ("app", "message"), ("ack", "keep_alive")):
            mine, theirs = (median(answers_after(each, asked, answered)) for each in (virtual, real))
            assert mine == pytest.approx(theirs, abs=2.0), (asked, answered)
        assert all(v.ok for v in virtual.verify())
        assert all(v.ok for v in real.verify())
