"""One direction of a TCP connection put together again from its segments: RFC 9293, section 3.4."""

from __future__ import annotations

from collections.abc import Iterator
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
        self._next = first % _SPACE
        self._waiting: dict[int, bytes] = {}
        self._held = 0

    @property
    def has_gap(self) -> bool:
        """Whether something waits for an earlier segment."""
        return bool(self._waiting)

    def has_reached(self, sequence: int) -> bool:
        """Whether everything before ``sequence`` has been given."""
        return self._ahead(sequence) <= 0

    def feed(self, sequence: int, data: bytes) -> Iterator[bytes]:
        """A segment was captured; the bytes that are now complete."""
        if self.broken or not data:
            return
        ahead = self._ahead(sequence)
        if ahead > 0:
            self._wait(sequence, data)
            return
        yield from self._deliver(data[-ahead:] if ahead else data)
        while (ready := next((start for start in self._waiting if self._ahead(start) <= 0), None)) is not None:
            waited = self._waiting.pop(ready)
            self._held -= len(waited)
            yield from self._deliver(waited[-self._ahead(ready) :] if self._ahead(ready) else waited)

    def _deliver(self, data: bytes) -> Iterator[bytes]:
        if data:
            self._next = (self._next + len(data)) % _SPACE
            yield data

    def _ahead(self, sequence: int) -> int:
        """How far ``sequence`` is from the next byte; negative for what has been seen."""
        distance = (sequence - self._next) % _SPACE
        return distance if distance < _SPACE // 2 else distance - _SPACE

    def _wait(self, sequence: int, data: bytes) -> None:
        before = self._waiting.get(sequence, b"")
        if len(data) <= len(before):
            return
        self._waiting[sequence] = data
        self._held += len(data) - len(before)
        if self._held > MAX_PENDING or len(self._waiting) > MAX_WAITING:
            self.broken = True
            self._waiting.clear()
