"""Faults whose own failure is told: over real sockets an exception from a hook would only end a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from icws_explore.protocol.gateway.events import PollOutcome

from .faults import Delivery, Direction, Faults, FaultyClock, Stage
from .log import LabLog

T = TypeVar("T")


class GuardedFaults(Faults):
    """``faults``, honest wherever they raise; the first time that they do is written down in ``log`` (part "lab")."""

    def __init__(self, faults: Faults, log: LabLog) -> None:
        self._faults = faults
        self._log = log
        self._has_failed = False

    def begin(self, stage: Stage) -> None:
        """Raises what they raise: nothing has begun yet."""
        self._faults.begin(stage)

    def relay(self, direction: Direction, data: bytes) -> list[Delivery]:
        return self._guarded(lambda: self._faults.relay(direction, data), [Delivery(data)])

    def client_frame(self, session: int, data: bytes) -> list[Delivery]:
        return self._guarded(lambda: self._faults.client_frame(session, data), [Delivery(data)])

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        return self._guarded(lambda: self._faults.gateway_frame(session, data), [Delivery(data)])

    def call(self, session: int, envelope: bytes) -> list[Delivery]:
        return self._guarded(lambda: self._faults.call(session, envelope), [Delivery(envelope)])

    def poll_answer(self, gateway: int, outcome: PollOutcome) -> tuple[PollOutcome, float]:
        return self._guarded(lambda: self._faults.poll_answer(gateway, outcome), (outcome, 0.0))

    def clock_error_ns(self, clock: FaultyClock, number: int, now_ns: int) -> int:
        return self._guarded(lambda: self._faults.clock_error_ns(clock, number, now_ns), 0)

    def _guarded(self, ask: Callable[[], T], honest: T) -> T:
        try:
            return ask()
        except Exception as error:  # noqa: BLE001 -- somebody's own fault, which must not pass for one of the gateway's
            if not self._has_failed:
                self._has_failed = True
                self._log.write("lab", "error", f"a fault failed: {type(error).__name__}: {error}")
            return honest
