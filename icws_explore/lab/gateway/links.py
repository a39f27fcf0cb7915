"""The links of a session: each carries frames or calls in one direction, and faults may delay them.

A link keeps the order of what it carries, as TCP does. The lab and the simulator use the same links under different
schedulers: by a clock, or in virtual time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from icws_explore.live.path import Delivery
from icws_explore.live.scheduler import Scheduler
from icws_explore.protocol.constants import NS_PER_MS


class Link:
    """One direction. If ``ordered`` is False, deliveries may overtake each other."""

    __slots__ = ("_last_ns", "_ordered", "_scheduler", "_waiting")

    def __init__(self, scheduler: Scheduler, *, ordered: bool = True) -> None:
        self._scheduler = scheduler
        self._ordered = ordered
        self._last_ns = 0  # when the last delivery that keeps the order arrives
        self._waiting = 0  # how many of those have not arrived yet

    def carry(self, delivery: Delivery, action: Callable[..., object], *args: Any) -> None:
        """Call ``action(*args)`` when ``delivery`` arrives: before this returns, unless something delays it."""
        now_ns = self._scheduler.now_ns
        due_ns = now_ns + round(delivery.delay_ms * NS_PER_MS)
        if self._ordered:
            due_ns = max(due_ns, self._last_ns)
        if due_ns <= now_ns and not self._waiting:
            action(*args)
        elif delivery.overtakable or not self._ordered:
            self._scheduler.at(due_ns, action, *args)
        else:
            self._last_ns = due_ns
            self._waiting += 1
            self._scheduler.at(due_ns, self._arrive, action, args)

    def _arrive(self, action: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._waiting -= 1
        action(*args)


class SessionLinks:
    """The four links of one session: through its connection and through its gateway, in both directions."""

    __slots__ = ("from_client", "relay_down", "relay_up", "to_client")

    def __init__(self, scheduler: Scheduler, *, ordered: bool) -> None:
        """``ordered``: the calls that the gateway relays keep their order."""
        self.from_client = Link(scheduler)
        self.relay_up = Link(scheduler, ordered=ordered)
        self.relay_down = Link(scheduler)
        self.to_client = Link(scheduler)
