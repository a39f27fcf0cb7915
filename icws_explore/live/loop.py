"""Event loops in threads, for everything that must continue while a notebook cell computes.

On the notebook's own loop, a session would miss its keep-alives whenever a cell computes for a long time. So sessions
run on one shared loop (`LIVE`), whose thread starts with the first session and ends with the last. Taps and labs have a
`LoopThread` each.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

T = TypeVar("T")

STOP_TIMEOUT_S: Final = 10.0  # real seconds that the code in a thread has to return


class LoopThread:
    """An event loop in a daemon thread, which runs from `start` to `stop`."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop."""
        return self._loop

    @property
    def is_current(self) -> bool:
        """Whether this is called from the thread itself."""
        return threading.current_thread() is self._thread

    def start(self) -> None:
        """Start the thread."""
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
        """Run ``work`` on the loop. Returns a future of concurrent.futures."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, function: Callable[[], T], timeout_s: float = STOP_TIMEOUT_S) -> T:
        """Call ``function`` on the loop and return its result; at once if this is the loop's thread.

        Raises TimeoutError if the loop does not get to it within ``timeout_s`` real seconds.
        """
        if threading.current_thread() is self._thread:
            return function()

        async def body() -> T:
            return function()

        return self.submit(body()).result(timeout_s)

    def stop(self) -> None:
        """Cancel the tasks that still run, and end the thread. Do not call this from the thread itself.

        Returns when the thread has ended, or after `STOP_TIMEOUT_S` if its code does not return. A daemon thread does
        not keep the process alive.
        """
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_TIMEOUT_S)


class SharedLoop:
    """A LoopThread with many users. The first `acquire` starts it, the last `release` stops it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._users = 0
        self._thread: LoopThread | None = None
        self._lock = threading.Lock()

    def acquire(self) -> LoopThread:
        """Return the thread; start it for the first user."""
        with self._lock:
            if self._thread is None:
                self._thread = LoopThread(self._name)
                self._thread.start()
            self._users += 1
            return self._thread

    def release(self) -> None:
        """Stop using the thread. For the last user, blocks until the thread has ended."""
        with self._lock:
            self._users -= 1
            last = self._users == 0
            thread = self._thread
            if last:
                self._thread = None
        if last and thread is not None:
            thread.stop()


async def wait_at_most(event: asyncio.Event, seconds: float) -> bool:
    """Wait for ``event`` for at most ``seconds`` real seconds. Returns whether it is set.

    asyncio.wait_for of Python 3.11 loses a cancellation that arrives together with the event.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


class Signal:
    """Wakes all waiting tasks of one loop each time it is set."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake the tasks that wait now."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self) -> None:
        """Wait for the next `set`."""
        await self._event.wait()


LIVE: Final = SharedLoop("icws-live")


async def from_thread(thread: LoopThread, work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on the loop of ``thread`` and wait for it on this loop. A cancellation here cancels it there."""
    return await asyncio.wrap_future(thread.submit(work))
