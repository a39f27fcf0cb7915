"""The timers that a canister has set, as the replica keeps them. Times are nanoseconds since the epoch.

An interval's next due time is counted from when it was served, as ic-cdk-timers 0.10 does: what fell
due several times while the canister was stopped goes off once. That is the last due time unless the
canister was stopped. Timers due at the same time go in the order in which they were set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from ..constants import NS_PER_MS

MIN_DELAY_NS: Final = NS_PER_MS  # a replica serves timers once a round; this keeps set_timer(0) loops finite


@dataclass(frozen=True, slots=True)
class Alarm:
    """``interval_ns`` is None for a timer that goes off once."""

    due_ns: int
    timer_id: int
    interval_ns: int | None
    callback: Callable[[], None]


class Alarms:
    """Mutable; copy() is shallow, because every Alarm is a value. Ids are never used twice."""

    __slots__ = ("_by_id", "_last_id")

    def __init__(self) -> None:
        self._by_id: dict[int, Alarm] = {}
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def copy(self) -> Alarms:
        other = Alarms()
        other._by_id = dict(self._by_id)
        other._last_id = self._last_id
        return other

    def set(self, now_ns: int, delay_ns: int, callback: Callable[[], None], *, repeats: bool) -> int:
        delay_ns = max(delay_ns, MIN_DELAY_NS)
        self._last_id += 1
        self._by_id[self._last_id] = Alarm(now_ns + delay_ns, self._last_id, delay_ns if repeats else None, callback)
        return self._last_id

    def clear(self, timer_id: int) -> None:
        self._by_id.pop(timer_id, None)

    @property
    def next_ns(self) -> int | None:
        return min((alarm.due_ns for alarm in self._by_id.values()), default=None)

    def take(self, until_ns: int, *, served_ns: int = 0) -> Alarm | None:
        """The next alarm due by ``until_ns``, put forward by its interval or removed; None if there is none.

        It is served when it is due, or at ``served_ns`` if that is later.
        """
        alarm = min(self._by_id.values(), key=lambda alarm: (alarm.due_ns, alarm.timer_id), default=None)
        if alarm is None or alarm.due_ns > until_ns:
            return None
        if alarm.interval_ns is None:
            del self._by_id[alarm.timer_id]
        else:
            self._by_id[alarm.timer_id] = replace(alarm, due_ns=max(alarm.due_ns, served_ns) + alarm.interval_ns)
        return alarm
