"""`GatewayWiring`: what the lab's gateway and the simulator's gateway have in common.

The decisions are those of `GatewayMachine`. This class carries its events out: every frame and every relayed call
passes the faults, and the links of its session, which keep the order of what a fault delays. Subclasses add
connections, calls and polls.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from icws_explore.analysis.passages import Event
from icws_explore.live.path import Delivery
from icws_explore.live.scheduler import Scheduler
from icws_explore.protocol.gateway.events import (
    CallClose,
    DropClient,
    FrameKind,
    GatewayEvent,
    Log,
    Poll,
    RelayCall,
    SendToClient,
    SessionId,
)
from icws_explore.protocol.gateway.machine import GatewayConfig, GatewayMachine
from icws_explore.protocol.principal import Principal

from ..faults import Direction, Faults
from ..log import LabLog
from ..sightings import SightingLog
from .links import SessionLinks


class GatewayWiring(ABC):
    """One gateway. ``number`` (from 0) is its number for faults; sessions are numbers over all gateways.

    ``ordered``: relayed calls of a session keep their order.
    """

    quiet_levels: ClassVar[tuple[str, ...]] = ("trace",)  # of the gateway's log messages, not written to ``log``

    def __init__(
        self,
        number: int,
        principal: Principal,
        config: GatewayConfig,
        *,
        scheduler: Scheduler,
        faults: Faults,
        log: LabLog,
        ordered: bool,
    ) -> None:
        self.number = number
        self.faults = faults
        self.ordered = ordered
        self.config = config
        self.machine = GatewayMachine(principal, config)
        self._principal = principal
        self._scheduler = scheduler
        self._log = log
        self._links: dict[SessionId, SessionLinks] = {}
        self.on_passed: Callable[[Direction, bytes], object] | None = None  # told of each binary frame, "up" or "down"
        self.sightings: SightingLog | None = None  # told of each message that the gateway relays or has polled

    @property
    def principal(self) -> Principal:
        """The gateway's principal."""
        return self._principal

    def client_frame(self, session: int, kind: FrameKind, data: bytes) -> None:
        """A client's frame arrives. Faults may change, drop or delay a binary frame."""
        if (links := self._links.get(session)) is None:
            return
        if kind == "binary" and self.on_passed is not None:
            self.on_passed("up", data)
        deliveries = self.faults.client_frame(session, data) if kind == "binary" else [Delivery(data)]
        for delivery in deliveries:
            links.from_client.carry(delivery, self._frame_received, session, kind, delivery.data)

    def _open_links(self, session: int) -> None:
        self._links[session] = SessionLinks(self._scheduler, ordered=self.ordered)

    def _forget_sessions(self) -> None:
        """Forget everything, as a gateway that restarts does."""
        self.machine = GatewayMachine(self._principal, self.config)

    def _carry_out(self, events: list[GatewayEvent]) -> None:
        """Do what the machine asks for."""
        for event in events:
            match event:
                case SendToClient(session, data):
                    self._send_down(number_of(session), data)
                case DropClient(session, code):
                    self._drop(number_of(session), code)
                case RelayCall():
                    self._relay_up(event)
                case Poll():
                    self._poll(event)
                case CallClose():
                    self._call_close(event)
                case Log(text, level) if level not in self.quiet_levels:
                    self._note(level, text)

    def _saw(self, event: Event, data: bytes, text: str = "") -> None:
        if self.sightings is not None:
            self.sightings.saw(self._scheduler.now_ns, event, self._principal, data, text)

    def _send_down(self, session: int, data: bytes) -> None:
        self._saw("polled", data)
        if (links := self._links.get(session)) is not None:
            for delivery in self.faults.relay("down", data):
                links.relay_down.carry(delivery, self._deliver, session, delivery.data)

    def _deliver(self, session: int, data: bytes) -> None:
        if (write := self._writer(session)) is not None:
            for delivery in self.faults.gateway_frame(session, data):
                self._links[session].to_client.carry(delivery, self._write, write, delivery.data)

    def _write(self, write: Callable[[bytes], None], data: bytes) -> None:
        write(data)
        if self.on_passed is not None:
            self.on_passed("down", data)

    def _relay_up(self, call: RelayCall) -> None:
        relayed_ns = self._scheduler.now_ns
        self._saw("relayed", call.envelope)
        for delivery in self.faults.relay("up", call.envelope):
            self._links[call.session].relay_up.carry(delivery, self._relay, call, delivery.data, relayed_ns)

    def _note(self, kind: str, text: str, **facts: Any) -> None:
        self._log.write("gateway", kind, text, gateway=str(self._principal), **facts)

    @abstractmethod
    def _frame_received(self, session: int, kind: FrameKind, data: bytes) -> None:
        """A frame has passed the faults: hand it to the machine."""

    @abstractmethod
    def _writer(self, session: int) -> Callable[[bytes], None] | None:
        """Return what sends a binary frame to the client; None: its connection has ended."""

    @abstractmethod
    def _drop(self, session: int, code: int | None) -> None:
        """End a connection: None with a close frame without a code, 1006 without a close frame."""

    @abstractmethod
    def _relay(self, call: RelayCall, envelope: bytes, relayed_ns: int) -> None:
        """Send ``envelope`` to the network. The machine relayed it at ``relayed_ns``, before any fault's delay."""

    @abstractmethod
    def _poll(self, poll: Poll) -> None:
        """Send a poll to its canister."""

    @abstractmethod
    def _call_close(self, call: CallClose) -> None:
        """Call ws_close."""


def number_of(session: SessionId) -> int:
    """Return a machine's session as the number that it is here."""
    assert isinstance(session, int)
    return session
