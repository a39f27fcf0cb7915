"""A first-in first-out queue whose every version is a value.

Gateways' queues hold an ack interval's messages, a hundred thousand and more when many sessions are
simulated, and a snapshot is taken at every call. So versions share one growing list: the newest
appends to it in place, an older one that appends (after a trap was rolled back) copies its part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

_KEEP = 32  # dropped items that are not worth a copy


@dataclass(frozen=True, slots=True, eq=False)
class Queue(Generic[T]):
    """Immutable. append and drop cost O(1) amortised on the newest version, indexing O(1)."""

    _items: list[T] = field(default_factory=list)
    _start: int = 0
    _end: int = 0

    def __len__(self) -> int:
        return self._end - self._start

    def __getitem__(self, index: int) -> T:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._items[self._start + index]

    def __iter__(self) -> Iterator[T]:
        return iter(self.slice(0, len(self)))

    def slice(self, start: int, stop: int) -> list[T]:
        """The items from ``start`` up to, not including, ``stop``; both are cut to what is there."""
        start = min(max(start, 0), len(self))
        stop = min(max(stop, start), len(self))
        return self._items[self._start + start : self._start + stop]

    def append(self, item: T) -> Queue[T]:
        if self._end != len(self._items):  # a newer version has appended already
            return Queue([*self, item], 0, len(self) + 1)
        self._items.append(item)
        return Queue(self._items, self._start, self._end + 1)

    def drop(self, count: int) -> Queue[T]:
        """Without the first ``count`` items."""
        start = min(self._start + count, self._end)
        if start > _KEEP and 2 * start > self._end:
            return Queue(self._items[start : self._end], 0, self._end - start)
        return Queue(self._items, start, self._end)
