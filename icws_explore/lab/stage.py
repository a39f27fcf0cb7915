"""The stage of a lab's faults: what they can do from outside to gateways and canister, by the lab's clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from icws_explore.live.clock import Clock
from icws_explore.protocol.canister import App
from icws_explore.protocol.constants import NS_PER_S

from .agenda import Agenda
from .log import LabLog

if TYPE_CHECKING:
    from .network import LabNetwork


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
