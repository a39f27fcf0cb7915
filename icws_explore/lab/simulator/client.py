"""`SimClient`: a simulated client. It drives the live client's machine and one end of a simulated WebSocket."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from icws_explore.capture import Direction, Frame
from icws_explore.capture.upgrade import Upgrade
from icws_explore.protocol.client.events import ClientEvent, CloseConnection, Opened, SendFrame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.gateway.events import FrameKind
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.messages import ClientKey

from ..faults import Faults
from .conditions import LatencyModel
from .crypto import Cryptography
from .event_log import EventLog
from .links import SimLink
from .scheduler import VirtualScheduler
from .scripts import Script, ScriptedClient

GATEWAY_URL: Final = "ws://gateway.example"  # in recordings

if TYPE_CHECKING:
    from .gateway import SimGateway


@dataclass(frozen=True, slots=True)
class ClientSetup:
    """What a client is made from.

    Its clock is ``skew_ns`` ahead of true time. It connects at ``start_ns`` to the gateway of the number
    ``gateway``, and closes at ``leaves_ns`` (None: when the simulation ends). Times are ns since the epoch.
    ``machine`` is called with the arguments of `ClientMachine`.
    """

    identity: Identity
    config: ClientConfig
    script: Script
    start_ns: int
    skew_ns: int = 0
    gateway: int = 0
    machine: Callable[..., ClientMachine] = ClientMachine
    leaves_ns: int | None = None

    def make_machine(self, rng: random.Random, cryptography: Cryptography, root_key: bytes) -> ClientMachine:
        """Make its machine. ``rng`` gives nonces and ids, ``root_key`` (DER) is used if the configuration has none."""
        nonce = int.from_bytes(rng.randbytes(8), "little")
        verify = cryptography.verifier(
            self.config.canister_id,
            self.config.root_key or root_key,
            ClientKey(self.identity.principal, nonce),
            self.config.max_certificate_age_s,
        )
        return self.machine(self.config, self.identity, entropy=rng.randbytes, client_nonce=nonce, verify=verify)


class SimClient(ScriptedClient):
    """A client of a simulation.

    It appends what it sends and receives to ``frames`` (the recording, by its own clock, under the session name
    ``label``) and to ``event_log`` (by true time). ``link_rng`` draws the latencies of its WebSocket.
    """

    def __init__(
        self,
        number: int,
        setup: ClientSetup,
        machine: ClientMachine,
        gateway: SimGateway,
        *,
        rng: random.Random,
        link_rng: random.Random,
        scheduler: VirtualScheduler,
        latency: LatencyModel,
        faults: Faults,
        event_log: EventLog,
        frames: list[Frame],
        label: str | None,
    ) -> None:
        super().__init__(
            number,
            machine,
            setup.script,
            rng=rng,
            scheduler=scheduler,
            message_type=setup.config.application_type,
        )
        self.gateway = gateway
        self.setup = setup
        self.label = label
        self.has_connected = False
        self.close_code: int | None = None
        self.close_reason = ""
        self.opened_ns: int | None = None
        self.counts: Counter[type] = Counter()  # the machine's events, by class
        self.link_up = SimLink(scheduler, latency, link_rng, self._arrived_up)
        self.link_down = SimLink(scheduler, latency, link_rng, self._arrived_down, self._lost_down)
        self._faults = faults
        self._event_log = event_log
        self._frames = frames
        self._may_connect = True
        self._is_upgraded = False
        self._tick_ns: int | None = None
        scheduler.at(setup.start_ns, self._connect)
        if setup.leaves_ns is not None:
            scheduler.at(setup.leaves_ns, self._leave)

    @property
    def now_ns(self) -> int:
        """The client's own clock, in ns since the epoch."""
        now_ns = self._scheduler.now_ns
        return now_ns + self.setup.skew_ns + self._faults.clock_error_ns("client", self.number, now_ns)

    def send_bytes(self, content: bytes) -> None:
        """Send encoded Candid. Does nothing unless open."""
        if self.machine.is_open:
            self._act(self.machine.send(content, self.now_ns))

    def close(self) -> None:
        """Close the session with code 1000, as a user does."""
        self._act(self.machine.close(self.now_ns))

    def cut(self) -> None:
        """Break the connection. Both sides notice at once."""
        if self.close_code is None:
            self.link_up.cut()
            self.link_down.cut()
            self._lost_down(CloseCode.ABNORMAL_CLOSURE)
            self.gateway.lost(self.number)

    def end(self) -> None:
        """End the simulation for this client: it closes its session, or does not connect any more."""
        self._may_connect = False
        self._leave()

    # -- called by the scheduler, the links and the gateway ------------------------------------

    def _connect(self) -> None:
        if self._may_connect:
            self.has_connected = True
            self.link_up.connect(self.gateway.connected, self)

    def upgraded(self) -> None:
        """The gateway's answer to the WebSocket upgrade arrives; its first frame may arrive in the same instant."""
        if not self._is_upgraded and self.close_code is None:
            self._is_upgraded = True
            self._act(self.machine.connected(self.now_ns))

    def declined(self, status: int) -> None:
        """A proxy answers the WebSocket upgrade with another HTTP status than 101."""
        frame = Upgrade(GATEWAY_URL, status).frame(self.now_ns / NS_PER_S, self.label)
        self._frames.append(frame)
        self.link_up.cut()
        self.link_down.cut()
        self.close_code = CloseCode.ABNORMAL_CLOSURE
        self._act(self.machine.connection_lost(self.close_code, self.close_reason, self.now_ns))

    def _leave(self) -> None:
        if self.has_connected:
            self.close()

    def _arrived_up(self, kind: FrameKind, data: bytes) -> None:
        self.gateway.client_frame(self.number, kind, data)

    def _arrived_down(self, kind: FrameKind, data: bytes) -> None:
        self.upgraded()
        self._event_log.received.append((self.number, self._scheduler.now_ns, data))
        self._record("in", kind, data)
        self._act(self.machine.receive(data, self.now_ns))

    def _lost_down(self, code: int | None) -> None:
        """The gateway has ended the connection."""
        self.link_up.cut()
        if self.close_code is None:
            self.close_code = CloseCode.NO_STATUS_RCVD if code is None else code
            self._record("in", "close", b"", self.close_code)
        self._act(self.machine.connection_lost(self.close_code, self.close_reason, self.now_ns))

    def _act(self, events: list[ClientEvent]) -> None:
        for event in events:
            self.counts[type(event)] += 1
            match event:
                case SendFrame(data, op):
                    if op == "binary":
                        self._event_log.sent.append((self.number, self._scheduler.now_ns, data))
                    self._record("out", op, data)
                    self.link_up.send(data, op)
                case CloseConnection(code, reason):
                    self.close_code, self.close_reason = code, reason
                    self._record("out", "close", b"", code, reason)
                    self.link_up.send(b"", "close")
                case Opened():
                    self.opened_ns = self._scheduler.now_ns
                    self._follow(event)
                case _:
                    self._follow(event)
        self._plan_tick()

    def _record(
        self, direction: Direction, op: FrameKind, data: bytes, code: int | None = None, reason: str = ""
    ) -> None:
        close_reason = reason if op == "close" else None
        self._frames.append(Frame(self.now_ns / NS_PER_S, direction, op, data, code, close_reason, self.label))

    # -- timers --------------------------------------------------------------------------------

    def _plan_tick(self) -> None:
        due_ns = self.machine.deadline_ns
        if due_ns is None:
            self._tick_ns = None
        elif due_ns != self._tick_ns:
            self._tick_ns = due_ns
            self._scheduler.at(self._scheduler.now_ns + due_ns - self.now_ns, self._tick, due_ns)

    def _tick(self, due_ns: int) -> None:
        if due_ns == self._tick_ns:
            self._tick_ns = None  # a clock that was set back has not reached the deadline: it is planned again
            self._act(self.machine.tick(self.now_ns))
