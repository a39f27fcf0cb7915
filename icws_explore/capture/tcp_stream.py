"""One direction of a TCP connection put together again from its segments: RFC 9293, section 3.4."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Final

MAX_PENDING: Final = 16 * 1024 * 1024  # bytes that wait for an earlier segment
MAX_WAITING: Final = 2000  # and segments
_SPACE: Final = 1 << 32  # sequence numbers wrap


class TcpStream:
    """Takes segments in any order, twice or overlapping; gives the bytes once, in order.

    ``broken`` says that bytes are missing for good: too much waits for a segment that never came.
    """

    def __init__(self, first: int) -> None:
        """``first`` is the sequence number of the first byte."""
        self.broken = False
        self._first = first
        self._given = 0  # bytes from the first on, beyond what sequence numbers can count
        self._waiting: list[tuple[int, int, bytes]] = []  # a heap: where it begins, how many came before, what it holds
        self._longest: dict[int, int] = {}  # by where it begins, the size of what waits: packets are captured twice
        self._held = 0

    @property
    def has_gap(self) -> bool:
        """Whether something waits for an earlier segment."""
        return bool(self._waiting)

    @property
    def given(self) -> int:
        """How many bytes have been given."""
        return self._given

    def place(self, sequence: int) -> int:
        """How many bytes come before ``sequence``, as near to what has been given as it can be."""
        return self._given + self._ahead(sequence)

    def has_reached(self, sequence: int) -> bool:
        """Whether everything before ``sequence`` has been given."""
        return self._ahead(sequence) <= 0

    def feed(self, sequence: int, data: bytes) -> Iterator[bytes]:
        """A segment was captured; the bytes that are now complete."""
        if self.broken or not data:
            return
        ahead = self._ahead(sequence)
        if ahead > 0:
            self._wait(self._given + ahead, data)
            return
        yield from self._deliver(data[-ahead:] if ahead else data)
        while self._waiting and self._waiting[0][0] <= self._given:
            start, _, waited = heappop(self._waiting)
            self._held -= len(waited)
            self._longest.pop(start, None)
            yield from self._deliver(waited[self._given - start :])

    def _deliver(self, data: bytes) -> Iterator[bytes]:
        if data:
            self._given += len(data)
            yield data

    def _ahead(self, sequence: int) -> int:
        """How far ``sequence`` is from the next byte; negative for what has been seen."""
        distance = (sequence - self._first - self._given) % _SPACE
        return distance if distance < _SPACE // 2 else distance - _SPACE

    def _wait(self, start: int, data: bytes) -> None:
        if len(data) <= self._longest.get(start, 0):
            return
        self._longest[start] = len(data)
        heappush(self._waiting, (start, len(self._waiting), data))
        self._held += len(data)
        if self._held > MAX_PENDING or len(self._waiting) > MAX_WAITING:
            self.broken = True
            self._waiting.clear()
            self._longest.clear()
