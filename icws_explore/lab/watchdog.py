"""Ends code of an application that runs on and on, as the instruction limit does on the real network (IC0522).

Everything of a lab runs in one thread, so a handler that loops for ever would hold up the whole lab.
A thread of the watchdog's looks on, and raises `Overrun` inside of the code that runs too long: the
canister traps, its state is rolled back, and the lab goes on. Only code that Python itself runs can be
ended so; while it waits in a library it is said who holds the lab up.
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

LIMIT_S: Final = 5.0  # real seconds; a canister has about one for its 40 billion instructions
AGAIN_S: Final = 1.0  # code that swallows the Overrun gets another
TICK_S: Final = 0.25
_PACKAGE: Final = f"{Path(__file__).resolve().parent.parent}{os.sep}"  # not what only begins with its name


class Overrun(Exception):  # noqa: N818 -- what happened; it becomes a trap
    """The code ran longer than it may. ``where`` is the function and line it was in."""

    limit_s = LIMIT_S
    where = ""

    def __str__(self) -> str:
        return f"ran on for {self.limit_s:g} s{self.where}; on the real network the instruction limit ends it (IC0522)"


class _Run:
    """One run of watched code. Whoever takes ``turn`` out may act: the watchdog to raise, the run to end."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.thread = threading.get_ident()
        self.began = time.monotonic()
        self.turn = [True]  # a list's pop is one step, also between threads; a lock could be left held by an Overrun
        self.is_sending = False  # an Overrun may be on the point of being sent
        self.was_sent = False  # one was, at least


class Watchdog:
    """Watches the code that one thread runs, a run at a time. Ends with `stop`, or with that thread."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self.limit_s = limit_s
        self._current: _Run | None = None
        self._looks_on: threading.Thread | None = None
        self._end = threading.Event()

    def run(self, what: str, body: Callable[[], T]) -> T:
        """``body()``, ended by an `Overrun` after ``limit_s`` real seconds. ``what`` names it for `held_up_by`."""
        if self._current is not None:
            return body()  # within watched code: it has its limit already
        if self._looks_on is None:
            watched = threading.current_thread()
            self._looks_on = threading.Thread(target=self._look_on, args=(watched,), name="icws-watchdog", daemon=True)
            self._looks_on.start()
        run = self._current = _Run(what)
        try:
            try:
                return body()
            finally:
                self._over(run)
        except Overrun:
            self._over(run)  # it may have come between the two lines above
            raise

    def _over(self, run: _Run) -> None:
        """No Overrun comes of ``run`` after this: one that is on its way is awaited and taken back."""
        while True:
            try:
                self._current = None
                try:
                    run.turn.pop()
                except IndexError:  # the watchdog has it: it sends just now, or has
                    while run.is_sending:
                        time.sleep(0)
                if run.was_sent:
                    _take_back()
                return
            except Overrun:
                continue

    @property
    def held_up_by(self) -> str:
        """What runs at this moment, for how long and where, in words; empty: nothing does."""
        run = self._current
        return "" if run is None else f"{run.what} runs for {time.monotonic() - run.began:.0f} s{_where(run.thread)}"

    def stop(self) -> None:
        """Look on no more."""
        self._end.set()
        if self._looks_on is not None and self._looks_on is not threading.current_thread():
            self._looks_on.join()

    def _look_on(self, watched: threading.Thread) -> None:
        raised = 0
        last: _Run | None = None
        while watched.is_alive() and not self._end.wait(TICK_S):
            run = self._current
            raised = raised if run is last else 0
            last = run
            if run is not None and time.monotonic() - run.began >= self.limit_s + raised * AGAIN_S:
                raised += self._raise(run)

    def _raise(self, run: _Run) -> bool:
        # What is sent is a class, which the interpreter calls: what it is to say must be in the class.
        kind = type("Overrun", (Overrun,), {"limit_s": self.limit_s, "where": _where(run.thread)})
        run.is_sending = True  # before the turn is taken: who finds it taken waits for this
        try:
            run.turn.pop()
        except IndexError:
            run.is_sending = False
            return False  # it has ended just now
        run.was_sent = True
        _send(run.thread, kind)
        run.is_sending = False
        if self._current is run:
            run.turn.append(True)
        return True


class _TakenBack(Exception):  # noqa: N818 -- no error, and nobody sees it
    """Takes the place of an Overrun that is on its way."""


def _take_back() -> None:
    """Nothing is on its way to this thread after this.

    Clearing it with NULL would leave the interpreter looking for it at every step, and CPython 3.11 with a
    profiler or a debugger would never get any further; what arrives is done with. It is sent until it
    arrives here: in a finalizer that the interpreter runs just then it would be swallowed.
    """
    try:
        while True:
            _send(threading.get_ident(), _TakenBack)
    except _TakenBack:
        return


def _send(thread: int, kind: type[BaseException]) -> None:
    """Raise ``kind`` in that thread, as soon as it executes Python; it replaces what is on its way."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind))


def _where(thread: int) -> str:
    """The application's own function that runs in ``thread``, and its line; of the package's own code nothing."""
    found: FrameType | None = None
    frame = sys._current_frames().get(thread)  # noqa: SLF001 -- there is no other way to see where a thread is
    while frame is not None and frame.f_code is not Watchdog.run.__code__:
        if not frame.f_code.co_filename.startswith(_PACKAGE):
            found = frame  # the outermost: what the package called
        frame = frame.f_back
    if found is None or frame is None:
        return ""
    return f" in {found.f_code.co_name}, line {found.f_lineno} of {Path(found.f_code.co_filename).name}"
