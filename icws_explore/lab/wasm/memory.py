"""A canister's memory that can be put back to how it was when it was last committed.

Every message may trap and every query is undone, so this is done for each message, and the memory of a canister can be
many MiB. A `Shadow` keeps a whole copy, which is the fastest for a small memory. For a larger one on Linux,
`CopyOnWrite` leaves the work to the kernel: the memory is a private mapping of a file in memory
that holds the committed state. Pages that the canister writes become private copies. Rolling back drops these pages;
committing copies them, and only them, to the file, and drops them when they are many: the next message of a canister
often writes the same pages, and copying a few once more costs less than making them private again. A page that is
written for the first time costs as much as a dozen that are copied, so a canister that writes much of a memory of a few
MiB, as the Rust CDK does and Motoko's does not, goes back to a copy.

A memory can grow, but not shrink. After a message in which it has grown, the caller rolls back with a new instance:
`attach` moves the committed state into its memory.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from functools import cache
from typing import Final, Protocol

SMALL: Final = 1024 * 1024  # bytes up to which a copy is the fastest
LARGE: Final = 8 * 1024 * 1024  # bytes from which on the kernel is faster, whatever is written
TRIED: Final = 64  # commits after which a canister is known
_MUCH: Final = 12  # one page in so many
_PAGE: Final = mmap.PAGESIZE
_MAP_FIXED: Final = 0x10
_MADV_DONTNEED: Final = 4
_MAP_FAILED: Final = ctypes.c_void_p(-1).value
_TOP_BYTE: Final = 7 if sys.byteorder == "little" else 0  # of an entry of /proc/self/pagemap
_STATE: Final = 0b1110_0000  # present, swapped, of a file
_OF_FILE: Final = 0b1010_0000  # present and of a file
_KEPT: Final = 64 * _PAGE  # bytes of private copies that are kept over a commit, because they are soon written again


class Rollback(Protocol):
    """The committed state of a linear memory at an address of this process. Sizes are bytes."""

    size: int  # of the committed state

    def commit(self, address: int, size: int) -> None:
        """Make the current content, at ``address``, the committed state."""

    def roll_back(self, address: int) -> None:
        """Put the committed state back into the memory at ``address``, which has its size."""

    def attach(self, address: int) -> None:
        """Put the committed state into another memory, at ``address``, which has its size."""

    def close(self) -> None:
        """Free what it holds outside of Python. The memory must not be used any more."""


class Shadow:
    """A whole copy. ``is_settled``: it stays one while the memory is not large."""

    def __init__(self, *, is_settled: bool = False) -> None:
        self.size = 0
        self.is_settled = is_settled
        self._copy = ctypes.create_string_buffer(0)

    def commit(self, address: int, size: int) -> None:
        if size > len(self._copy):
            self._copy = ctypes.create_string_buffer(size)
        self.size = size
        ctypes.memmove(self._copy, address, size)

    def roll_back(self, address: int) -> None:
        ctypes.memmove(address, self._copy, self.size)

    attach = roll_back

    def close(self) -> None:
        self._copy = ctypes.create_string_buffer(0)


class CopyOnWrite:
    """A private mapping of the committed state. Raises OSError where the kernel does not offer what it needs."""

    def __init__(self) -> None:
        self.size = 0
        self._commits = 0
        self._kept = 0  # bytes of private copies at the last commit
        self._share_written = 0.0  # of the memory, summed over the commits
        self._is_open = False
        self._committed = 0  # where the file is mapped to be written
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.mmap.restype = ctypes.c_void_p
        self._libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        self._libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self._libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        self._pages = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._file = os.memfd_create("icws-canister", os.MFD_CLOEXEC)
        except BaseException:
            os.close(self._pages)
            raise
        self._is_open = True

    def commit(self, address: int, size: int) -> None:
        committed, own = self._committed, 0
        for start, end in self.written(address, self.size):
            ctypes.memmove(committed + start, address + start, end - start)
            own += end - start
        self._commits += 1
        if own > self._kept:
            self._share_written += (own - self._kept) / self.size
        self._kept = own
        if own > min(_KEPT, self.size // _MUCH):
            self._drop(address)
        if size > self.size:
            grown_from = self.size
            self._make_room(size)
            ctypes.memmove(self._committed + grown_from, address + grown_from, size - grown_from)
            self._map(address, grown_from, size)

    def roll_back(self, address: int) -> None:
        self._drop(address)

    def attach(self, address: int) -> None:
        self._kept = 0
        self._map(address, 0, self.size)

    def close(self) -> None:
        if self.size:
            self._libc.munmap(self._committed, self.size)
            self.size = 0
        if self._is_open:
            self._is_open = False
            os.close(self._file)
            os.close(self._pages)

    __del__ = close

    @property
    def costs_more(self) -> bool:
        """Whether a copy of the whole would have cost less, so far."""
        return self._commits >= TRIED and self._share_written * _MUCH > self._commits

    def written(self, address: int, size: int) -> list[tuple[int, int]]:
        """Return the ranges that may differ from the file: pages that are no longer the file's."""
        import numpy as np

        entries = os.pread(self._pages, size // _PAGE * 8, address // _PAGE * 8)
        state = np.frombuffer(entries, dtype=np.uint8)[_TOP_BYTE::8] & _STATE
        ranges: list[tuple[int, int]] = []
        start = end = -1
        for page in np.flatnonzero((state != 0) & (state != _OF_FILE)).tolist():
            if page != end:
                if end > 0:
                    ranges.append((start * _PAGE, end * _PAGE))
                start = page
            end = page + 1
        if end > 0:
            ranges.append((start * _PAGE, end * _PAGE))
        return ranges

    def _make_room(self, size: int) -> None:
        os.ftruncate(self._file, size)
        if self.size:
            self._libc.munmap(self._committed, self.size)
            self.size = 0
        rights = mmap.PROT_READ | mmap.PROT_WRITE
        got = self._libc.mmap(None, size, rights, mmap.MAP_SHARED, self._file, 0)
        if got in {None, _MAP_FAILED}:
            raise OSError(ctypes.get_errno(), "mmap failed")
        self._committed, self.size = got, size

    def _map(self, address: int, start: int, end: int) -> None:
        if start == end:
            return
        wanted, rights = address + start, mmap.PROT_READ | mmap.PROT_WRITE
        flags = mmap.MAP_PRIVATE | _MAP_FIXED
        got = self._libc.mmap(wanted, end - start, rights, flags, self._file, start)
        if got != wanted:
            raise OSError(ctypes.get_errno(), "mmap failed")

    def _drop(self, address: int) -> None:
        """Drop the private copies."""
        self._kept = 0
        if self.size and self._libc.madvise(address, self.size, _MADV_DONTNEED) != 0:
            raise OSError(ctypes.get_errno(), "madvise failed")


def rollback_for(size: int, current: Rollback | None = None) -> Rollback:
    """Return the `Rollback` for a memory of ``size`` bytes that is about to be committed: ``current``, or a better one.

    ``current`` is closed if it is not returned.
    """
    better: Rollback
    if isinstance(current, CopyOnWrite):
        if size >= LARGE or not current.costs_more:
            return current
        better = Shadow(is_settled=True)
    else:
        is_settled = isinstance(current, Shadow) and current.is_settled
        if size < (LARGE if is_settled else SMALL) or not copy_on_write_works():
            return current or Shadow()
        better = CopyOnWrite()
    if current is not None:
        current.close()
    return better


@cache
def copy_on_write_works() -> bool:
    """Try whether this machine's kernel tells which pages were written: a sandbox may keep that to itself."""
    if sys.platform != "linux":
        return False
    area = mmap.mmap(-1, 4 * _PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    try:
        trial = CopyOnWrite()
        trial.commit(address, 4 * _PAGE)
        ctypes.memset(address + _PAGE, 1, 1)
        ctypes.string_at(address + 2 * _PAGE, 1)
        works = trial.written(address, 4 * _PAGE) == [(_PAGE, 2 * _PAGE)]
        trial.close()
    except OSError:
        return False
    return works
