"""A watchdog for the code of applications: it ends code that runs too long, as the instruction limit does (IC0522).

A lab runs in one thread, so a handler that never returns would block all of it. The watchdog watches that thread from
another one and raises `Overrun` inside the code that runs too long. Then the canister traps, its state is rolled back
and the lab continues.

This works only while Python executes bytecode. Code that blocks in a library cannot be ended; `Watchdog.blocked_by`
says which code it is.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final, TypeVar

T = TypeVar("T")

LIMIT_S: Final = 5.0  # real seconds; a real canister runs for about one second before it reaches the limit
AGAIN_S: Final = 1.0  # real seconds after which code that caught an Overrun gets another
TICK_S: Final = 0.25  # real seconds between two looks of the watchdog
_PACKAGE: Final = f"{Path(__file__).resolve().parent.parent}{os.sep}"  # the separator excludes longer names


class Overrun(Exception):  # noqa: N818 -- it becomes a trap
    """The code ran longer than ``limit_s`` real seconds. ``where`` names the function and line that it was in."""

    limit_s = LIMIT_S
    where = ""

    def __str__(self) -> str:
        return f"ran for {self.limit_s:g} s{self.where}; on the real network the instruction limit ends it (IC0522)"


class _Run:
    """One run of watched code. ``turn`` is a token: the watchdog must take it to raise, and the run to end."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.thread = threading.get_ident()
        self.began = time.monotonic()
        self.turn = [True]  # pop is atomic between threads; an Overrun could leave a lock locked
        self.is_sending = False  # the watchdog may be about to send an Overrun
        self.was_sent = False  # at least one Overrun was sent


class Watchdog:
    """Watches the code that one thread runs. It ends with `stop` or with that thread.

    ``limit_s`` is the longest time that code may run, in real seconds.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self.limit_s = limit_s
        self._current: _Run | None = None
        self._watcher: threading.Thread | None = None
        self._end = threading.Event()

    def run(self, what: str, body: Callable[[], T]) -> T:
        """Return ``body()``. Raises Overrun inside it after the limit. ``what`` names it for `blocked_by`."""
        if self._current is not None:
            return body()  # called by watched code, whose limit applies
        if self._watcher is None:
            watched = threading.current_thread()
            self._watcher = threading.Thread(target=self._watch, args=(watched,), name="icws-watchdog", daemon=True)
            self._watcher.start()
        run = self._current = _Run(what)
        try:
            try:
                return body()
            finally:
                self._end_run(run)
        except Overrun:
            self._end_run(run)  # it may have been raised between the two lines above
            raise

    def _end_run(self, run: _Run) -> None:
        """Make sure that no Overrun for ``run`` arrives later: wait for one that is being sent, and clear it."""
        while True:
            try:
                self._current = None
                try:
                    run.turn.pop()
                except IndexError:  # the watchdog has the token: it is sending an Overrun or has sent one
                    while run.is_sending:
                        time.sleep(0)
                if run.was_sent:
                    _clear_pending()
                return
            except Overrun:
                continue

    @property
    def blocked_by(self) -> str:
        """The code that runs now, for how long, and where, as text; empty if none runs."""
        run = self._current
        if run is None:
            return ""
        return f"{run.what} has been running for {time.monotonic() - run.began:.0f} s{_where(run.thread)}"

    def stop(self) -> None:
        """Stop watching, and end the watchdog's thread."""
        self._end.set()
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join()

    def _watch(self, watched: threading.Thread) -> None:
        raised = 0
        last: _Run | None = None
        while watched.is_alive() and not self._end.wait(TICK_S):
            run = self._current
            raised = raised if run is last else 0
            last = run
            if run is not None and time.monotonic() - run.began >= self.limit_s + raised * AGAIN_S:
                raised += self._raise(run)

    def _raise(self, run: _Run) -> bool:
        # The interpreter is given a class and creates the exception itself, so the details must be in the class.
        kind = type("Overrun", (Overrun,), {"limit_s": self.limit_s, "where": _where(run.thread)})
        run.is_sending = True  # before the token is taken, because a run that finds it taken waits for this flag
        try:
            run.turn.pop()
        except IndexError:
            run.is_sending = False
            return False  # the run has just ended
        run.was_sent = True
        _send(run.thread, kind)
        run.is_sending = False
        if self._current is run:
            run.turn.append(True)
        return True


class _Cleared(Exception):  # noqa: N818 -- not an error; it never leaves this module
    """Replaces an Overrun that is pending in this thread."""


def _clear_pending() -> None:
    """Make sure that no exception is pending in this thread.

    Clearing it with NULL would leave the interpreter's flag for pending exceptions set, and CPython 3.11 would hang
    under a profiler or a debugger. So another exception replaces it and is caught here. It is sent until it arrives,
    because one that is raised in a finalizer is swallowed.
    """
    try:
        while True:
            _send(threading.get_ident(), _Cleared)
    except _Cleared:
        return


def _send(thread: int, kind: type[BaseException]) -> None:
    """Raise ``kind`` in that thread as soon as it executes bytecode. It replaces a pending exception."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind))


def _where(thread: int) -> str:
    """Return the application's function and line that ``thread`` executes, as text; empty if it has none."""
    found: FrameType | None = None
    frame = sys._current_frames().get(thread)  # noqa: SLF001 -- there is no other way to see where a thread is
    while frame is not None and frame.f_code is not Watchdog.run.__code__:
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            found = frame  # ends at the outermost one, which the package called
        frame = frame.f_back
    if found is None or frame is None:
        return ""
    return f" in {found.f_code.co_name}, line {found.f_lineno} of {Path(found.f_code.co_filename).name}"
