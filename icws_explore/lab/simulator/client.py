"""A client of a simulation: the live client's machine, a script that uses it, and its end of a simulated WebSocket."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from icws_explore.capture import Direction, Frame
from icws_explore.protocol import candid
from icws_explore.protocol.client.events import (
    CanisterClosed,
    CloseConnection,
    Event,
    Failed,
    MessageReceived,
    Opened,
    SendFrame,
)
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.gateway.events import FrameKind
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.principal import Principal

from .delays import DelayLike, delay
from .links import Leg

if TYPE_CHECKING:
    from .gateway import SimGateway
    from .scripts import Script
    from .world import World

NO_CODE: Final = 1005
LOST: Final = 1006


@dataclass(frozen=True, slots=True)
class ClientSetup:
    """What a client is made of. Its clock shows true time plus ``skew_ns``; it connects at ``start_ns``.

    ``machine`` takes what ClientMachine takes. At ``leaves_ns`` it closes, None: at the end, if then.
    """

    identity: Identity
    config: ClientConfig
    script: Script
    start_ns: int
    skew_ns: int = 0
    machine: Callable[..., ClientMachine] = ClientMachine
    leaves_ns: int | None = None


class SimClient:
    """``number`` counts the clients from 0. A script gets this object and uses the methods under "for scripts"."""

    def __init__(self, world: World, number: int, setup: ClientSetup, gateway: SimGateway) -> None:
        self.number = number
        self.gateway = gateway
        self.setup = setup
        self.dice: random.Random = world.dice(f"script {number}")
        self.memory: dict[str, Any] = {}
        self.failures: list[str] = []
        self.is_connected = False  # or was
        self._is_upgraded = False
        self.close_code: int | None = None
        self.close_reason = ""
        self.opened_ns: int | None = None
        self.counts: Counter[type] = Counter()  # the machine's events, by class
        self._world = world
        self._timeline = world.timeline
        self._label = world.label(number)
        entropy = world.dice(f"entropy {number}")
        self.machine = world.machine(setup, entropy.randbytes)
        line = world.dice(f"line {number}")
        self.link_up = Leg(world.timeline, world.legs, line, self._arrived_up)
        self.link_down = Leg(world.timeline, world.legs, line, self._arrived_down, self._lost_down)
        self._tick_ns: int | None = None
        world.timeline.at(setup.start_ns, self._connect)
        if setup.leaves_ns is not None:
            world.timeline.at(setup.leaves_ns, self._leave)

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
        now_ns = self._timeline.now_ns
        return now_ns + self.setup.skew_ns + self._world.faults.clock_error_ns("client", self.number, now_ns)

    def after(self, wait_ms: DelayLike, action: Callable[..., None], *args: Any) -> None:
        """Call ``action(*args)`` after a wait (milliseconds, or a Delay), unless the session has ended by then."""
        at_ns = self._timeline.now_ns + delay(wait_ms).draw_ns(self.dice)
        self._timeline.at(at_ns, self._if_open, action, args)

    def send(self, value: Any) -> None:
        """Send a value of the application's message type. Raises ValueMismatchError; nothing unless open."""
        if self.machine.is_open:
            self.send_bytes(candid.encode(self._world.message_types, [value]))

    def send_bytes(self, content: bytes) -> None:
        """Send encoded Candid. Nothing unless open."""
        if self.machine.is_open:
            self._act(self.machine.send(content, self.now_ns))

    def close(self) -> None:
        """Close the session as a user does: code 1000."""
        self._act(self.machine.close(self.now_ns))

    def cut(self) -> None:
        """The connection breaks: both sides find out at once."""
        if self.close_code is None:
            self.link_up.cut()
            self.link_down.cut()
            self._lost_down(LOST)
            self.gateway.lost(self.number)

    # What happens to it

    def _if_open(self, action: Callable[..., None], args: tuple[Any, ...]) -> None:
        if self.machine.is_open:
            action(*args)

    def _connect(self) -> None:
        if not self._world.is_over:
            self.is_connected = True
            self.link_up.connect(self.gateway.connected, self)

    def upgraded(self) -> None:
        """The gateway's answer to the upgrade is here; its first frame comes right behind it, if there is one."""
        if not self._is_upgraded and self.close_code is None:
            self._is_upgraded = True
            self._act(self.machine.connected(self.now_ns))

    def _leave(self) -> None:
        if self.is_connected:
            self.close()

    def _arrived_up(self, kind: FrameKind, data: bytes) -> None:
        self.gateway.frame(self.number, kind, data)

    def _arrived_down(self, kind: FrameKind, data: bytes) -> None:
        self.upgraded()
        self._world.trail.received.append((self.number, self._timeline.now_ns, data))
        self._record("in", kind, data)
        self._act(self.machine.receive(data, self.now_ns))

    def _lost_down(self, code: int | None) -> None:
        """The gateway has ended the connection."""
        self.link_up.cut()
        if self.close_code is None:
            self.close_code = NO_CODE if code is None else code
            self._record("in", "close", b"", self.close_code)
        self._act(self.machine.connection_lost(self.close_code, self.close_reason, self.now_ns))

    def _act(self, events: list[Event]) -> None:
        for event in events:
            self.counts[type(event)] += 1
            match event:
                case SendFrame(data, op):
                    if op == "binary":
                        self._world.trail.sent.append((self.number, self._timeline.now_ns, data))
                    self._record("out", op, data)
                    self.link_up.send(data, op)
                case CloseConnection(code, reason):
                    self.close_code, self.close_reason = code, reason
                    self._record("out", "close", b"", code, reason)
                    self.link_up.send(b"", "close")
                case Opened():
                    self.opened_ns = self._timeline.now_ns
                    self.setup.script.opened(self)
                case MessageReceived(value=value):
                    self.setup.script.received(self, value)
                case Failed(text):
                    self.failures.append(text)
                case CanisterClosed(reason=why):
                    self.failures.append(f"the canister closed the session: {why}")
        self._plan_tick()

    def _record(
        self, direction: Direction, op: FrameKind, data: bytes, code: int | None = None, reason: str = ""
    ) -> None:
        said = reason if op == "close" else None
        self._world.frames.append(Frame(self.now_ns / NS_PER_S, direction, op, data, code, said, self._label))

    # Time

    def _plan_tick(self) -> None:
        due_ns = self.machine.deadline_ns
        if due_ns is None:
            self._tick_ns = None
        elif due_ns != self._tick_ns:
            self._tick_ns = due_ns
            self._timeline.at(self._timeline.now_ns + due_ns - self.now_ns, self._tick, due_ns)

    def _tick(self, due_ns: int) -> None:
        if due_ns == self._tick_ns:
            self._tick_ns = None  # a clock that was set back is not there yet: planned anew
            self._act(self.machine.tick(self.now_ns))
