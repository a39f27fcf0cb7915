"""A live session as its user holds it: send and receive values, look at the capture, leave nothing behind."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from icws_explore.analysis.recording import Recording
from icws_explore.analysis.verify import MessageVerdict
from icws_explore.capture import Capture, Frame
from icws_explore.protocol import candid
from icws_explore.protocol.client.events import CanisterClosed, ClientEvent, Failed, Logged, MessageReceived, Opened
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.client.states import ClientState
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import SessionClosedError, StateError
from icws_explore.protocol.messages import ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import CloseReason

from .clock import Clock
from .connection import Connection, Observer
from .loop import LIVE, LoopThread, Signal, from_thread

WAITING_BYTES: Final = 64 * 1024 * 1024  # bytes of messages that wait for `receive`

T = TypeVar("T")
MakeConnection = Callable[[Observer], Coroutine[Any, Any, Connection]]


class Session:
    """An open IC WebSocket session; made by `icws_explore.connect`.

    Runs on a loop of its own, so that a busy notebook cell does not delay its keep-alives; its
    coroutines can be awaited on any loop. Use as an async context manager, or call `close`.
    Iterating gives the application's messages until the session ends.

    At most 64 MiB of messages wait for `receive`. After that, the oldest are removed from the queue, and a note says
    so; the recording keeps them all. If the session itself fails, ``failures`` says why, and it ends with code 1011.
    """

    def __init__(self, machine: ClientMachine, clock: Clock, capture: Capture, app_type: candid.Type | None) -> None:
        self.recording = Recording(capture)
        self.clock = clock
        self.app_type = app_type
        self.failures: list[str] = []  # what the real SDK would hand to onerror, or only print
        self._machine = machine
        self._opened = False
        self._canister_closed = ""
        self._connection: Connection | None = None
        self._thread: LoopThread | None = None
        self._running: Future[None] | None = None
        self._messages: deque[WebsocketMessage] = deque()
        self._waiting_bytes = 0
        self._has_dropped = False
        self._changed = Signal()
        self._observers: list[Observer] = []

    # -- what it is ------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The client machine's state, in the words of its transition table."""
        return self._machine.state.value

    @property
    def client_key(self) -> ClientKey:
        """Who this session is for the canister: our principal and the nonce drawn for it."""
        return self._machine.client_key

    @property
    def principal(self) -> Principal:
        return self.client_key.client_principal

    @property
    def is_open(self) -> bool:
        return self._machine.state is ClientState.OPEN

    @property
    def close_code(self) -> int | None:
        """The WebSocket close code once the session has ended, 1006 where the connection was lost."""
        return None if self._connection is None else self._connection.close_code

    @property
    def close_reason(self) -> str:
        return "" if self._connection is None else self._connection.close_reason

    @property
    def deadlines(self) -> dict[str, float]:
        """Seconds of protocol time left to each time-out that is running."""
        now = self.clock.now_ns()
        return {name: (at - now) / NS_PER_S for name, at in self._machine.deadlines.items()}

    def verify(self) -> list[MessageVerdict]:
        """The walk over each canister message received so far."""
        return self.recording.verify()

    def watch(self, observer: Observer) -> None:
        """Call ``observer`` with every frame and every event of the client machine, as they happen.

        On the session's own thread: be quick, and hand over to your loop what takes time. An observer
        that raises is not called again; ``failures`` says so.
        """
        self._observers.append(observer)

    async def follow(self) -> AsyncIterator[Frame]:
        """The capture's frames, those so far and then each as it passes, until the session ends."""
        seen = 0
        while True:
            while seen < len(self.recording):
                yield self.recording.raw[seen]
                seen += 1
            if self.close_code is not None:
                return
            await self._there(self._more_than(seen))

    def __repr__(self) -> str:
        closed = "" if self.close_code is None else f", closed {self.close_code} {self.close_reason}".rstrip()
        return f"<Session of {self.principal.short}: {self.state}, {len(self.recording)} frames{closed}>"

    # -- what it does ----------------------------------------------------------------------------

    async def send(self, value: Any) -> None:
        """Send an application message: a Python value of the declared type.

        Raises ValueMismatchError where it does not fit, StateError where no type is known,
        SessionClosedError when the session is over.
        """
        if self.app_type is None:
            raise StateError(
                "the type of application messages is not known: pass app_type= to connect, or use send_bytes"
            )
        await self.send_bytes(candid.encode([self.app_type], [value]))

    async def send_bytes(self, content: bytes) -> None:
        """Send an application message that is encoded already."""

        async def work() -> None:
            if self._connection is None or self.close_code is not None:
                raise self._closed()
            self._connection.send(content)

        await self._there(work())

    async def receive(self, timeout: float | None = None) -> Any:  # shorter in a cell
        """The next application message as a Python value.

        ``timeout`` is in real seconds; TimeoutError when it passes. Raises SessionClosedError when
        the session is over and nothing is left to read.
        """
        return self.decode(await self.receive_message(timeout))

    async def receive_message(self, timeout: float | None = None) -> WebsocketMessage:
        """As `receive`, with the message around the value: sequence number, timestamp, bytes."""
        if self._thread is None and self._messages:
            return self._take()
        return await self._there(self._next(timeout))

    def decode(self, message: WebsocketMessage) -> Any:
        """The value in an application message. Raises CandidError."""
        values = candid.decode(message.content, None if self.app_type is None else [self.app_type])
        return values[0] if values else None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[Any]:
        while True:
            try:
                yield await self.receive()
            except SessionClosedError:
                if self._connection is not None and self._connection.fault:
                    raise
                return

    async def close(self) -> None:
        """End the session with code 1000 and wait until nothing of it runs any more.

        The peer gets one second of real time to answer; then it is disconnected.
        """
        if self._running is None:
            return
        connection = self._connection

        async def work() -> None:
            if connection is not None and connection.close_code is None:
                connection.close()

        if not self._running.done():
            await self._there(work())
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Wait until the session has ended, whoever ends it, and free what it held."""
        if self._running is None:
            return
        try:
            await asyncio.shield(asyncio.wrap_future(self._running))
        finally:
            if self._running.done():
                self._release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        await self.close()

    # -- how it runs -----------------------------------------------------------------------------

    async def start(self, make: MakeConnection) -> None:
        """Open the socket with ``make`` on the session's loop, and begin to run."""
        self._thread = LIVE.acquire()

        async def opened() -> None:
            self._connection = await make(self._observe)

        try:
            await from_thread(self._thread, opened())
        except BaseException:
            if self._connection is not None:  # cancelled when the socket was open already
                await asyncio.shield(asyncio.wrap_future(self._thread.submit(self._connection.abandon())))
            self._release()
            raise
        assert self._connection is not None  # opened() has returned
        self._running = self._thread.submit(self._run(self._connection))

    async def wait_open(self) -> None:
        """Wait for the canister's OpenMessage. Raises SessionClosedError when it does not come."""

        async def work() -> None:
            await self._until(lambda: self._opened)
            if not self._opened:
                raise self._closed()

        await self._there(work())

    async def _run(self, connection: Connection) -> None:
        try:
            await connection.run()
        finally:
            self._changed.set()

    def _observe(self, event: ClientEvent | Frame) -> None:
        match event:
            case Opened():
                self._opened = True
            case MessageReceived(message=message):
                self._keep(message)
            case Failed(text=text) | Logged(text=text):
                self.failures.append(text)
            case CanisterClosed(reason=reason):
                self._canister_closed = f"the canister closed the session: {reason}"
                if reason is not CloseReason.CLOSED_BY_APPLICATION:
                    self.failures.append(self._canister_closed)
        for observer in list(self._observers):
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001  # somebody else's code must not end the session
                self._observers.remove(observer)
                self.failures.append(f"watch: {type(error).__name__}: {error}; this observer is not called again")
        self._changed.set()

    async def _more_than(self, frames: int) -> None:
        await self._until(lambda: len(self.recording) > frames)

    async def _until(self, true: Callable[[], object]) -> None:
        """Wait for ``true()`` or for the end of the session."""
        while not true() and self.close_code is None:
            await self._changed.wait()

    async def _next(self, timeout: float | None) -> WebsocketMessage:
        async with asyncio.timeout(timeout):
            await self._until(lambda: self._messages)
        if not self._messages:
            raise self._closed()
        return self._take()

    def _take(self) -> WebsocketMessage:
        message = self._messages.popleft()
        self._waiting_bytes -= len(message.content)
        return message

    def _keep(self, message: WebsocketMessage) -> None:
        self._messages.append(message)
        self._waiting_bytes += len(message.content)
        while self._waiting_bytes > WAITING_BYTES and len(self._messages) > 1:
            self._take()
            if not self._has_dropped:
                self._has_dropped = True
                self.recording.notes.append(
                    f"more than {WAITING_BYTES} bytes of messages wait for receive(): only the recording has the oldest"
                )

    async def _there(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` on the session's loop and wait for it on this one."""
        if self._thread is None:
            work.close()
            raise self._closed()
        return await from_thread(self._thread, work)

    def _closed(self) -> SessionClosedError:
        # The canister's reason comes first: the failure that follows it is the SDK's "[object Object]".
        detail = self._canister_closed or (self.failures[-1] if self.failures else "")
        return SessionClosedError(self.close_code or CloseCode.ABNORMAL_CLOSURE, self.close_reason, detail)

    def _release(self) -> None:
        if self._thread is not None:
            self._thread = None
            LIVE.release()
