"""A gateway as ic-websocket-gateway 1.4.6 is one, before any network: the lab's replica or a real one.

What it decides is `protocol.gateway.GatewayMachine`; here are its sockets, its agent and its clock.
Two things are the lab's own:

- A session's calls keep their order. The real gateway relays each from a task of its own: a burst of
  60 on loopback arrived as 1 … 5, 56, …, and the canister closed the session. ``ordered=False`` uses
  tasks and the same endpoint too, but on this one event loop the calls seldom overtake each other.
- Under a fast clock the poll interval has a floor of 5 ms of real time, and a poll at least one real
  second to answer, so that a lab at × 60 keeps the machine cool.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Iterator
from time import monotonic
from typing import Any, Final

from websockets.asyncio.server import Server, ServerConnection, serve

from icws_explore.live.clock import Clock, RealClock
from icws_explore.live.loop import wait_at_most
from icws_explore.protocol.arguments import encode_close_args, encode_poll_args
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S, POLL_INTERVAL_MS, POLL_TIMEOUT_MS
from icws_explore.protocol.errors import LabError
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
from icws_explore.protocol.keys import Ed25519Identity, Identity
from icws_explore.protocol.principal import Principal

from ..faults import Delivery, Faults
from ..log import LabLog
from ..stage import Agenda
from .agent import Agent
from .links import GatewayConnection, Hops

POLL_FLOOR_S: Final = 0.005  # real seconds between two polls of a canister
POLL_TIMEOUT_FLOOR_S: Final = 1.0  # real seconds
MAX_FRAME: Final = 16 * 1024 * 1024  # bytes of a client's message


class GatewayServer:
    """One gateway. `start` and `stop` on one event loop; then the same again, if wanted."""

    def __init__(
        self,
        network_url: str,
        *,
        identity: Identity | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        poll_interval_ms: int = POLL_INTERVAL_MS,
        ordered: bool = True,
        faults: Faults | None = None,
        log: LabLog | None = None,
        number: int = 0,
        sessions: Iterator[int] | None = None,
    ) -> None:
        """``port`` 0 takes a free one. ``poll_interval_ms`` is protocol time.

        To its ``faults`` this is gateway ``number``, and its sessions are called as ``sessions`` says (None: 0, 1, …).
        """
        self.identity = identity or Ed25519Identity.generate()
        self.network_url = network_url
        self.faults = faults or Faults()
        self.ordered = ordered
        self.number = number
        self._host, self._port = host, port
        self._clock = clock or RealClock()
        self._log = log or LabLog(self._clock.now_ns)
        self._config = GatewayConfig(
            polling_interval_ms=max(poll_interval_ms, self._protocol_ms(POLL_FLOOR_S)),
            poll_timeout_ms=max(POLL_TIMEOUT_MS, self._protocol_ms(POLL_TIMEOUT_FLOOR_S)),
        )
        self._machine = GatewayMachine(self.principal, self._config)
        self._agent = Agent(network_url, self.identity, self._clock)
        self._server: Server | None = None
        self._wake = asyncio.Event()
        self._session_ids = itertools.count() if sessions is None else sessions
        self._agenda = Agenda(self._clock, self._failed)
        self._connections: dict[SessionId, GatewayConnection] = {}
        self._hops: dict[SessionId, Hops] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._polls: dict[Principal, asyncio.Task[None]] = {}
        self._polled_at: dict[Principal, float] = {}
        self._relays: dict[SessionId, asyncio.Task[None]] = {}

    @property
    def principal(self) -> Principal:
        return self.identity.principal

    @property
    def port(self) -> int:
        """The TCP port it listens on; 0 before the first start."""
        return self._port

    @property
    def url(self) -> str:
        return f"ws://{self._host}:{self._port}"

    @property
    def machine(self) -> GatewayMachine:
        """What it decides with: sessions, clients, deadlines."""
        return self._machine

    async def start(self) -> None:
        """Look at the network, then listen. Raises ConnectError and LabError."""
        await self._agent.open()
        try:
            self._server = await serve(
                self._serve,
                self._host,
                self._port,
                create_connection=GatewayConnection,
                compression=None,  # the real one offers none
                ping_interval=None,  # and never pings
                max_size=MAX_FRAME,
            )
        except OSError as error:
            await self._agent.close()
            raise LabError(f"port {self._port} cannot be listened on: {error.strerror}; choose another") from error
        self._port = next(iter(self._server.sockets)).getsockname()[1]
        self._hold(self._tick())

    async def stop(self) -> None:
        """End every session, as the end of the process would, and wait until nothing is left."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close(close_connections=False)
        self._agenda.clear()
        for connection in list(self._connections.values()):
            connection.transport.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await server.wait_closed()
        await self._agent.close()
        self._machine = GatewayMachine(self.principal, self._config)  # a restarted gateway remembers nothing

    # From outside

    def send(self, session: int, data: bytes) -> None:
        """Send a binary frame to a client. Nothing for sessions that are not there."""
        if (connection := self._connections.get(session)) is not None:
            connection.write(data)

    def drop(self, session: int, code: int | None) -> None:
        """End a connection: None with a close frame without a code, 1006 without a close frame."""
        if (connection := self._connections.get(session)) is not None:
            connection.drop(code)

    # Sessions

    async def _serve(self, connection: ServerConnection) -> None:
        assert isinstance(connection, GatewayConnection)
        session = next(self._session_ids)
        self._connections[session] = connection
        self._hops[session] = hops = Hops(self._agenda, ordered=self.ordered)
        self._note("connected", f"session {session + 1}", session=session + 1)

        def on_frame(kind: FrameKind, data: bytes) -> None:
            deliveries = self.faults.client_frame(session, data) if kind == "binary" else [Delivery(data)]
            for delivery in deliveries:
                hops.from_client.carry(delivery, self._come_in, session, kind, delivery.data)

        try:
            self._carry_out(self._machine.session_opened(session))
            connection.listen(on_frame)
            await connection.wait_closed()
        finally:
            del self._connections[session], self._hops[session]
            self._note("left", f"session {session + 1}", session=session + 1)
            if self._server is not None:
                self._carry_out(self._machine.session_closed(session, self._clock.now_ns()))
            self._relays.pop(session, None)

    def _come_in(self, session: SessionId, kind: FrameKind, data: bytes) -> None:
        if session in self._connections:
            self._carry_out(self._machine.frame_received(session, kind, data, self._clock.now_ns()))

    # What the machine asks for

    def _carry_out(self, events: list[GatewayEvent]) -> None:
        closing: asyncio.Task[None] | None = None
        for event in events:
            match event:
                case SendToClient(session, data):
                    self._send_down(session, data)
                case DropClient(session, code):
                    self._drop(session, code, closing)
                case RelayCall(session, _, envelope):
                    for delivery in self.faults.relay("up", envelope):
                        self._hops[session].relay_up.carry(delivery, self._relay, event, delivery.data)
                case Poll():
                    self._poll(event)
                case CallClose():
                    relays = list(self._relays.values()) if self.ordered else []
                    closing = self._hold(self._call_close(event, relays))
                case Log(text, level):
                    if level != "trace":
                        self._note(level, text)
        self._wake.set()

    def _drop(self, session: SessionId, code: int | None, closing: asyncio.Task[None] | None) -> None:
        """End a connection; behind a ws_close when that has ended, as the real gateway's task does."""
        connection = self._connections.get(session)
        if connection is None:
            return
        if closing is None:
            connection.drop(code)
        else:
            closing.add_done_callback(lambda _: connection.drop(code))

    def _send_down(self, session: SessionId, data: bytes) -> None:
        if (hops := self._hops.get(session)) is not None:
            for delivery in self.faults.relay("down", data):
                hops.relay_down.carry(delivery, self._deliver, session, delivery.data)

    def _deliver(self, session: SessionId, data: bytes) -> None:
        if (connection := self._connections.get(session)) is not None:
            for delivery in self.faults.gateway_frame(_number(session), data):
                self._hops[session].to_client.carry(delivery, connection.write, delivery.data)

    def _relay(self, call: RelayCall, envelope: bytes) -> None:
        for delivery in self.faults.call(_number(call.session), envelope):
            before = self._relays.get(call.session) if self.ordered else None
            self._relays[call.session] = self._hold(self._relay_one(call, delivery, before))

    async def _relay_one(self, call: RelayCall, delivery: Delivery, before: asyncio.Task[None] | None) -> None:
        try:
            if delivery.delay_ms > 0:
                await self._clock.sleep(delivery.delay_ms / 1000)
            if before is not None:
                await asyncio.wait([before])
            error = await self._agent.relay(call.canister_id, delivery.data, asynchronous=self.ordered)
        finally:  # also what was held up until its session had left
            if self._relays.get(call.session) is asyncio.current_task():
                del self._relays[call.session]
        self._carry_out(self._machine.call_result(call, error, self._clock.now_ns()))

    async def _call_close(self, call: CallClose, before: list[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        error = await self._agent.call(call.canister_id, "ws_close", encode_close_args(call.client_key))
        self._carry_out(self._machine.call_result(call, error, self._clock.now_ns()))

    def _poll(self, poll: Poll) -> None:
        if (earlier := self._polls.get(poll.canister_id)) is not None:
            earlier.cancel()
        self._polls[poll.canister_id] = self._hold(self._poll_once(poll))

    async def _poll_once(self, poll: Poll) -> None:
        rest_s = self._polled_at.get(poll.canister_id, 0.0) + POLL_FLOOR_S - monotonic()
        if rest_s > 0:
            await asyncio.sleep(rest_s)
        self._polled_at[poll.canister_id] = monotonic()
        outcome = await self._agent.query(poll.canister_id, "ws_get_messages", encode_poll_args(poll.nonce))
        outcome, late_ms = self.faults.poll_answer(self.number, outcome)
        if late_ms > 0:
            await self._clock.sleep(late_ms / 1000)
        if self._polls.get(poll.canister_id) is asyncio.current_task():
            del self._polls[poll.canister_id]
        now_ns = self._clock.now_ns()
        self._carry_out(self._machine.poll_result(poll.canister_id, outcome, now_ns, poll.ticket))

    # Time and tasks

    async def _tick(self) -> None:
        while True:
            self._wake.clear()
            deadline_ns = self._machine.deadline_ns
            if deadline_ns is None:
                await self._wake.wait()
                continue
            left_s = self._clock.real_seconds((deadline_ns - self._clock.now_ns()) / NS_PER_S)
            if left_s <= 0:
                self._carry_out(self._machine.tick(self._clock.now_ns()))
                await asyncio.sleep(0)
                continue
            await wait_at_most(self._wake, left_s)

    def _hold(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._let_go)
        return task

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._note("error", f"a task of the gateway failed: {type(error).__name__}: {error}")

    def _failed(self, error: Exception) -> None:
        self._note("error", f"something planned by the gateway failed: {type(error).__name__}: {error}")

    def _note(self, kind: str, text: str, **facts: Any) -> None:
        self._log.write("gateway", kind, text, gateway=str(self.principal), **facts)

    def _protocol_ms(self, real_s: float) -> int:
        return round(real_s * self._clock.scale * NS_PER_S / NS_PER_MS)


def _number(session: SessionId) -> int:
    """A session as faults call it; this gateway's sessions are numbers."""
    assert isinstance(session, int)
    return session
