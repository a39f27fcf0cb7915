"""The lines of an `.icws` file, packed or not: within bounds, and up to where a damaged one ends."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from .files import open_file, unreadable

MAX_LINE: Final = 48 * 1024 * 1024  # bytes: base64 of the largest message that any gateway lets through, and room
MAX_LINES: Final = 2_000_000  # blank and unreadable ones too
MAX_UNPACKED: Final = 512 * 1024 * 1024  # bytes; gzip makes a thousand of one, so a small file could fill any memory


class Line(NamedTuple):
    """``number`` counts from 1, blank ones too; ``is_whole`` says whether it ended with a newline."""

    number: int
    text: bytes
    is_whole: bool


def read_lines(path: Path, notes: list[str]) -> Iterator[Line]:
    """Each line that is not blank; ``notes`` say where a damaged file ends. Raises CaptureError if it is unreadable."""
    with open_file(path) as raw:
        is_packed = raw.peek(2)[:2] == b"\x1f\x8b"
        stream: io.BufferedIOBase = gzip.GzipFile(fileobj=raw) if is_packed else raw
        unpacked = 0
        for number in range(1, MAX_LINES + 1):
            try:
                text = stream.readline(MAX_LINE)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                notes.append(f"the file ends in the middle of line {number}: {error}")
                return
            except OSError as error:
                if number == 1:
                    raise unreadable(path, error) from error
                notes.append(f"the file could be read up to line {number}: {error.strerror or error}")
                return
            if not text:
                return
            unpacked += len(text)
            if is_packed and unpacked > MAX_UNPACKED:
                notes.append(
                    f"line {number} and what follows left out: more than {MAX_UNPACKED} bytes, unpack it first"
                )
                return
            if text.strip():
                yield Line(number, text, text.endswith(b"\n"))
        notes.append(f"what follows line {MAX_LINES} is left out")
