"""Where a simulation can be made to misbehave: every hop asks here, and so do the clocks and the canister.

The vocabulary is the lab's (lab/faults.py), so that one fault can serve both: what is to be passed
on is a list of `Delivery`, an empty list drops it, two double it. The base class is honest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from icws_explore.lab.faults import Delivery, Faults
from icws_explore.protocol.gateway_events import PollOutcome

if TYPE_CHECKING:
    from .world import World

Clock = Literal["client", "canister"]


class SimulatorFaults(Faults):
    """Override what is to go wrong. Sessions are numbered from 0, times are true time in ns since the epoch.

    Inherited: ``relay(direction, data)``, the gateway's own relaying: "up" an envelope's bytes on their
    way to the replica, "down" a canister message's bytes on their way to the client.
    """

    def begin(self, world: World) -> None:
        """Before anything happens: plan with ``world.timeline.at`` what is to happen from outside."""

    def client_frame(self, session: int, data: bytes) -> list[Delivery]:
        """A binary frame from client to gateway."""
        del session
        return [Delivery(data)]

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        """A binary frame from gateway to client, the handshake included."""
        del session
        return [Delivery(data)]

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        """A relayed call on its way from gateway to replica."""
        del session
        return [Delivery(envelope)]

    def poll_answer(self, gateway: int, outcome: PollOutcome) -> tuple[PollOutcome, float]:
        """The answer to a poll, and by how many ms it is late. Where it is overridden, idle polls happen for real."""
        del gateway
        return outcome, 0.0

    def clock_error_ns(self, clock: Clock, number: int, now_ns: int) -> int:
        """By how much a clock is wrong at the true time ``now_ns``, beside a client's skew.

        The replica's clock is the canister's.
        """
        del clock, number, now_ns
        return 0


def honest(faults: Faults | None) -> SimulatorFaults:
    """``faults`` with every hook that the lab's own kind does not have."""
    if isinstance(faults, SimulatorFaults):
        return faults
    return SimulatorFaults() if faults is None else _OfTheLab(faults)


class _OfTheLab(SimulatorFaults):
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def relay(self, direction: Literal["up", "down"], data: bytes) -> list[Delivery]:
        return self._faults.relay(direction, data)
