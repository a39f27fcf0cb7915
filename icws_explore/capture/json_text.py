"""The text of a JSON file, whatever it was saved as, made fit for a strict parser.

Nothing of it is lost for a byte that is no UTF-8 (it becomes U+FFFD), for a byte order mark, for UTF-16, or
for a control character in a string (a space: JSON allows none there, and outside of strings means it).
"""

from __future__ import annotations

import codecs
import io
from typing import Final

from .files import UTF8_BOM, UTF16_BOMS

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
