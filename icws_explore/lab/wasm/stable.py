"""A canister's stable memory, which outlives upgrades. It is sparse: pages that were never written take no memory."""

from __future__ import annotations

from typing import Final

WASM_PAGE: Final = 65_536  # bytes
MAX_PAGES: Final = 16 * 1024 * 1024 * 1024 // WASM_PAGE  # the size that a canister may ask for
MAX_WRITTEN: Final = 512 * 1024 * 1024  # bytes of pages that it has written
_PAGE: Final = 4_096  # bytes: what a write copies


class StableFull(Exception):  # noqa: N818 -- it becomes a trap
    """More was written than the lab keeps."""


class StableMemory:
    """``pages`` is its size in pages of 64 KiB. A copy shares the content, which is never changed in place."""

    __slots__ = ("_content", "pages")

    def __init__(self) -> None:
        self.pages = 0
        self._content: dict[int, bytes] = {}

    def copy(self) -> StableMemory:
        other = StableMemory()
        other.pages = self.pages
        other._content = dict(self._content)
        return other

    def grow(self, pages: int) -> int | None:
        """Add pages of zeros. Returns the size before, or None if it would be larger than MAX_PAGES."""
        before = self.pages
        if before + pages > MAX_PAGES:
            return None
        self.pages += pages
        return before

    def holds(self, offset: int, size: int) -> bool:
        """Whether the range lies inside of it."""
        return offset + size <= self.pages * WASM_PAGE

    def read(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes. The range must lie inside."""
        parts = []
        while size > 0:
            number, start = divmod(offset, _PAGE)
            length = min(size, _PAGE - start)
            page = self._content.get(number)
            parts.append(bytes(length) if page is None else page[start : start + length])
            offset, size = offset + length, size - length
        return b"".join(parts)

    def write(self, offset: int, data: bytes) -> None:
        """Write ``data``. The range must lie inside. Raises StableFull."""
        at = 0
        while at < len(data):
            number, start = divmod(offset + at, _PAGE)
            part = data[at : at + _PAGE - start]
            old = self._content.get(number)
            if old is None and (len(self._content) + 1) * _PAGE > MAX_WRITTEN:
                raise StableFull
            if len(part) < _PAGE:
                old = old or bytes(_PAGE)
                part = old[:start] + part + old[start + len(part) :]
            self._content[number] = part
            at += _PAGE - start
