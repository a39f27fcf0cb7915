"""A client of a play over real sockets: to its script it is what a simulation's client is."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from icws_explore.capture import Capture, ClockInfo, Frame
from icws_explore.live.clock import Clock
from icws_explore.live.connect import open_socket
from icws_explore.live.connection import Connection
from icws_explore.protocol import candid
from icws_explore.protocol.client.events import CanisterClosed, Event, Failed, MessageReceived, Opened
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.errors import ConnectError
from icws_explore.protocol.principal import Principal

from ..agenda import Agenda
from ..faults import Faults
from ..simulator.delays import DelayLike, delay
from ..simulator.scripts import Script


class ClientClock(Clock):
    """A client's own clock: the lab's, ``skew_ns`` ahead, and as wrong as the faults say."""

    def __init__(self, true: Clock, *, skew_ns: int, faults: Faults, number: int) -> None:
        self._true = true
        self._skew_ns = skew_ns
        self._faults = faults
        self._number = number

    def now_ns(self) -> int:
        now_ns = self._true.now_ns()
        return now_ns + self._skew_ns + self._faults.clock_error_ns("client", self._number, now_ns)

    async def sleep(self, seconds: float) -> None:
        await self._true.sleep(seconds)

    @property
    def info(self) -> ClockInfo:
        return self._true.info


@dataclass(frozen=True, slots=True)
class LiveSetup:
    """What a client is made of. ``dice`` are its script's, ``url`` where it connects."""

    machine: ClientMachine
    script: Script
    clock: ClientClock
    dice: random.Random
    message_type: candid.Type
    url: str


class LiveClient:
    """``number`` counts from 0. ``on_error`` gets what its script raises; the rest goes into ``failures``."""

    def __init__(self, number: int, setup: LiveSetup, agenda: Agenda, on_error: Callable[[Exception], object]) -> None:
        self.number = number
        self.dice = setup.dice
        self.memory: dict[str, Any] = {}
        self.failures: list[str] = []
        self.machine = setup.machine
        self._setup = setup
        self._agenda = agenda
        self._on_error = on_error
        self._connection: Connection | None = None

    # For scripts

    @property
    def principal(self) -> Principal:
        return self.machine.client_key.client_principal

    @property
    def is_open(self) -> bool:
        return self.machine.is_open

    @property
    def now_ns(self) -> int:
        """The client's own clock, ns since the epoch."""
        return self._setup.clock.now_ns()

    def after(self, wait_ms: DelayLike, action: Callable[..., None], *args: Any) -> None:
        """Call ``action(*args)`` after a wait (milliseconds, or a Delay), unless the session has ended by then."""
        at_ns = self._agenda.now_ns + delay(wait_ms).draw_ns(self.dice)
        self._agenda.at(at_ns, self._if_open, action, args)

    def send(self, value: Any) -> None:
        """Send a value of the application's message type. Raises ValueMismatchError; nothing unless open."""
        if self.is_open:
            self.send_bytes(candid.encode([self._setup.message_type], [value]))

    def send_bytes(self, content: bytes) -> None:
        """Send encoded Candid. Nothing unless open."""
        if self.is_open and self._connection is not None:
            self._connection.send(content)

    def close(self) -> None:
        """Close the session as a user does: code 1000. Nothing before it is connected, or once it has ended."""
        if self._connection is not None and self._connection.close_code is None:
            self._connection.close()

    # For the director

    async def connect(self) -> None:
        """Open the socket. That it cannot be opened is noted in ``failures``."""
        try:
            socket = await open_socket(self._setup.url)
        except ConnectError as error:
            self.failures.append(str(error))
            return
        self._connection = Connection(
            socket,
            self.machine,
            clock=self._setup.clock,
            capture=Capture(),  # the tap records
            writer=None,
            observe=self._observe,
        )

    async def run(self) -> None:
        """Until the session has ended."""
        if self._connection is not None:
            await self._connection.run()

    def _if_open(self, action: Callable[..., None], args: tuple[Any, ...]) -> None:
        if self.is_open:
            action(*args)

    def _observe(self, event: Event | Frame) -> None:
        try:
            self._follow(event)
        except Exception as error:  # noqa: BLE001 -- the script's; the director hears of it, the session goes on
            self._on_error(error)

    def _follow(self, event: Event | Frame) -> None:
        match event:
            case Opened():
                self._setup.script.opened(self)
            case MessageReceived(value=value):
                self._setup.script.received(self, value)
            case Failed(text):
                self.failures.append(text)
            case CanisterClosed(reason=why):
                self.failures.append(f"the canister closed the session: {why}")
