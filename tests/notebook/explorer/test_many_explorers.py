"""Explorers that come and go leave nothing: no thread, task, socket or comm, and no memory that grows with them."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections import Counter
from dataclasses import dataclass

import psutil
import pytest

import icws_explore as icws
from icws_explore.lab import Lab
from icws_explore.notebook.explorer.explorer import PANELS
from support.explorer_scene import WAIT_S, open_comms
from support.machine import ROOT

HEALTHY = ROOT / "data" / "sessions" / "healthy.icws"
WARM = 10  # what is made once (caches, fonts, modules) is made by then
TOTAL = 50
MAX_GROWTH = 2_000  # objects, of TOTAL - WARM explorers; the frames of one recording alone are about a thousand
OWN = ("Explorer", "Recording", "FrameIndex", "FrameList", "FrameDetail", "Passages", "SessionFigure", "Tap", "Session")
PERIOD_S = 0.05


@dataclass(frozen=True, slots=True)
class Held:
    """What the process holds besides memory."""

    threads: int
    tasks: int
    sockets: int
    comms: int


def own_objects() -> Counter[str]:
    """How many objects of the explorer's own there are, by type."""
    gc.collect()  # the last threads may have ended since
    return Counter(type(each).__name__ for each in gc.get_objects() if type(each).__name__ in OWN)


def held() -> Held:
    gc.collect()
    sockets = psutil.Process().net_connections("all")
    # The loop's own pool has up to 6 threads, and makes one more whenever all of them are busy.
    threads = [thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")]
    return Held(len(threads), len(asyncio.all_tasks()), len(sockets), len(open_comms()))


async def until_no_more_than(before: Held) -> Held:
    """Threads end a moment after their explorer; what stays for good does not pass here."""
    async with asyncio.timeout(WAIT_S):
        while True:
            now = held()
            if all(getattr(now, name) <= getattr(before, name) for name in Held.__slots__):
                return now
            await asyncio.sleep(PERIOD_S)


async def use(number: int, lab: Lab) -> None:
    """Open an explorer of a file, or every fifth time of a lab with a session and look at every tab; close it."""
    explorer = icws.explore(lab if number % 5 == 0 else HEALTHY)
    try:
        session = None
        if explorer.tap is not None:
            session = await icws.connect(
                explorer.tap.url, network=lab.network_url, canister=lab.canister_id, clock=lab.clock
            )
        explorer.select(1)
        for title, _ in PANELS if session is not None else PANELS[number % 5 :: 5]:
            panel = explorer.panel(title)
            if title == "Parties":
                await panel.newest.wait()
        if session is not None:
            await session.close()
    finally:
        explorer.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_fifty_leave_nothing() -> None:
    with Lab(app="echo", time_scale=60, seed=9) as lab:
        for number in range(WARM):
            await use(number, lab)
        before, kept, objects = held(), own_objects(), len(gc.get_objects())
        for number in range(WARM, TOTAL):
            await use(number, lab)
        await until_no_more_than(before)
        assert own_objects() <= kept
        assert len(gc.get_objects()) - objects < MAX_GROWTH
