"""How commands write: text, tables and JSON lines to stdout; notes and one-line errors to stderr.

`leaving` ends a command on a signal although nobody reads its output. A signal asks the command to end: its handler
cancels a task or sets a flag. If the main thread waits at that moment for somebody to read the output, the handler
runs, and the wait goes on. So the signal also wakes a thread, which ends the process if the output is still full some
time later. Recordings are safe, because a frame is handed to the operating system before it is passed on.

A handler runs between two instructions of the main thread, which may hold any lock there: that of an event that it
waits for, or that of `threading` itself. So no handler takes a lock: it sets a flag, or puts into a `SimpleQueue`.

A signal does not always end a wait of the main thread: it may come just before the wait begins, or to another thread.
Python runs the handler when the main thread runs again. So no wait is without an end: `wait_for` looks now and then.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from icws_explore.protocol.credentials import without_credentials
from icws_explore.protocol.principal import Principal

_FILE_WIDTH: Final = 120  # cells of a line in a file or a pipe
_LEAST_WIDTH: Final = 40  # cells: narrower terminals wrap by themselves
MOST: Final = 2_000  # characters of an error or a note
SUBJECT_BAD: Final = 1  # exit code: the command ran, and what it examined is bad
LEAVE_S: Final = 1.2  # real seconds after a signal in which somebody may still read the output
LOOK_S: Final = 0.1  # real seconds between two looks: at the output after that, and for a signal during a wait
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_OUTPUTS: Final = (1, 2)  # descriptors of stdout and stderr


def error_line(text: str) -> None:
    """Write an error to stderr, as one line without control characters and credentials."""
    click.echo(f"icws: {_short(printable(without_credentials(text)))}", err=True)


def note(text: str) -> None:
    """Write to stderr what is not the command's output, such as progress or what was left out.

    On a terminal the lines are wrapped after words; elsewhere it is one line.
    """
    line = _short(printable(without_credentials(text)))
    if not sys.stderr.isatty():
        click.echo(line, err=True)
        return
    columns = max(Console(file=sys.stderr).width, _LEAST_WIDTH)
    for part in textwrap.wrap(line, columns, break_long_words=False, break_on_hyphens=False):
        click.echo(click.style(part, dim=True), err=True)


def _short(line: str) -> str:
    """Cut a line after `MOST` characters: it may quote a name from a file that is as long as the file."""
    return line if len(line) <= MOST else f"{line[:MOST]}… ({len(line)} characters)"


def printable(text: str) -> str:
    """``text`` as one line, with a visible character in place of each control character."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "�" if c == "\x7f" else " " if c in "\n\r\t" else "·" for c in text)


def json_line(value: Any) -> None:
    """Write ``value`` as one line of JSON and flush it, because a reader may wait for the line."""
    click.echo(json.dumps(value, ensure_ascii=False, default=json_default))
    sys.stdout.flush()


def json_default(value: Any) -> Any:
    """JSON for types that JSON does not have: bytes as hexadecimal, principals as text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Principal):
        return value.text
    return str(value)


def show(line: Text) -> None:
    """Write one line of a view: coloured on a terminal, plain in a pipe."""
    _console().print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)


def show_plain(lines: Iterable[str]) -> None:
    """Write lines without colour, many at once. Only for output that ends: a reader gets them as the buffer fills."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def is_plain() -> bool:
    """Whether `show` writes without colour: in a file or a pipe, unless the environment asks for colour there."""
    return not _console().is_terminal


def show_table(table: Table) -> None:
    """A table of a view, as wide as `width`."""
    Console(file=sys.stdout, width=width()).print(table, highlight=False)


def width() -> int:
    """Cells in a line: those of the terminal, or 120 in a file or a pipe."""
    return _console().width if is_terminal() else _FILE_WIDTH


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return not sys.stdout.closed and sys.stdout.isatty()


def mute_stdout() -> None:
    """Send stdout to /dev/null, so that Python does not report at exit that it cannot flush it."""
    with contextlib.suppress(ValueError):  # in a notebook, stdout is not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _console() -> Console:
    return Console(file=sys.stdout)


FULL_PASS_AFTER: Final = 1  # passes over younger objects; usually 10. Little growth still means no full pass


def settle() -> None:
    """Call this when a server is ready: the garbage collector then no longer looks at what was made by starting it.

    A full pass over all imported modules stops every session for 40 to 100 ms, again and again. So does one that frees
    what a few minutes of sessions have left behind; full passes come five times as often, and each frees less.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # what grows is from now on compared with nothing, and not with what is frozen
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_PASS_AFTER)


@contextmanager
def at_signals(act: Callable[[], object]) -> Iterator[None]:
    """Call ``act()`` at SIGINT and SIGTERM. Restore the previous handlers afterwards.

    ``act`` must not take a lock. Call this from the main thread.
    """
    before = {number: signal.signal(number, lambda *_: act()) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait_for(queue: SimpleQueue[None]) -> None:
    """Wait until ``queue`` has an entry. A signal's handler may put it there."""
    while True:
        with contextlib.suppress(Empty):
            return queue.get(timeout=LOOK_S)


@contextmanager
def leaving(code: int) -> Iterator[None]:
    """After a signal, end the process with exit code ``code`` if its output is not read.

    The handlers that are set when this is entered run as before. A signal without a handler in Python is left alone.
    """
    before = {number: handler for number in SIGNALS if callable(handler := signal.getsignal(number))}
    asked: SimpleQueue[bool] = SimpleQueue()  # True: a signal has come; False: there is no need to wait for one
    threading.Thread(target=_leave_if_asked, args=(asked, code), name="icws-leave", daemon=True).start()

    def handle(number: int, frame: FrameType | None) -> None:
        asked.put(True)
        before[signal.Signals(number)](number, frame)

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)
        asked.put(False)


def _leave_if_asked(asked: SimpleQueue[bool], code: int) -> None:
    if not asked.get():
        return
    time.sleep(LEAVE_S)
    while True:
        if any(_is_full(output) for output in _OUTPUTS):
            os._exit(code)
        time.sleep(LOOK_S)


def _is_full(output: int) -> bool:
    """Whether a write to this descriptor would wait. False if it is closed."""
    with contextlib.suppress(OSError, ValueError):
        return not select.select([], [output], [], 0)[1]
    return False
