"""Playing a load: opens the sessions of a plan on this process's loop, sends, measures, closes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from typing import Any, Final

from icws_explore.analysis.decode import control_text
from icws_explore.capture import Frame
from icws_explore.protocol.client.events import ClientEvent, MessageReceived
from icws_explore.protocol.errors import IcwsError, SessionClosedError

from ..connect import connect
from ..session import Session
from .plan import LoadPlan
from .result import FINISHED, LoadResult

SETTLE_S: Final = 0.5  # after the opening, in which what the application says to every new client arrives
ANSWER_S: Final = 5.0  # after the last message, in which its answer may come
KEPT: Final = 100  # frames of each session; a load records nothing

_playing: set[tuple[str, asyncio.Task[Any]]] = set()  # what this process plays of each load
_halted: set[str] = set()  # loads that were halted


def play(plan: LoadPlan, load: str = "") -> LoadResult:
    """Play a plan, or a part of the ``load`` with that name, in a process of its own."""
    return asyncio.run(_play(plan, load))


async def _play(plan: LoadPlan, load: str) -> LoadResult:
    task = asyncio.current_task()
    assert task is not None
    _playing.add((load, task))
    try:
        # Asked after the line above: `halt_playing` runs in another thread.
        return LoadResult() if load in _halted else await generate(plan)
    finally:
        _playing.discard((load, task))


def halt_playing(load: str) -> None:
    """Let what this process plays of a load close its sessions and return what was measured. Further parts of the load
    return at once. For any thread.
    """
    _halted.add(load)
    for name, task in list(_playing):
        if name == load:
            with suppress(RuntimeError):  # its loop has just been closed
                task.get_loop().call_soon_threadsafe(task.cancel)


async def generate(plan: LoadPlan, result: LoadResult | None = None) -> LoadResult:
    """Play a plan. What is measured is also in ``result`` while it runs. If cancelled, it closes the sessions at once
    and returns what was measured.
    """
    measured = LoadResult() if result is None else result
    stop = asyncio.Event()
    tasks = [asyncio.create_task(_one(plan, number, measured, stop)) for number in range(plan.sessions)]
    everything = asyncio.gather(*tasks)
    try:
        await asyncio.shield(everything)
    except asyncio.CancelledError:
        stop.set()
        await everything
    return measured


async def _one(plan: LoadPlan, number: int, measured: LoadResult, stop: asyncio.Event) -> None:
    """One session, from its opening to its end."""
    if await _passes(stop, number / plan.opens_per_s):
        return
    began = time.perf_counter()
    opening = asyncio.ensure_future(_open(plan))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not opening.done():
        opening.cancel()
    try:
        session = await opening
    except asyncio.CancelledError:
        return
    except IcwsError as error:
        measured.failure(str(error))
        return
    measured.opened += 1
    measured.opening_s.add(time.perf_counter() - began)
    client = _Client(session, measured)
    session.watch(client.observe)
    reason = ""
    try:
        await client.send(plan, number, stop)
    except SessionClosedError as error:
        reason = str(error)
    has_ended = session.close_code is not None
    await session.close()
    measured.end((reason or _end_of(session)) if has_ended or reason else FINISHED)


async def _open(plan: LoadPlan) -> Session:
    return await connect(
        plan.gateway_url,
        canister=plan.canister_id,
        root_key=plan.root_key,
        app_type=plan.app_type,
        ack_interval_ms=plan.ack_interval_ms,
    )


def _end_of(session: Session) -> str:
    """Why a session ended that nobody here closed."""
    frames = session.recording.raw.frames
    said = control_text(frames[-1]) if frames and frames[-1].op == "close" else "ended"
    return f"{said}: {session.failures[-1]}" if session.failures else said


async def _passes(stop: asyncio.Event, seconds: float) -> bool:
    """Wait, but not after ``stop``. Returns whether to stop."""
    if seconds > 0 and not stop.is_set():
        waiting = asyncio.ensure_future(stop.wait())
        await asyncio.wait({waiting}, timeout=seconds)
        waiting.cancel()
    return stop.is_set()


class _Client:
    """Who sends in one session. `observe` runs in the thread of the sessions, the rest on the caller's loop."""

    def __init__(self, session: Session, measured: LoadResult) -> None:
        self._session = session
        self._measured = measured
        self._waiting: deque[float] = deque()  # when each message was due whose answer has not come

    def observe(self, event: ClientEvent | Frame) -> None:
        """Take an answer's time; drop old frames."""
        if isinstance(event, Frame):
            frames = self._session.recording.raw.frames
            if len(frames) > 2 * KEPT:
                del frames[:-KEPT]
        elif isinstance(event, MessageReceived) and self._waiting:
            self._measured.round_trip_s.add(time.perf_counter() - self._waiting.popleft())
            self._measured.answered += 1

    async def send(self, plan: LoadPlan, number: int, stop: asyncio.Event) -> None:
        """Send at the plan's rate, each session at moments of its own; then wait for the last answers.

        Raises SessionClosedError if the session ends.
        """
        if await _passes(stop, SETTLE_S):
            return
        began = time.perf_counter()
        end = began + plan.duration_s
        due = began + plan.due_s(number)
        while due < end:
            if await _passes(stop, due - time.perf_counter()):
                return
            self._measured.lag_s.add(max(0.0, time.perf_counter() - due))
            self._waiting.append(due)
            await self._session.send_bytes(plan.content)
            self._measured.sent += 1
            due += 1 / plan.rate
        await _passes(stop, end - time.perf_counter())
        until = time.perf_counter() + ANSWER_S
        while self._waiting and time.perf_counter() < until and self._session.close_code is None:
            if await _passes(stop, 0.05):
                return
