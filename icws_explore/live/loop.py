"""An event loop in a thread of its own, for what must go on while a notebook cell is busy.

A session that ran on the notebook's own loop would miss its keep-alives whenever a cell computes
for a second. The thread starts with its first user and ends with its last.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

T = TypeVar("T")

STOP_PATIENCE_S: Final = 10.0  # real seconds for what runs in a thread to let go of it


class LoopThread:
    """A loop in a daemon thread, alive between `start` and `stop`."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._end_tasks())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _end_tasks(self) -> None:
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run ``work`` on the loop; the future is a thread's, not asyncio's."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call_soon(self, function: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        """End what still runs, then the thread. Not from its own thread.

        Returns when it is gone, or after `STOP_PATIENCE_S` when code that never returns holds it: it
        is a daemon, and does not keep the process from ending.
        """
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_PATIENCE_S)


class SharedLoop:
    """One LoopThread for many users: the first `acquire` starts it, the last `release` stops it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._users = 0
        self._thread: LoopThread | None = None
        self._lock = threading.Lock()

    def acquire(self) -> LoopThread:
        with self._lock:
            if self._thread is None:
                self._thread = LoopThread(self._name)
                self._thread.start()
            self._users += 1
            return self._thread

    def release(self) -> None:
        """Give the loop back. Blocks until the thread is gone when this was the last user."""
        with self._lock:
            self._users -= 1
            last = self._users == 0
            thread = self._thread
            if last:
                self._thread = None
        if last and thread is not None:
            thread.stop()


async def wait_at_most(event: asyncio.Event, seconds: float) -> bool:
    """Wait for ``event``, but no longer than ``seconds`` (real). Whether it is set.

    asyncio.wait_for of Python 3.11 loses a cancellation that comes together with the event.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


class Signal:
    """Wakes every task that waits, each time it is set; for tasks of one loop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self) -> None:
        """Wait for the next `set`."""
        await self._event.wait()


LIVE = SharedLoop("icws-live")


async def from_thread(thread: LoopThread, work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` on the other loop from this one; cancelling here cancels it there."""
    return await asyncio.wrap_future(thread.submit(work))
