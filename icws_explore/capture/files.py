"""Reading files that other people and other programs made.

- `open_file` and `kind_of` recognise a file by its first bytes, so that an error can name what the file is.
- `JsonText` turns a JSON file in any common encoding into UTF-8 for a strict parser. Bytes that are not
  text become U+FFFD, control characters become spaces.
- `Notes` collects what could not be read, as lines for a person. It is bounded, because a hostile file
  could cause millions of lines.
"""

from __future__ import annotations

import codecs
import gc
import io
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from icws_explore.protocol.credentials import without_credentials
from icws_explore.protocol.errors import CaptureError

START: Final = 4096  # bytes, enough to recognise a file
PCAP_MAGICS: Final = frozenset(
    bytes.fromhex(magic)
    for magic in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "a1b2cd34", "34cdb2a1", "0a0d0d0a")
)
UTF8_BOM: Final = b"\xef\xbb\xbf"
UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_CAPTURE: Final = re.compile(rb'\{\s*"icws"\s*:')
_FLOWS: Final = re.compile(rb"\d{1,12}:\d{1,12}:[a-z_]{1,64}[;,]")  # a dictionary in tnetstrings, and its first name
_HAR: Final = re.compile(rb'\{.*"log"\s*:\s*\{', re.DOTALL)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's search for cycles while many frames are read, decoded, or written into a report.

    They have none, and the search takes up to a third of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not gc.get_freeze_count():  # nobody else keeps objects out of the search
                gc.freeze()
                gc.unfreeze()  # into the oldest generation, or the next allocation would begin a search of them all
            gc.enable()


class FileKind(StrEnum):
    """The kind of a file, in words that fit after "it is"."""

    EMPTY = "empty"
    CAPTURE = "a capture"
    HAR = "a HAR file"
    PCAP = "a packet capture"
    FLOWS = "a flow file of mitmproxy"
    GZIP = "packed with gzip"
    ZIP = "a ZIP archive"
    UTF16 = "UTF-16 text"
    PAGE = "a web page"
    OTHER = "of another kind"


def open_file(path: Path) -> io.BufferedReader:
    """Open ``path`` and make sure that its start can be read. Raises CaptureError."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:  # a NUL in the name
        raise CaptureError(f"cannot read {str(path)!r}: {error}") from error
    try:
        stream.peek(1)
    except OSError as error:  # some systems open directories
        stream.close()
        raise unreadable(path, error) from error
    return stream


def unreadable(path: str | os.PathLike[str], error: OSError) -> CaptureError:
    """Return the error to raise when the operating system refuses a file."""
    return CaptureError(f"cannot read {os.fspath(path) or 'a file without a name'}: {error.strerror or error}")


def kind_of(start: bytes) -> FileKind:
    """Recognise a file by its first bytes (some kilobytes)."""
    if start[:4] in PCAP_MAGICS:
        return FileKind.PCAP
    if _FLOWS.match(start):
        return FileKind.FLOWS
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return FileKind.ZIP
    if start.startswith(b"\x1f\x8b"):
        return FileKind.GZIP
    if start.startswith((*UTF16_BOMS, b"{\0", b"\0{")):
        return FileKind.UTF16
    text = start.removeprefix(UTF8_BOM).lstrip()
    if not text:
        return FileKind.EMPTY
    if _CAPTURE.match(text):
        return FileKind.CAPTURE
    if _HAR.match(text):
        return FileKind.HAR
    return FileKind.PAGE if text[:1] == b"<" else FileKind.OTHER


_SPACES: Final = bytes.maketrans(bytes(range(0x20)), b" " * 0x20)
_SNIFFED: Final = 4  # bytes
CHUNK: Final = 64 * 1024  # bytes given to a JSON parser at a time


class JsonText:
    """A file as UTF-8 JSON text for a parser that pulls bytes from it and gives events.

    The parser scans an unfinished string again with every chunk, so chunks of one size would make a long
    string cost the square of its length. The caller sets ``progressed`` on every event. While none comes,
    each chunk is twice as long as the one before, and ends with the string that it closes, so that what
    follows the string comes in short chunks again.

    ``was_damaged`` says that some bytes were not text and were replaced.
    """

    def __init__(self, stream: io.BufferedReader, chunk: int = CHUNK) -> None:
        """``chunk`` is the size of the first chunks, in bytes."""
        self.was_damaged = False
        self.progressed = True
        self._chunk = chunk
        self._stream = stream
        start = stream.peek(_SNIFFED)[:_SNIFFED]
        self._encoding = _encoding(start)
        self._decoder = codecs.getincrementaldecoder(self._encoding)()
        self._size = chunk
        self._text = b""
        self._at = 0  # bytes of the text that have been given
        self._escapes = False  # whether the byte before them is a backslash that escapes the next one

    def read(self, size: int = -1) -> bytes:
        """The next chunk, of a size of its own; empty for ``size`` 0 and at the end of the file."""
        if size == 0:
            return b""
        self._size = self._chunk if self.progressed else 2 * self._size
        self.progressed = False
        if self._at == len(self._text):
            self._text, self._at = self._next(self._size), 0
        chunk = self._text[self._at : self._at + self._size]
        if self._size > self._chunk:
            chunk = chunk[: self._closing(chunk)]
        self._at += len(chunk)
        backslashes = len(chunk) - len(chunk.rstrip(b"\\"))
        self._escapes = bool((backslashes + (self._escapes and backslashes == len(chunk))) % 2)
        return chunk

    def _closing(self, chunk: bytes) -> int:
        """The number of bytes up to the quote that ends a string; all where there is none."""
        skipped = int(self._escapes)
        quote = chunk[skipped:].replace(b"\\\\", b"__").replace(b'\\"', b"__").find(b'"')
        return len(chunk) if quote < 0 else skipped + quote + 1

    def _next(self, size: int) -> bytes:
        while True:
            raw = self._stream.read(size)
            text = self._decoded(raw)
            if text or not raw:
                return text.encode("utf-8", "replace").translate(_SPACES)

    def _decoded(self, chunk: bytes) -> str:
        before = self._decoder.getstate()
        try:
            return self._decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError:
            self.was_damaged = True
            self._decoder = codecs.getincrementaldecoder(self._encoding)("replace")
            self._decoder.setstate(before)
            return self._decoder.decode(chunk, final=not chunk)


def _encoding(start: bytes) -> str:
    if start.startswith(UTF16_BOMS):
        return "utf-16"
    if start[:2] == b"{\0":
        return "utf-16-le"
    if start[:2] == b"\0{":
        return "utf-16-be"
    return "utf-8-sig" if start.startswith(UTF8_BOM) else "utf-8"


MAX_ALIKE: Final = 20  # notes of one kind
MAX_TEXT: Final = 120  # characters of a text quoted from a file


class Notes(list[str]):
    """A list of notes. `some` adds a note of a kind that may occur often; `counted` sums up those left out."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: Counter[str] = Counter()

    def some(self, kind: str, text: str) -> None:
        """Add a note of ``kind`` (a plural such as "messages left out") unless there are `MAX_ALIKE` of them."""
        self._seen[kind] += 1
        if self._seen[kind] <= MAX_ALIKE:
            self.append(text)

    def counted(self) -> list[str]:
        """Return the notes, followed by the number of omitted ones of each kind."""
        more = [f"{count - MAX_ALIKE} more {kind}" for kind, count in self._seen.items() if count > MAX_ALIKE]
        return [*self, *more]


def shown(text: str) -> str:
    """Quote ``text`` from a file on one line, shortened to `MAX_TEXT` characters and without credentials."""
    line = without_credentials(" ".join(text[: 10 * MAX_TEXT].split()))
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"
