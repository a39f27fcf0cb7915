"""Messages sent and not yet acknowledged, with the one timer that watches over them.

Source: AckMessagesQueue of ic-websocket-js 0.5.0, queues.ts. Its corners are kept, because a
session of the real SDK ends by them:

* one timer for the whole queue: started by the first message, restarted by every ack, even with
  nothing outstanding, so it can expire with an empty list;
* once it has expired, only an ack starts it again (a further message does not);
* an ack also expires what is still queued and too old, and then leaves the running timer alone;
* ages are differences of whole milliseconds (``Date.now()``), the timer runs from its exact start.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..constants import NS_PER_MS
from ..errors import StateError


@dataclass(frozen=True, slots=True)
class _Sent:
    sequence_num: int
    added_ms: int


class AckQueue:
    """``expiration_ms`` is the ack interval plus the latency bound. Instants are ns since the epoch."""

    def __init__(self, expiration_ms: int) -> None:
        if expiration_ms <= 0:
            raise StateError("the ack timeout must be longer than 0 ms")
        self.expiration_ms = expiration_ms
        self._queue: list[_Sent] = []
        self._started = False
        self._due_ns: int | None = None

    @property
    def due_ns(self) -> int | None:
        """When the timer expires next; None: it is not running."""
        return self._due_ns

    @property
    def outstanding(self) -> tuple[int, ...]:
        """Sequence numbers that wait for an ack, oldest first."""
        return tuple(item.sequence_num for item in self._queue)

    @property
    def oldest(self) -> int | None:
        return self._queue[0].sequence_num if self._queue else None

    @property
    def last(self) -> int | None:
        return self._queue[-1].sequence_num if self._queue else None

    def add(self, sequence_num: int, now_ns: int) -> None:
        """A message was sent. Raises StateError with the SDK's text when numbers do not ascend."""
        if self.last is not None and sequence_num <= self.last:
            raise StateError(f"Sequence number {sequence_num} is not greater than last: {self.last}")
        self._queue.append(_Sent(sequence_num, now_ns // NS_PER_MS))
        if not self._started:
            self._start(now_ns)

    def refusal(self, sequence_num: int) -> str | None:
        """The SDK's text when an ack for ``sequence_num`` is an error; None when it may be taken."""
        if sequence_num in self.outstanding or self.last is None or sequence_num <= self.last:
            return None
        return f"Sequence number {sequence_num} is greater than last: {self.last}"

    def ack(self, sequence_num: int, now_ns: int) -> tuple[int, ...]:
        """Drop everything up to ``sequence_num`` and return what has expired by now (usually nothing).

        Raises StateError with the SDK's text for an ack of something that was never sent.
        """
        refusal = self.refusal(sequence_num)
        if refusal is not None:
            raise StateError(refusal)
        outstanding = self.outstanding
        if sequence_num in outstanding:
            del self._queue[: outstanding.index(sequence_num) + 1]
        now_ms = now_ns // NS_PER_MS
        expired = tuple(i.sequence_num for i in self._queue if now_ms - i.added_ms >= self.expiration_ms)
        if expired:
            self._queue.clear()
        else:
            self._start(now_ns)
        return expired

    def expire(self) -> tuple[int, ...]:
        """The timer has expired: everything outstanding is given up and returned."""
        overdue = self.outstanding
        self._queue.clear()
        self._due_ns = None
        return overdue

    def clear(self) -> None:
        """The connection is gone."""
        self._queue.clear()
        self._started = False
        self._due_ns = None

    def _start(self, now_ns: int) -> None:
        self._started = True
        self._due_ns = now_ns + self.expiration_ms * NS_PER_MS
