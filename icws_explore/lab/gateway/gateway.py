"""The lab's gateway, which behaves as ic-websocket-gateway 1.4.6. Its network is the lab's replica or a real one.

`protocol.gateway.GatewayMachine` makes the decisions. This module adds sockets, an agent and a clock. It differs from
the real gateway in three ways:

- The calls of a session keep their order. The real gateway relays each call from a task of its own: of a burst of 60
  calls on loopback, the 56th arrived after the 5th, and the canister closed the session. With ``ordered=False`` this
  gateway uses tasks and the same endpoint, too; but on one event loop the calls rarely overtake each other.
- It refuses pages of other sites (see `live.listen.Visitors`). The real gateway accepts every page.
- Under a fast clock, two polls are at least 5 ms of real time apart, and a poll may take at least one real second.
  Otherwise a lab at × 60 would load the machine.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import Any, Final, cast
from weakref import WeakSet

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from icws_explore.capture import Frame
from icws_explore.live.breakpoints import ControlledLane, PathControl
from icws_explore.live.clock import Clock, RealClock
from icws_explore.live.listen import Listen, Visitors
from icws_explore.live.loop import wait_at_most
from icws_explore.live.path import Delivery, Outcome, difference
from icws_explore.live.scheduler import ClockScheduler
from icws_explore.protocol.arguments import PollResult, encode_close_args, encode_poll_args, encode_poll_result
from icws_explore.protocol.budgets import LAB_FRAME as MAX_FRAME
from icws_explore.protocol.budgets import LAB_UNSENT as MAX_UNSENT
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S, POLL_INTERVAL_MS, POLL_TIMEOUT_MS
from icws_explore.protocol.errors import LabError
from icws_explore.protocol.gateway.events import (
    CallClose,
    FrameKind,
    GatewayEvent,
    Poll,
    PollOutcome,
    RelayCall,
    Replied,
    SessionId,
)
from icws_explore.protocol.gateway.machine import GatewayConfig
from icws_explore.protocol.keys import Ed25519Identity, Identity
from icws_explore.protocol.principal import Principal

from ..clocks import MachineClock
from ..faults import Faults
from ..log import LabLog
from ..server_errors import ServerErrors
from .agent import Agent
from .connection import GatewayConnection
from .wiring import GatewayWiring, number_of

POLL_FLOOR_S: Final = 0.005  # the shortest poll interval, in real seconds
POLL_TIMEOUT_FLOOR_S: Final = 1.0  # the shortest time-out of a poll, in real seconds
_NO_MESSAGES: Final = Replied(encode_poll_result(PollResult((), b"", b"", True)))


class GatewayServer(GatewayWiring):
    """One gateway. Call `start` and `stop` on one event loop. A stopped gateway can start again."""

    def __init__(
        self,
        network_url: str,
        *,
        identity: Identity | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        reuse_port: bool = False,
        clock: Clock | None = None,
        poll_interval_ms: int = POLL_INTERVAL_MS,
        ordered: bool = True,
        faults: Faults | None = None,
        log: LabLog | None = None,
        number: int = 0,
        sessions: Iterator[int] | None = None,
        visitors: Visitors | None = None,
        control: PathControl | None = None,
    ) -> None:
        """``port`` 0 is a free port. ``poll_interval_ms`` is protocol time.

        ``reuse_port``: gateways of other processes may listen on the same port; the system spreads clients over them.

        ``number`` is the gateway's number for ``faults``; ``sessions`` yields those of its sessions (None: 0, 1, …).
        ``control`` holds the breakpoints; None: there are none.
        """
        self.identity = identity or Ed25519Identity.generate()
        self.network_url = network_url
        self._host, self._port = host, port
        self._reuse_port = reuse_port
        self._visitors = visitors or Visitors.of(Listen(host, port))
        self._clock = clock or RealClock()
        self._planned = ClockScheduler(self._clock, self._action_failed)
        super().__init__(
            number,
            self.identity.principal,
            GatewayConfig(
                polling_interval_ms=max(poll_interval_ms, self._protocol_ms(POLL_FLOOR_S)),
                poll_timeout_ms=max(POLL_TIMEOUT_MS, self._protocol_ms(POLL_TIMEOUT_FLOOR_S)),
            ),
            scheduler=self._planned,
            faults=faults or Faults(),
            log=log or LabLog(self._clock.now_ns),
            ordered=ordered,
        )
        self._agent = self._agent_at(network_url)
        self._server: Server | None = None
        self._wake = asyncio.Event()
        self._session_ids = itertools.count() if sessions is None else sessions
        self._connections: dict[int, GatewayConnection] = {}
        self._sockets: WeakSet[GatewayConnection] = WeakSet()  # also those without a session yet
        self._tasks: set[asyncio.Task[None]] = set()
        self._polls: dict[Principal, asyncio.Task[None]] = {}
        self._polled_at: dict[Principal, float] = {}
        self._relays: dict[SessionId, asyncio.Task[None]] = {}
        self._control = control
        self._lanes: dict[int, tuple[ControlledLane, ControlledLane]] = {}  # from and to the client, by session
        self._closing: asyncio.Task[None] | None = None  # ws_close among the events that are carried out now
        self._waiting: set[Principal] = set()  # canisters that are not polled, because a client does not read

    @property
    def port(self) -> int:
        """The TCP port of the gateway. Before the first start it is the requested one (0: a free port)."""
        return self._port

    @property
    def url(self) -> str:
        """The URL of the gateway (``ws://host:port``)."""
        return f"ws://{self._host}:{self._port}"

    async def start(self) -> None:
        """Check the network, then listen. Raises ConnectError and LabError."""
        await self._agent.open()
        try:
            self._server = await serve(
                self._serve,
                self._host,
                self._port,
                reuse_port=self._reuse_port or None,
                create_connection=cast("type[GatewayConnection]", self._accept),  # the library only calls it
                process_request=self._admit,
                compression=None,  # the real gateway has no compression
                ping_interval=None,  # and sends no pings
                max_size=MAX_FRAME,
                write_limit=MAX_UNSENT,
                logger=ServerErrors(self._log).logger,
            )
        except OSError as error:
            await self._agent.close()
            raise LabError(f"cannot listen on port {self._port}: {error.strerror}; choose another port") from error
        self._port = next(iter(self._server.sockets)).getsockname()[1]
        self._hold(self._tick())

    async def stop(self) -> None:
        """Cut every connection, as the end of the process would, and wait until every task has ended."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close(close_connections=False)
        self._planned.clear()
        self._abort_connections()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        ended = asyncio.ensure_future(server.wait_closed())
        while not (await asyncio.wait([ended], timeout=0.05))[0]:  # real seconds
            self._abort_connections()  # some were still being accepted
        await self._agent.close()
        self._forget_sessions()

    def _accept(self, *args: Any, **kwargs: Any) -> GatewayConnection:
        connection = GatewayConnection(*args, **kwargs)
        self._sockets.add(connection)
        return connection

    def _abort_connections(self) -> None:
        """Cut every connection, also one whose client has sent no request: the library waits ten seconds for it."""
        for connection in tuple(self._sockets):
            if (transport := getattr(connection, "transport", None)) is not None:  # none before it is connected
                transport.abort()  # close() would wait for a client that does not read

    async def reach_network_at(self, network_url: str) -> None:
        """Send requests to the network at another address from now on, for example that of a tap in front of it.

        Raises ConnectError if there is no network; then the gateway stays with the old address.
        """
        agent = self._agent_at(network_url)
        await agent.open()
        before, self._agent, self.network_url = self._agent, agent, network_url
        await before.close()

    def _agent_at(self, network_url: str) -> Agent:
        return Agent(network_url, self.identity, MachineClock(self._clock, self.faults, "gateway", self.number))

    @property
    def open_sessions(self) -> list[int]:
        """The numbers of the sessions that are connected here."""
        return list(self._connections)

    # Faults from outside

    def send(self, session: int, data: bytes) -> None:
        """Send a binary frame to a client. Does nothing for a session that is not connected here."""
        if (connection := self._connections.get(session)) is not None:
            connection.write(data)

    def drop(self, session: int, code: int | None) -> None:
        """End a connection (see ``Stage.drop``). Does nothing for a session that is not connected here."""
        if (connection := self._connections.get(session)) is not None:
            connection.drop(code)

    # Sessions

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        refused = self._visitors.refusal(*map(request.headers.get_all, ("Host", "Origin", "Sec-Fetch-Site")))
        if refused is None:
            by_proxy = self.faults.refusal("upgrade")
            return None if by_proxy is None else connection.respond(HTTPStatus(by_proxy[0]), by_proxy[1])
        self._note("refused", refused)
        return connection.respond(HTTPStatus.FORBIDDEN, f"icws lab: {refused}\n")

    async def _serve(self, connection: ServerConnection) -> None:
        assert isinstance(connection, GatewayConnection)
        session = next(self._session_ids)
        self._connections[session] = connection
        self._open_links(session)
        self._note("connected", f"session {session + 1}", session=session + 1)

        try:
            self._carry_out(self.machine.session_opened(session))
            connection.listen(partial(self._from_client, session))
            await connection.wait_closed()
        finally:
            for lane in self._lanes.pop(session, ()):
                lane.end("its session has ended")
            del self._connections[session], self._links[session]
            self._note("left", f"session {session + 1}", session=session + 1)
            if self._server is not None:
                self._carry_out(self.machine.session_closed(session, self._clock.now_ns()))
            self._relays.pop(session, None)

    # Breakpoints, at the client's end of the wire: they see what the client sends, and what it would get

    def _from_client(self, session: int, kind: FrameKind, data: bytes) -> None:
        if self._control is None or not self._goes_apart(session):
            self.client_frame(session, kind, data)
            return
        up, _ = self._lanes[session]
        up.take(Frame(self._clock.now_s(), "out", kind, data, session=str(session + 1)))
        self._connections[session].hold_reading(up.is_full)

    def _write(self, write: Callable[[bytes], None], data: bytes) -> None:
        write(data)

    def _to_client(self, session: int, data: bytes) -> None:
        connection = self._connections.get(session)
        if connection is None:
            return
        if self._control is None or not self._goes_apart(session):
            super()._write(connection.write, data)
            return
        _, down = self._lanes[session]
        down.take(Frame(self._clock.now_s(), "in", "binary", data, session=str(session + 1)))

    def _goes_apart(self, session: int) -> bool:
        """Whether the frames of this session take lanes, which are made when they are first needed."""
        assert self._control is not None
        lanes = self._lanes.get(session)
        if lanes is None and self._control.is_active and session in self._connections:
            carry_up, carry_down = partial(self._carry_up, session), partial(self._carry_down, session)
            lanes = self._control.lane("out", carry_up), self._control.lane("in", carry_down)
            self._lanes[session] = lanes
        return lanes is not None and (self._control.is_active or not all(lane.is_empty for lane in lanes))

    def _carry_up(self, session: int, outcome: Outcome) -> None:
        self._tell(session, outcome)
        for sent in outcome.sent:
            self.client_frame(session, cast(FrameKind, sent.op), sent.data)
        if (connection := self._connections.get(session)) is not None and session in self._lanes:
            connection.hold_reading(self._lanes[session][0].is_full)

    def _carry_down(self, session: int, outcome: Outcome) -> None:
        self._tell(session, outcome)
        if (connection := self._connections.get(session)) is not None:
            for sent in outcome.sent:
                super()._write(connection.write, sent.data)

    def _tell(self, session: int, outcome: Outcome) -> None:
        if outcome.did:
            whose = "client's" if outcome.frame.direction == "out" else "gateway's"
            text = f"session {session + 1}: the {whose} frame of {len(outcome.frame.data)} bytes was {outcome.did}"
            changes = [difference(outcome.frame.data, data) for data in outcome.data if data != outcome.frame.data]
            self._note("breakpoint", "; ".join([text, *changes]), session=session + 1)

    def _frame_received(self, session: int, kind: FrameKind, data: bytes) -> None:
        if session in self._connections:
            self._carry_out(self.machine.frame_received(session, kind, data, self._clock.now_ns()))

    # Carrying out the machine's events

    def _carry_out(self, events: list[GatewayEvent]) -> None:
        self._closing = None
        super()._carry_out(events)
        self._wake.set()

    def _drop(self, session: int, code: int | None) -> None:
        """End a connection; behind a ws_close when that has ended, as the real gateway's task does."""
        connection = self._connections.get(session)
        if connection is None:
            return
        if self._closing is None:
            connection.drop(code)
        else:
            self._closing.add_done_callback(lambda _: connection.drop(code))

    def _writer(self, session: int) -> Callable[[bytes], None] | None:
        return partial(self._to_client, session) if session in self._connections else None

    def _relay(self, call: RelayCall, envelope: bytes, relayed_ns: int) -> None:
        del relayed_ns
        for delivery in self.faults.call(number_of(call.session), envelope):
            before = self._relays.get(call.session) if self.ordered else None
            self._relays[call.session] = self._hold(self._relay_one(call, delivery, before))

    async def _relay_one(self, call: RelayCall, delivery: Delivery, before: asyncio.Task[None] | None) -> None:
        connection = self._connections.get(number_of(call.session))
        if connection is not None:
            connection.canister_id = call.canister_id
            connection.add_unrelayed(len(delivery.data))
        try:
            if delivery.delay_ms > 0:
                await self._clock.sleep(delivery.delay_ms / 1000)
            if before is not None:
                await asyncio.wait([before])
            error = await self._agent.relay(call.canister_id, delivery.data, asynchronous=self.ordered)
        finally:  # even if the call was delayed until its session had ended
            if connection is not None:
                connection.add_unrelayed(-len(delivery.data))
            if self._relays.get(call.session) is asyncio.current_task():
                del self._relays[call.session]
        self._saw("answered", call.envelope, error or "")
        self._carry_out(self.machine.call_result(call, error, self._clock.now_ns()))

    def _call_close(self, call: CallClose) -> None:
        relays = list(self._relays.values()) if self.ordered else []
        self._closing = self._hold(self._close_one(call, relays))

    async def _close_one(self, call: CallClose, before: list[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        error = await self._agent.call(call.canister_id, "ws_close", encode_close_args(call.client_key))
        self._carry_out(self.machine.call_result(call, error, self._clock.now_ns()))

    def _poll(self, poll: Poll) -> None:
        if (earlier := self._polls.get(poll.canister_id)) is not None:
            earlier.cancel()
        self._polls[poll.canister_id] = self._hold(self._poll_once(poll))

    async def _poll_once(self, poll: Poll) -> None:
        rest_s = self._polled_at.get(poll.canister_id, 0.0) + POLL_FLOOR_S - monotonic()
        if rest_s > 0:
            await asyncio.sleep(rest_s)
        self._polled_at[poll.canister_id] = monotonic()
        outcome: PollOutcome = _NO_MESSAGES
        if not self._must_wait(poll.canister_id):
            outcome = await self._agent.query(poll.canister_id, "ws_get_messages", encode_poll_args(poll.nonce))
            outcome, late_ms = self.faults.poll_answer(self.number, outcome)
            if late_ms > 0:
                await self._clock.sleep(late_ms / 1000)
        if self._polls.get(poll.canister_id) is asyncio.current_task():
            del self._polls[poll.canister_id]
        now_ns = self._clock.now_ns()
        self._carry_out(self.machine.poll_result(poll.canister_id, outcome, now_ns, poll.ticket))

    def _must_wait(self, canister_id: Principal) -> bool:
        """Whether a client of the canister does not read. Then the canister is not polled.

        The real gateway waits in the same way: its poller hands messages to the sessions through bounded channels, so
        one slow client stops the messages to every client of the canister.
        """
        slow = [
            f"session {number_of(session) + 1}"
            for session, connection in self._connections.items()
            if connection.canister_id == canister_id
            and (connection.is_full or any(lane.is_full for lane in self._lanes.get(session, ())))
        ]
        if slow and canister_id not in self._waiting:
            self._waiting.add(canister_id)
            self._note("waiting", f"canister {canister_id} is not polled while {', '.join(slow)} does not read")
        elif not slow and canister_id in self._waiting:
            self._waiting.discard(canister_id)
            self._note("resumed", f"canister {canister_id} is polled again")
        return bool(slow)

    # Time and tasks

    async def _tick(self) -> None:
        while True:
            self._wake.clear()
            deadline_ns = self.machine.deadline_ns
            if deadline_ns is None:
                await self._wake.wait()
                continue
            left_s = self._clock.real_seconds((deadline_ns - self._clock.now_ns()) / NS_PER_S)
            if left_s <= 0:
                self._carry_out(self.machine.tick(self._clock.now_ns()))
                await asyncio.sleep(0)
                continue
            await wait_at_most(self._wake, left_s)

    def _hold(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._note("error", f"a task of the gateway failed with {type(error).__name__}: {error}")

    def _action_failed(self, error: Exception) -> None:
        self._note("error", f"a planned action of the gateway failed with {type(error).__name__}: {error}")

    def _protocol_ms(self, real_s: float) -> int:
        return round(real_s * self._clock.scale * NS_PER_S / NS_PER_MS)
