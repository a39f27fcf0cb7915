"""The faults that the scenarios have in common, for the simulator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.gateway_events import PollOutcome
from icws_explore.protocol.messages import CanisterMessage
from icws_explore.protocol.service_messages import AckMessage, decode_service

from .faults import Delivery
from .simulator import SimulatorFaults

if TYPE_CHECKING:
    from .simulator.world import World


class Muted(SimulatorFaults):
    """The gateway says nothing, not even its handshake."""

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        del session, data
        return []


class Downward(SimulatorFaults):
    """``change(number, data)`` gives what becomes of a session's canister message, counted from 1.

    ``late_ms(number)``, milliseconds, is by how much it is late.
    """

    def __init__(
        self, change: Callable[[int, bytes], list[bytes]], *, late_ms: Callable[[int], float] = lambda _number: 0.0
    ) -> None:
        self._change = change
        self._late_ms = late_ms
        self._seen: Counter[int] = Counter()

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        try:
            CanisterMessage.decode(data)
        except DecodeError:
            return [Delivery(data)]  # the handshake
        self._seen[session] += 1
        number = self._seen[session]
        return [Delivery(each, self._late_ms(number)) for each in self._change(number, data)]


class Stall(SimulatorFaults):
    """Nothing reaches a client from ``from_s`` to ``to_s`` (seconds from the start), then all of it does."""

    def __init__(self, from_s: float, to_s: float) -> None:
        self._from_s, self._to_s = from_s, to_s
        self._world: World | None = None
        self._start_ns = 0

    def begin(self, world: World) -> None:
        self._world, self._start_ns = world, world.timeline.now_ns

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        del session
        assert self._world is not None
        passed_ns = self._world.timeline.now_ns - self._start_ns
        if self._from_s * NS_PER_S <= passed_ns < self._to_s * NS_PER_S:
            return [Delivery(data, (self._to_s * NS_PER_S - passed_ns) / NS_PER_MS)]
        return [Delivery(data)]


class StoppedPolls(SimulatorFaults):
    """From ``at_s`` on (seconds from the start) every poll has ``outcome``."""

    def __init__(self, at_s: float, outcome: PollOutcome) -> None:
        self._at_s, self._outcome = at_s, outcome
        self._world: World | None = None
        self._from_ns = 0

    def begin(self, world: World) -> None:
        self._world, self._from_ns = world, world.timeline.now_ns + round(self._at_s * NS_PER_S)

    def poll_answer(self, gateway: int, outcome: PollOutcome) -> tuple[PollOutcome, float]:
        del gateway
        assert self._world is not None
        return (self._outcome if self._world.timeline.now_ns >= self._from_ns else outcome), 0.0


class Upgrade(SimulatorFaults):
    """The canister is upgraded ``at_s`` seconds after the start."""

    def __init__(self, at_s: float) -> None:
        self._at_s = at_s

    def begin(self, world: World) -> None:
        world.timeline.at(world.timeline.now_ns + round(self._at_s * NS_PER_S), world.replica.upgrade)


def is_ack(data: bytes) -> bool:
    """Whether that canister message is an AckMessage."""
    try:
        message = CanisterMessage.decode(data).message
        return message.is_service_message and isinstance(decode_service(message.content), AckMessage)
    except DecodeError:
        return False
