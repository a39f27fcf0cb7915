"""Where commands write: people's text and tables to stdout, JSON as lines, errors as one line."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any, Final

import click
from rich.console import Console
from rich.text import Text

from icws_explore.protocol.credentials import without_credentials
from icws_explore.protocol.principal import Principal

SUBJECT_BAD: Final = 1  # the exit code where the command ran, and what it looked at is not well


def error_line(text: str) -> None:
    """One line on stderr; whatever a hostile text holds, it stays one line without control characters."""
    click.echo(f"icws: {printable(without_credentials(text))}", err=True)


def note(text: str) -> None:
    """Something a person wants to know that is not the output: progress, what is left out."""
    line = printable(without_credentials(text))
    click.echo(click.style(line, dim=True) if sys.stderr.isatty() else line, err=True)


def printable(text: str) -> str:
    """``text`` on one line: control characters (terminal escapes among them) become visible."""
    return "".join(c if c.isprintable() else "�" if c == "\x7f" else " " if c in "\n\r\t" else "·" for c in text)


def json_line(value: Any) -> None:
    """``value`` as one line of JSON, flushed: a reader may be waiting for it."""
    click.echo(json.dumps(value, ensure_ascii=False, default=json_default))
    sys.stdout.flush()


def json_default(value: Any) -> Any:
    """What JSON has no word for: bytes as hex, principals as text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Principal):
        return value.text
    return str(value)


def show(line: Text) -> None:
    """A line of a view: coloured on a terminal, plain in a pipe."""
    _console().print(line, highlight=False, markup=False, emoji=False, soft_wrap=True)


def width() -> int:
    """Cells of a line: the terminal's, or 120 where the output goes into a file or a pipe."""
    return _console().width if not sys.stdout.closed and sys.stdout.isatty() else 120


def mute_stdout() -> None:
    """Keep Python from complaining at shutdown about what it cannot flush."""
    with contextlib.suppress(ValueError):  # a stdout that is no file, as in a notebook
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _console() -> Console:
    return Console(file=sys.stdout)
