"""A soak: ten clients and a tap on one lab at × 60, with faults coming and going, for an hour.

Everything runs in one process: replica, canister and gateway (the lab's loop), the tap, which records into a file (its
loop), and the clients (the live loop). Each client says something every few seconds and waits for the echo, and comes
back when its session ends. A session is closed after two minutes at the latest. Every 40 s of real time, another fault
of the catalogue is switched on in the lab or in the path of the tap, and off again after 15 s.

The lab's event log and its sightings keep 5,000 entries here, in place of 100,000 and 50,000, so that they are full
after some minutes and their filling up does not look like growth.

What must stay flat is sampled every ten seconds: memory, threads, sockets, and tasks of all loops. What may not block a
loop is measured for every callback of every loop, as processor time of its thread, so other work on the machine does
not count; the pauses of the garbage collector are part of it.

Run it with ``python -m bench.soak --minutes 60``. It ends with a table, and with 1 if something grew or blocked. Every
minute it prints a line. ``--json FILE`` stores the samples.
"""

# ruff: noqa: SLF001  # it measures what is inside

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import sys
import tempfile
import threading
import time
from asyncio.events import Handle
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import linear_regression, median
from typing import Any, Final

import icws_explore as icws
from icws_explore.cli.console import settle
from icws_explore.errors import IcwsError
from icws_explore.lab import log, sightings
from icws_explore.lab.scenarios.switches import FaultSwitches
from icws_explore.live.loop import LIVE, LoopThread

CLIENTS: Final = 10
SCALE: Final = 60.0
SAMPLE_S: Final = 10.0  # real seconds between two samples
FAULT_S: Final = 15.0  # real seconds that a fault is on
HEALTHY_S: Final = 25.0  # real seconds between two faults
SESSION_S: Final = 120.0  # real seconds after which a client closes its session and opens another one
KEPT: Final = 5_000  # events, and sightings
KEPT_BYTES: Final = 8 * 2**20  # of sightings
FOR_EVER: Final = ("OUT_OF_CYCLES",)  # nothing brings the cycles back
BLOCKED_S: Final = 0.05  # of processor time in one callback
WARM_SHARE: Final = 0.25  # of the samples: caches and logs fill up to their budgets
GROWTH_MIB: Final = 8.0  # an hour, after that


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process holds at a moment. ``at_s`` is in real seconds since the start, ``rss`` in MiB."""

    at_s: float
    rss: float
    threads: int
    descriptors: int
    tasks: int
    sessions: int
    messages: int
    events: int


@dataclass(slots=True)
class Callbacks:
    """Processor times of all callbacks of all event loops in this process."""

    count: int = 0
    worst_s: float = 0.0
    worst_wall_s: float = 0.0
    over: Counter[str] = field(default_factory=Counter)
    steps: Counter[int] = field(default_factory=Counter)  # milliseconds, rounded up to a power of two

    def install(self) -> None:
        """Measure every callback from now on, in every thread."""
        run = Handle._run

        def measured(handle: Handle) -> None:
            cpu, wall = time.thread_time(), time.perf_counter()
            callback = handle._callback
            try:
                run(handle)
            finally:
                self.note(callback, time.thread_time() - cpu, time.perf_counter() - wall)

        Handle._run = measured  # type: ignore[method-assign]

    def note(self, callback: Callable[..., object] | None, cpu_s: float, wall_s: float) -> None:
        self.count += 1
        self.worst_s = max(self.worst_s, cpu_s)
        self.worst_wall_s = max(self.worst_wall_s, wall_s)
        step = 1
        while step < cpu_s * 1000:
            step *= 2
        self.steps[step] += 1
        thread = threading.current_thread().name
        if cpu_s > BLOCKED_S and thread.startswith("icws-"):  # the others are the clients' own
            name = f"{thread}: {_named(callback)}"
            self.over[name] += 1
            print(f"    blocked {cpu_s * 1000:.0f} ms (wall {wall_s * 1000:.0f} ms) in {name}", flush=True)


def _named(callback: Callable[..., object] | None) -> str:
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return f"the task {getattr(owner.get_coro(), '__qualname__', owner.get_name())}"
    return getattr(callback, "__qualname__", repr(callback))


class Collector:
    """The pauses of the garbage collector, in processor time."""

    def __init__(self) -> None:
        self.worst_s = 0.0
        self.count = 0
        self._began = 0.0
        gc.callbacks.append(self._told)

    def _told(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] < 2:
            return
        if phase == "start":
            self._began = time.thread_time()
        else:
            self.count += 1
            self.worst_s = max(self.worst_s, time.thread_time() - self._began)


class Soak:
    """The clients, the faults and the samples."""

    def __init__(self, seconds: float, *, clients: int = CLIENTS, seed: int = 1) -> None:
        self.seconds = seconds
        self.clients = clients
        self.random = random.Random(seed)
        self.samples: list[Sample] = []
        self.opened = 0
        self.messages = 0
        self.ends: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.unseen: list[str] = []
        self.callbacks = Callbacks()
        self.collector = Collector()
        self._app_did = ""
        self._open = 0
        self._began = time.monotonic()

    @property
    def _now_s(self) -> float:
        return time.monotonic() - self._began

    def run(self) -> None:
        self.callbacks.install()
        log.MAX_EVENTS = sightings.MAX_SEEN = KEPT  # type: ignore[misc]
        sightings.MAX_BYTES = KEPT_BYTES  # type: ignore[misc]
        with tempfile.TemporaryDirectory() as folder, icws.Lab("echo", time_scale=SCALE) as lab:
            record = Path(folder) / "soak.icws"
            with icws.Tap(lab, record=record, keep=False) as tap:
                asyncio.run(self._run(lab, tap))
                self.unseen += [note for note in tap.notes if "a fault of the tap" in note]
            self.recorded = record.stat().st_size

    async def _run(self, lab: icws.Lab, tap: icws.Tap) -> None:
        loops, self._app_did = [lab, tap], lab.app_did
        LIVE.acquire()  # one live loop from the beginning to the end
        try:
            work: list[Coroutine[Any, Any, None]] = [self._client(lab, tap, number) for number in range(self.clients)]
            tasks = [asyncio.create_task(each) for each in [*work, self._switch(lab, tap), self._look(loops)]]
            try:
                await asyncio.sleep(self.seconds)
            finally:
                for task in tasks:
                    task.cancel()
                for result in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(result, Exception):
                        self.unseen.append(f"{type(result).__name__}: {result}")
        finally:
            await asyncio.to_thread(LIVE.release)

    # -- clients

    async def _client(self, lab: icws.Lab, tap: icws.Tap, number: int) -> None:
        while True:
            try:
                async with asyncio.timeout(90):
                    session = await self._opened(lab, tap)
            except (IcwsError, TimeoutError) as error:
                self.ends[f"not opened: {type(error).__name__}"] += 1
                await asyncio.sleep(1)
                continue
            self.opened += 1
            self._open += 1
            try:
                await self._talk(session, number)
            except TimeoutError:
                self.ends["no echo within 30 s"] += 1
            except IcwsError:
                self.ends[f"{session.close_code} {session.close_reason[:40]}".strip()] += 1
            finally:
                self._open -= 1
                with suppress(IcwsError):
                    await session.close()

    async def _opened(self, lab: icws.Lab, tap: icws.Tap) -> icws.Session:
        return await icws.connect(
            tap.url,
            network=lab.network_url,
            canister=lab.canister_id,
            root_key=lab.root_key,
            app_type=self._app_did,
            ack_interval_ms=lab.ack_interval_ms,
            clock=lab.clock,
        )

    async def _talk(self, session: icws.Session, number: int) -> None:
        end = self._now_s + SESSION_S * (0.5 + self.random.random() / 2)
        while self._now_s < end:
            await session.send({"text": f"client {number} " + "x" * self.random.choice((10, 1_000, 50_000))})
            await session.receive(timeout=30)  # real seconds
            self.messages += 1
            await asyncio.sleep(self.random.uniform(0.5, 2.0))
        self.ends["closed by the client"] += 1

    # -- faults

    async def _switch(self, lab: icws.Lab, tap: icws.Tap) -> None:
        in_lab, in_path = lab.faults, FaultSwitches(tap)
        app = lab.canisters[0].app
        both = [(in_lab, each.name) for each in in_lab.offered] + [(in_path, each.name) for each in in_path.offered]
        choices = [choice for choice in both if choice[1] not in FOR_EVER]
        settle()  # as `icws lab` and `icws tap` do
        while True:
            self.random.shuffle(choices)
            for switches, name in choices:
                await asyncio.to_thread(switches.on, name)
                self.faults[name] += 1
                print(f"    {self._now_s:6.0f} s  {name} in the {'lab' if switches is in_lab else 'path'}", flush=True)
                await asyncio.sleep(FAULT_S)
                await asyncio.to_thread(switches.off, name)
                await asyncio.to_thread(self._mend, lab, app)
                await asyncio.sleep(HEALTHY_S)

    def _mend(self, lab: icws.Lab, app: icws.App) -> None:
        """Undo what a fault leaves behind: a stopped canister, or one whose code has changed."""
        with suppress(IcwsError):
            lab.start_canister()
            if lab.canisters[0].app is not app:
                lab.upgrade(app=app)

    # -- samples

    async def _look(self, owners: list[Any]) -> None:
        while True:
            self.samples.append(self._sample(owners))
            if len(self.samples) % 6 == 0:
                print(self.line(), flush=True)
            await asyncio.sleep(SAMPLE_S)

    def _sample(self, owners: list[Any]) -> Sample:
        threads = [owner._thread for owner in owners] + [LIVE._thread]
        loops = [thread.loop for thread in threads if isinstance(thread, LoopThread)]
        return Sample(
            at_s=round(self._now_s, 1),
            rss=rss_mib(),
            threads=threading.active_count(),
            descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
            tasks=sum(len(_tasks(loop)) for loop in loops),
            sessions=self._open,
            messages=self.messages,
            events=len(owners[0].events),
        )

    def line(self) -> str:
        now = self.samples[-1]
        return (
            f"{now.at_s / 60:5.1f} min  {now.rss:6.1f} MiB  {now.threads} threads  {now.descriptors} descriptors  "
            f"{now.tasks} tasks  {now.events} events  {now.sessions} sessions open, "
            f"{self.opened} opened  {now.messages} messages  worst callback {self.callbacks.worst_s * 1000:.0f} ms, "
            f"collector {self.collector.worst_s * 1000:.0f} ms"
        )


def _tasks(loop: asyncio.AbstractEventLoop) -> set[asyncio.Task[Any]]:
    for _ in range(10):
        with suppress(RuntimeError):  # another thread has changed the set meanwhile
            return asyncio.all_tasks(loop)
    return set()


def rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def growth(samples: list[Sample], name: str) -> float:
    """Return how much that grows in an hour: the slope of a line through the samples, without the first quarter."""
    steady = samples[int(len(samples) * WARM_SHARE) :]
    if len(steady) < 2:
        return 0.0
    slope, _ = linear_regression([each.at_s for each in steady], [getattr(each, name) for each in steady])
    return slope * 3600


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="store the samples here")
    options = parser.parse_args()
    soak = Soak(options.minutes * 60, clients=options.clients, seed=options.seed)
    soak.run()
    print(f"\n{soak.seconds / 60:g} minutes at × {SCALE:g}, {soak.clients} clients")
    print(f"{soak.opened} sessions opened, {soak.messages} messages echoed, {soak.recorded / 1e6:.1f} MB recorded")
    print(f"{soak.faults.total()} faults switched on, of {len(soak.faults)} kinds; ends: {dict(soak.ends)}")
    for name in ("rss", "threads", "descriptors", "tasks"):
        values = [getattr(each, name) for each in soak.samples[int(len(soak.samples) * WARM_SHARE) :]]
        print(
            f"{name:<12} {min(values):>8g} to {max(values):g}, median {median(values):g}, "
            f"an hour {growth(soak.samples, name):+.1f}"
        )
    steps = ", ".join(f"≤ {step} ms: {count:,}" for step, count in sorted(soak.callbacks.steps.items()))
    print(f"{soak.callbacks.count:,} callbacks ({steps}); worst {soak.callbacks.worst_s * 1000:.1f} ms of processor")
    print(f"garbage collector: {soak.collector.count} full passes, worst {soak.collector.worst_s * 1000:.1f} ms")
    for text in [*soak.unseen, *(f"over 50 ms: {count} × {name}" for name, count in soak.callbacks.over.items())]:
        print(text)
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in soak.samples]), encoding="utf-8")
    is_flat = growth(soak.samples, "rss") <= GROWTH_MIB and abs(growth(soak.samples, "threads")) < 1
    return 0 if is_flat and not soak.unseen and not soak.callbacks.over else 1


if __name__ == "__main__":
    sys.exit(main())
