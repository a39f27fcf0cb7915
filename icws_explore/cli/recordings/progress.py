"""How far work on many files has come: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..console import note

NOTE_EVERY_S: Final = 10.0  # real seconds


@contextmanager
def progress(doing: str, total: int, *, notes: bool = False) -> Iterator[Callable[[], None]]:
    """Give a function to call after each of ``total`` files; ``doing`` is a word such as examining.

    The bar is on the standard error stream, if that is a terminal, and what is printed meanwhile stands above it. If
    it is none, ``notes`` writes a line there every ten seconds.
    """
    columns = TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    is_terminal = sys.stderr.isatty()
    with Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        disable=not is_terminal,
    ) as bar:
        task = bar.add_task("", total=total)
        done, noted = 0, time.monotonic()

        def advance() -> None:
            nonlocal done, noted
            bar.advance(task)
            done += 1
            if notes and not is_terminal and time.monotonic() - noted >= NOTE_EVERY_S:
                noted = time.monotonic()
                note(f"{doing}: {done:,} of {total:,} files …")

        yield advance
