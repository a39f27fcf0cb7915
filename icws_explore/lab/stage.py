"""The stage of a lab's faults: what they can do from outside to gateways and canister, by the lab's clock.

What is planned on an event loop by a clock: the counterpart of the simulator's timeline over real sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from icws_explore.live.clock import Clock
from icws_explore.protocol.canister import App
from icws_explore.protocol.constants import NS_PER_S

from .log import LabLog

if TYPE_CHECKING:
    from .network import LabNetwork


class Agenda:
    """Used on one loop. Things happen in the order of their times, then of being planned, however late the loop is.

    ``on_error`` gets what an action raises; the others still happen.
    """

    def __init__(self, clock: Clock, on_error: Callable[[Exception], object]) -> None:
        self._clock = clock
        self._on_error = on_error
        self._heap: list[tuple[int, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._planned = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def now_ns(self) -> int:
        """The clock's now, ns since the epoch."""
        return self._clock.now_ns()

    def at(self, at_ns: int, action: Callable[..., Any], *args: Any) -> None:
        """Plan ``action(*args)``. A time that has passed means as soon as the loop gets to it."""
        self._planned += 1
        heappush(self._heap, (at_ns, self._planned, action, args))
        self._wait()

    def clear(self) -> None:
        """Forget all that is planned."""
        self._heap.clear()
        self._wait()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            left_s = self._clock.real_seconds((self._heap[0][0] - self._clock.now_ns()) / NS_PER_S)
            self._timer = asyncio.get_running_loop().call_later(max(left_s, 0.0), self._act)

    def _act(self) -> None:
        self._timer = None
        while self._heap and self._heap[0][0] <= self._clock.now_ns():
            _, _, action, args = heappop(self._heap)
            try:
                action(*args)
            except Exception as error:  # noqa: BLE001 -- a fault of somebody else's making; whoever owns this is told
                self._on_error(error)
        self._wait()


class LabStage:
    """A `Stage`; it starts when it is made. Used on the lab's loop. What a planned action raises is logged."""

    def __init__(self, network: LabNetwork, clock: Clock, log: LabLog) -> None:
        self.start_ns = clock.now_ns()
        self._network = network
        self._clock = clock
        self._log = log
        self._agenda = Agenda(clock, self._failed)

    @property
    def now_ns(self) -> int:
        """True time, ns since the epoch."""
        return self._clock.now_ns()

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Do ``action()`` that many seconds of protocol time after the start."""
        self._agenda.at(self.start_ns + round(seconds * NS_PER_S), action)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Do ``action()`` that many seconds of protocol time from now."""
        self._agenda.at(self._clock.now_ns() + round(seconds * NS_PER_S), action)

    def upgrade_canister(self, app: App | None = None) -> None:
        """Replace the first canister's code by another app's or its own; the CDK's state is lost. Raises LabError."""
        self._network.upgrade(self._network.first, app)

    def stop_canister(self) -> None:
        """The first canister takes no calls and no queries any more."""
        self._network.replica.stop_canister(self._network.first.id)

    def send(self, session: int, data: bytes) -> None:
        """Send a binary frame to a client, as if its gateway did. Nothing once the connection has ended."""
        for gateway in self._network.gateways:
            gateway.send(session, data)

    def drop(self, session: int, code: int | None = 1006) -> None:
        """End a connection; its gateway finds out. Nothing once it has ended."""
        for gateway in self._network.gateways:
            gateway.drop(session, code)

    def end(self) -> None:
        """Nothing that is planned happens any more."""
        self._agenda.clear()

    def _failed(self, error: Exception) -> None:
        self._log.write("lab", "error", f"a fault failed: {type(error).__name__}: {error}")
