"""Opening files, and knowing by how one begins what it is: so that a wrong one is called by its name.

The text of a JSON file, whatever it was saved as, made fit for a strict parser.

Nothing of it is lost for a byte that is no UTF-8 (it becomes U+FFFD), for a byte order mark, for UTF-16, or
for a control character in a string (a space: JSON allows none there, and outside of strings means it).

What could not be read, in lines for a person: bounded, for a hostile file gives cause for a million.
"""

from __future__ import annotations

import codecs
import io
import os
import re
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Final

from icws_explore.protocol.credentials import without_credentials
from icws_explore.protocol.errors import CaptureError

START: Final = 4096  # bytes, enough to know a file by
PCAP_MAGICS: Final = frozenset(
    bytes.fromhex(magic)
    for magic in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "a1b2cd34", "34cdb2a1", "0a0d0d0a")
)
UTF8_BOM: Final = b"\xef\xbb\xbf"
UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
_CAPTURE: Final = re.compile(rb'\{\s*"icws"\s*:')
_HAR: Final = re.compile(rb'\{.*"log"\s*:\s*\{', re.DOTALL)


class FileKind(StrEnum):
    """What a file is, in words that fit behind "it is"."""

    EMPTY = "empty"
    CAPTURE = "a capture"
    HAR = "a HAR file"
    PCAP = "a packet capture"
    GZIP = "packed with gzip"
    ZIP = "a ZIP archive"
    UTF16 = "UTF-16 text"
    PAGE = "a web page"
    OTHER = "of another kind"


def open_file(path: Path) -> io.BufferedReader:
    """``path`` opened for reading, its start readable. Raises CaptureError."""
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
    """What to raise when the system refuses a file."""
    return CaptureError(f"cannot read {os.fspath(path) or 'a file without a name'}: {error.strerror or error}")


def kind_of(start: bytes) -> FileKind:
    """What a file is that begins so (some kilobytes)."""
    if start[:4] in PCAP_MAGICS:
        return FileKind.PCAP
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


class JsonText:
    """A file to give to a parser, which reads UTF-8 from it. ``was_damaged``: not all of it was text."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self.was_damaged = False
        self._stream = stream
        start = stream.peek(_SNIFFED)[:_SNIFFED]
        self._encoding = _encoding(start)
        self._decoder = codecs.getincrementaldecoder(self._encoding)()

    def read(self, size: int = -1) -> bytes:
        """About ``size`` bytes; nothing only at the end."""
        while True:
            chunk = self._stream.read(size)
            text = self._decoded(chunk)
            if text or not chunk or size == 0:
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


MAX_ALIKE: Final = 20  # lines of one kind
MAX_TEXT: Final = 120  # characters of what a file holds


class Notes(list[str]):
    """Lines. Those of a kind that may be many are added with `some`, and counted by `counted`."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: Counter[str] = Counter()

    def some(self, kind: str, text: str) -> None:
        """One line more of ``kind`` (a plural: "messages left out"), if there are not too many yet."""
        self._seen[kind] += 1
        if self._seen[kind] <= MAX_ALIKE:
            self.append(text)

    def counted(self) -> list[str]:
        """The lines, and how many more of each kind there would be."""
        more = [f"{count - MAX_ALIKE} more {kind}" for kind, count in self._seen.items() if count > MAX_ALIKE]
        return [*self, *more]


def shown(text: str) -> str:
    """``text`` out of a file, on one line and no longer than a line, without credentials."""
    line = without_credentials(" ".join(text[: 10 * MAX_TEXT].split()))
    return line if len(line) <= MAX_TEXT else line[: MAX_TEXT - 1] + "…"
