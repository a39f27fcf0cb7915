"""`LabStage`: how a `Faults` object acts on a running lab from outside, at planned times of the lab's clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from icws_explore.live.clock import Clock
from icws_explore.live.scheduler import ClockScheduler
from icws_explore.protocol.canister import App
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import NS_PER_S

from .log import LabLog

if TYPE_CHECKING:
    from .network import LabNetwork


class LabStage:
    """The `Stage` of a lab. Its time starts when it is created. Use it on the lab's event loop.

    If a planned action raises, the exception is logged.
    """

    def __init__(self, network: LabNetwork, clock: Clock, log: LabLog) -> None:
        self.start_ns = clock.now_ns()
        self._network = network
        self._clock = clock
        self._log = log
        self._scheduler = ClockScheduler(clock, self._failed)

    @property
    def now_ns(self) -> int:
        """The time of the lab's clock, ns since the epoch."""
        return self._clock.now_ns()

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Call ``action`` that many seconds of protocol time after the start."""
        self._scheduler.at(self.start_ns + round(seconds * NS_PER_S), action)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Call ``action`` that many seconds of protocol time from now."""
        self._scheduler.at(self._clock.now_ns() + round(seconds * NS_PER_S), action)

    def upgrade_canister(self, app: App | None = None) -> None:
        """Upgrade the first canister, to ``app`` if given. The CDK's state is lost. Raises LabError."""
        self._network.upgrade(self._network.first, app)

    def stop_canister(self) -> None:
        """Stop the first canister: it accepts no calls and no queries any more."""
        self._network.replica.stop_canister(self._network.first.id)

    def freeze_canister(self) -> None:
        """Use the first canister's cycles up: it executes nothing any more."""
        self._network.replica.freeze_canister(self._network.first.id)

    def send(self, session: int, data: bytes) -> None:
        """Send a binary frame to a client as if its gateway had sent it. Does nothing if its connection has ended."""
        for gateway in self._network.gateways:
            gateway.send(session, data)

    def drop(self, session: int, code: int | None = CloseCode.ABNORMAL_CLOSURE) -> None:
        """End a connection (see `Stage.drop`). Does nothing if it has ended."""
        for gateway in self._network.gateways:
            gateway.drop(session, code)

    def end(self) -> None:
        """Drop all planned actions."""
        self._scheduler.clear()

    def _failed(self, error: Exception) -> None:
        self._log.write("lab", "error", f"a fault failed: {type(error).__name__}: {error}")
