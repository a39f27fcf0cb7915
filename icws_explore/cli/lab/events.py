"""What `icws lab` does while labs run: it prints their events, obeys what is typed, and tells which processes ended."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from icws_explore.lab import Lab
from icws_explore.lab.log import LabEvent
from icws_explore.lab.process import LOST
from icws_explore.protocol.budgets import TERMINAL_FRAMES as MAX_WAITING
from icws_explore.protocol.canister.app import App
from icws_explore.protocol.errors import IcwsError

from ..console import printable

ORDERS: Final = ("upgrade", "reinstall", "stop", "start", "uninstall")  # what can be typed into a lab's terminal
_MAX_LINE: Final = 4096  # bytes of an unfinished line that are kept
_WORD: Final = 40  # characters of a wrong word that are shown
LOOK_S: Final = 0.2  # real seconds between looks for a signal while nothing happens


class Workers:
    """The labs of one command, and what it means that one of their processes has ended by itself."""

    def __init__(self, labs: Sequence[Lab], events: Events) -> None:
        self.alive = list(labs)
        self._first = labs[0]
        self._network_url = labs[0].network_url
        self._events = events

    def tell(self, lab: Lab, event: LabEvent) -> None:
        """Put an event of ``lab`` to those that are printed. For any thread."""
        if event.kind != LOST or lab not in self.alive:
            self._events.put(event)
            return
        self.alive.remove(lab)
        left = len(self.alive)
        if not left:
            then = "no other is left"
        elif lab is self._first:
            then = (
                f"it had the network {self._network_url}, so no more sessions can open: stop the lab and start it again"
            )
        else:
            then = f"new clients get to the {'other one' if left == 1 else f'other {left}'}"
        self._events.put(replace(event, text=f"{event.text}; {then}"))
        if not left:
            self._events.put(None)


class Events:
    """What waits to be printed: events of the lab, and notes of its tap. A bounded number of them waits."""

    def __init__(self) -> None:
        self.left_out = 0
        self._queue: queue.Queue[LabEvent | str | None] = queue.Queue(MAX_WAITING)
        self._is_over = False

    def put(self, event: LabEvent | str | None) -> None:
        """Add an event without waiting. If the queue is full, it is left out and counted."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.left_out += 1

    def end(self) -> None:
        """End after what is waiting. A signal's handler may call this while `next` holds the queue's lock."""
        self._is_over = True

    def next(self) -> LabEvent | str | None:
        """The next event; None at the end."""
        while True:
            try:
                return self._queue.get(timeout=LOOK_S)
            except queue.Empty:
                if self._is_over:
                    return None


class Orders(threading.Thread):
    """Does with the labs' canisters what is typed into the terminal, or written into the pipe, of `icws lab`."""

    def __init__(self, labs: Sequence[Lab], build: Callable[[], App] | None, say: Callable[[str], None]) -> None:
        super().__init__(name="icws-orders", daemon=True)
        self._labs = labs
        self._build = build
        self._say = say

    def run(self) -> None:
        for line in _typed_lines():
            if word := line.strip().lower():
                try:
                    if word not in ORDERS:
                        self._say(f"{printable(word[:_WORD])!r} is none of {', '.join(ORDERS)}")
                        continue
                    for lab in tuple(self._labs):
                        self._obey(word, lab)
                except IcwsError as error:
                    self._say(f"{word[:_WORD]}: {error}")

    def _obey(self, word: str, lab: Lab) -> None:
        if word in ("upgrade", "reinstall"):
            put = lab.upgrade if word == "upgrade" else lab.reinstall
            put(app=None if self._build is None else self._build())
        elif word == "stop":
            lab.stop_canister()
        elif word == "start":
            lab.start_canister()
        else:
            lab.uninstall()


@contextmanager
def unstopped() -> Iterator[None]:
    """Let a lab in the background (`icws lab &`) go on, although it looks for what is typed."""
    before = signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTTIN, before)


def _typed_lines() -> Iterator[str]:
    """Lines of stdin until it ends. A job in the background reads none, because SIGTTIN is ignored."""
    rest = b""
    with suppress(OSError, ValueError, AttributeError):  # there is no stdin, or it is closed
        # Not through sys.stdin: Python cannot end while a thread waits in its buffer.
        while data := os.read(sys.stdin.fileno(), 4096):
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in lines)
            rest = rest[-_MAX_LINE:]
