"""A live session on a lab with a scaled clock agrees with a simulated session with the same parameters.

The machine needs some milliseconds for a message and its answer. The simulation gets these times, so that both
exchange as many messages. At × 60 they are up to a second of protocol time, at × 10 a sixth of that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import pytest

from icws_explore.analysis.recording import Recording
from icws_explore.lab import Lab
from icws_explore.lab.simulator import CanisterSettings, NetworkConditions, Population, Sampled, simulate
from icws_explore.live.connect import connect
from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.errors import SessionClosedError


@dataclass(frozen=True, slots=True)
class Setting:
    """The parameters of both sessions, and the limits of their differences, in protocol seconds.

    ``late_s`` is how late a busy machine may make a frame, ``usually_s`` how late the median may be.
    """

    scale: float
    interval_ms: int
    timeout_ms: int
    think_s: float
    duration_s: float
    poll_ms: int  # in the lab at least 5 ms of real time
    late_s: float
    usually_s: float


FAST = Setting(60, 70_000, 60_000, 15.0, 330.0, 300, late_s=6.0, usually_s=2.0)
SHARP = Setting(10, 12_000, 8_000, 3.0, 62.0, 100, late_s=2.0, usually_s=0.4)


async def live(setting: Setting) -> Recording:
    """Run pingpong with a client that waits before it answers."""
    options = {"ack_interval_ms": setting.interval_ms, "keep_alive_timeout_ms": setting.timeout_ms}
    with Lab("pingpong", time_scale=setting.scale, seed=1, **options) as lab:
        async with connect(lab) as session:
            end_ns = session.clock.now_ns() + round(setting.duration_s * 1e9)
            while session.clock.now_ns() < end_ns:
                try:
                    ping = await session.receive(timeout=60)
                except SessionClosedError:
                    break
                await session.clock.sleep(setting.think_s)
                await session.send({"text": "pong", "timestamp": ping["timestamp"]})
    return session.recording


def simulated(like: Recording, setting: Setting) -> Recording:
    """Simulate the same, with the time that the machine needed for each answer and each think time."""
    besides_ms = 60 + setting.poll_ms / 2  # the network, and half a poll interval
    answers_ms, thoughts_ms = (
        [1000 * answer_s for answer_s in answers_after(like, asked, answered)]
        for asked, answered in (("message", "app"), ("app", "message"))
    )
    conditions = NetworkConditions(
        client_latency_ms=20, replica_latency_ms=10, poll_interval_ms=setting.poll_ms,
        update_latency_ms=Sampled(tuple(max(answer_ms - besides_ms, 50) for answer_ms in answers_ms)),
    )  # fmt: skip
    return simulate(
        duration=like.raw.duration_s,
        conditions=conditions,
        population=Population(think_ms=Sampled(tuple(thoughts_ms))),
        ack_interval_ms=setting.interval_ms,
        canister=CanisterSettings(keep_alive_timeout_ms=setting.timeout_ms),
    )


def times(recording: Recording, kind: str) -> list[float]:
    return [d.frame.t for d in recording if d.kind == kind]


def gaps(recording: Recording, kind: str) -> list[float]:
    return [after - before for before, after in pairwise(times(recording, kind))]


def answers_after(recording: Recording, asked: str, answered: str) -> list[float]:
    """Seconds from each frame of one kind to the next frame of another kind."""
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


def all_near(gaps_s: Sequence[float], wanted_s: float, usually_s: float, late_s: float) -> bool:
    """Whether the median and the maximum of the differences are within their limits."""
    off = [abs(gap - wanted_s) for gap in gaps_s]
    return median(off) <= usually_s and max(off) <= late_s


@pytest.mark.parametrize("setting", [FAST, SHARP], ids=lambda setting: f"x{setting.scale:g}")
class TestAgreement:
    async def test_of_kinds_counts_and_spacing(self, setting: Setting):
        real = await live(setting)
        virtual = simulated(real, setting)
        seen, expected = (Counter(d.kind for d in recording) for recording in (real, virtual))
        for kind in ("handshake", "open_request", "open", "malformed", "control", "close"):
            assert seen[kind] == expected[kind], kind
        for kind in ("ack", "keep_alive"):
            assert seen[kind] == pytest.approx(expected[kind], abs=1), kind
            assert expected[kind] >= 3
        for kind in ("app", "message"):
            assert seen[kind] == pytest.approx(expected[kind], abs=2), kind
            assert expected[kind] >= 15
        assert [d.kind for d in real][:4] == [d.kind for d in virtual][:4]

        # The canister's timers agree to the nanosecond, the arrival at the clients within the limits.
        for recording, usually_s, late_s in ((real, setting.usually_s, setting.late_s), (virtual, 0.2, 0.4)):
            stamps = ack_timestamps_ns(recording)
            assert {after - before for before, after in pairwise(stamps)} == {setting.interval_ms * NS_PER_MS}
            assert all_near(gaps(recording, "ack"), setting.interval_ms / 1000, usually_s, late_s)
        for asked, answered in (("message", "app"), ("app", "message"), ("ack", "keep_alive")):
            mine, theirs = (median(answers_after(each, asked, answered)) for each in (virtual, real))
            assert mine == pytest.approx(theirs, abs=setting.usually_s), (asked, answered)
        assert all(v.ok for v in virtual.verify())
        assert all(v.ok for v in real.verify())
