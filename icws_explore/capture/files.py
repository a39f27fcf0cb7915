"""Opening files, and knowing by how one begins what it is: so that a wrong one is called by its name."""

from __future__ import annotations

import io
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Final

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
