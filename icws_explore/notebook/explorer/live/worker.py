"""Work that the explorer's widgets do in the background: coroutines on one loop, in a thread that all of them share.

A browser's messages to a widget may arrive on any of a kernel's threads, also while a cell computes, and some of those
threads have no event loop. So a widget hands what takes time to its `Worker`, whose coroutines all run on one thread.
The thread starts with the first work and ends when the last worker is closed.
"""

from __future__ import annotations

import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from icws_explore.live.loop import LoopThread, SharedLoop

T = TypeVar("T")

LOOP: Final = SharedLoop("icws-explorer")


class Worker:
    """Runs the coroutines of one widget, or of several that are closed together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: LoopThread | None = None
        self._running: set[Future[Any]] = set()
        self._is_closed = False

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T] | None:
        """Run ``work`` on the shared loop. Errors are ``work``'s own affair. None: the worker is closed."""
        with self._lock:
            if self._is_closed:
                work.close()
                return None
            if self._thread is None:
                self._thread = LOOP.acquire()
            future = self._thread.submit(work)
            self._running.add(future)
        future.add_done_callback(self._forget)
        return future

    def _forget(self, future: Future[Any]) -> None:
        self._running.discard(future)

    def close(self) -> None:
        """Cancel what still runs, and let go of the thread. A second call changes nothing."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._is_closed = True
        for future in list(self._running):
            future.cancel()
        if thread is None:
            return
        if thread.is_current:  # a thread cannot wait for its own end
            threading.Thread(target=LOOP.release, name="icws-explorer-end", daemon=True).start()
        else:
            LOOP.release()
