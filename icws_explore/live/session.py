"""A live session: sends and receives values, records every frame, and frees everything when it ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, get_args

from icws_explore.analysis.decode import DecodedFrame, Kind, check_kind
from icws_explore.analysis.recording import Recording
from icws_explore.analysis.verify import MessageVerdict
from icws_explore.capture import Capture, Frame
from icws_explore.protocol import candid
from icws_explore.protocol.client.events import (
    CanisterClosed,
    ClientEvent,
    Failed,
    FrameOp,
    Logged,
    MessageReceived,
    Opened,
    SendFrame,
)
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.client.states import ClientState
from icws_explore.protocol.client.table import Row
from icws_explore.protocol.close_codes import CloseCode, check_close
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import ArgumentValueError, SessionClosedError, StateError
from icws_explore.protocol.messages import ClientKey, WebsocketMessage
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import CloseReason

from .clock import Clock
from .connection import Connection, Observer
from .loop import LIVE, LoopThread, Signal, from_thread

if TYPE_CHECKING:
    from .target import Target

MAX_CONTROL_BYTES: Final = 125  # of a ping; RFC 6455, section 5.5
WAITING_BYTES: Final = 64 * 1024 * 1024  # bytes of messages that wait for `receive`

T = TypeVar("T")
MakeConnection = Callable[[Observer], Coroutine[Any, Any, Connection]]


class Session:
    """An open IC WebSocket session. `icws_explore.connect` makes it.

    Use it as an asynchronous context manager, or call `close`::

        async with icws.connect(lab) as session:
            await session.send({"text": "hello"})
            async for value in session:  # until the session ends
                print(value)

    - ``recording`` is the `Recording` of the session, which grows while the session runs.
    - ``app_type`` is the `candid.Type` of the application's messages, or None if it is not known.
    - ``clock`` is the clock of protocol time.
    - ``target`` is what `connect` was given, checked, or None for a session that `connect` did not open.
    - ``failures`` are the errors that the real SDK would report, as texts.

    The session runs in its own thread, so a busy notebook cell does not delay its keep-alives. Its coroutines can be
    awaited on any event loop.

    At most 64 MiB of messages wait for `receive`. After that, the oldest are removed from the queue, and a note in the
    recording says so. The recording keeps all messages. If the session fails internally, ``failures`` says why, and
    the session ends with the code 1011.
    """

    def __init__(self, machine: ClientMachine, clock: Clock, capture: Capture, app_type: candid.Type | None) -> None:
        self.recording = Recording(capture)
        self.clock = clock
        self.app_type = app_type
        self.target: Target | None = None
        self.failures: list[str] = []  # what the real SDK gives to onerror, or only prints
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

    # State

    @property
    def state(self) -> str:
        """The state of the client's machine, as named in its transition table."""
        return self._machine.state.value

    @property
    def client_key(self) -> ClientKey:
        """The key of this session at the canister: the client's principal and a random nonce."""
        return self._machine.client_key

    @property
    def principal(self) -> Principal:
        """The client's principal."""
        return self.client_key.client_principal

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._machine.state is ClientState.OPEN

    @property
    def close_code(self) -> int | None:
        """The WebSocket close code, 1006 if the connection was lost. None while the session runs."""
        return None if self._connection is None else self._connection.close_code

    @property
    def close_reason(self) -> str:
        """The reason in the close frame, or an empty text."""
        return "" if self._connection is None else self._connection.close_reason

    @property
    def deadlines(self) -> dict[str, float]:
        """The seconds of protocol time that are left until each running time-out, by its name."""
        now = self.clock.now_ns()
        return {name: (at - now) / NS_PER_S for name, at in self._machine.deadlines.items()}

    def verify(self) -> list[MessageVerdict]:
        """Verify each canister message received so far. Each verdict has the steps and what they compared."""
        return self.recording.verify()

    @property
    def taken(self) -> tuple[Row, ...]:
        """The rows of the client's transition table that were taken last, in order. Read it in an observer."""
        return self._machine.taken

    @property
    def max_certificate_age_s(self) -> int:
        """The age in seconds up to which this session accepts a certificate."""
        return self._machine.config.max_certificate_age_s

    def watch(self, observer: Observer) -> Callable[[], None]:
        """Call ``observer`` with every frame and every event of the client's machine. Returns what stops this.

        The observer runs in the session's thread, so it must be quick. An observer that raises an exception is not
        called again, and ``failures`` says so.
        """
        self._observers.append(observer)
        return lambda: self._observers.remove(observer) if observer in self._observers else None

    async def follow(self) -> AsyncIterator[Frame]:
        """Yield the recorded frames: first those so far, then each one as it passes, until the session ends."""
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

    # Actions

    async def send(self, value: Any) -> None:
        """Send an application message, a Python value of ``app_type`` (see `candid.encode`).

        Raises ValueMismatchError if the value does not have this type, StateError if the type is not known, and
        SessionClosedError if the session has ended.
        """
        if self.app_type is None:
            raise StateError(
                "the type of application messages is not known: pass app_type= to connect, or use send_bytes"
            )
        await self.send_bytes(candid.encode([self.app_type], [value]))

    async def send_bytes(self, content: bytes) -> None:
        """Send an application message that is already encoded as Candid. Raises SessionClosedError."""

        async def work() -> None:
            if self._connection is None or self.close_code is not None:
                raise self._closed()
            self._connection.send(content)

        await self._there(work())

    def sign_frame(self, data: bytes) -> bytes:
        """An edited request with a signature of this session's identity, to be sent with `send_frame`.

        The content stays as it is, also its sequence number and expiry. The key does not leave the session. Raises
        DecodeError for what is no request of a client, and IcwsError if it cannot be signed.
        """
        return self._machine.sign_again(bytes(data))

    async def send_frame(self, data: bytes, op: FrameOp = "binary") -> None:
        """Send ``data`` to the gateway as one WebSocket frame, whatever it is: to see how the other side takes it.

        The client's state machine does not see the frame: it is not numbered or signed, no ack of it is waited for,
        and it is sent in any state. A text frame's ``data`` must be UTF-8, that of a ping at most 125 bytes.
        Raises ArgumentValueError where they are not, and SessionClosedError when the session is over.
        """
        if op not in get_args(FrameOp):
            raise ArgumentValueError(f"op is one of {', '.join(get_args(FrameOp))}, not {op!r}")
        if op == "ping" and len(data) > MAX_CONTROL_BYTES:
            raise ArgumentValueError(f"a ping has at most {MAX_CONTROL_BYTES} bytes, not {len(data)}")
        if op == "text":
            try:
                data.decode("utf-8")
            except UnicodeDecodeError as error:
                reason = f"a text frame is UTF-8, but byte {error.start} is not: send it as binary"
                raise ArgumentValueError(reason) from None

        async def work() -> None:
            if self._connection is None or self.close_code is not None:
                raise self._closed()
            self._connection.send_frame(SendFrame(bytes(data), op))

        await self._there(work())

    async def receive(self, timeout: float | None = None) -> Any:  # shorter in a cell
        """Return the next application message as a Python value. Wait until there is one.

        Raises TimeoutError after ``timeout`` real seconds (None: no limit), SessionClosedError if the session has
        ended and no message is left, and CandidError if the message cannot be decoded.
        """
        return self.decode(await self.receive_message(timeout))

    async def receive_message(self, timeout: float | None = None) -> WebsocketMessage:
        """Like `receive`, but return the whole message: sequence number, timestamp and content (bytes)."""
        if self._thread is None and self._messages:
            return self._take()
        return await self._there(self._next(timeout))

    async def wait_for(self, kind: Kind, timeout: float | None = None) -> DecodedFrame:
        """Return the next frame of that kind that passes after this call, in either direction.

        ``kind`` is a kind of frame as in the frame table: "ack", "keep_alive", "app", "close" and others. ``timeout``
        is in real seconds. Raises ArgumentValueError, TimeoutError, and SessionClosedError if the session ends before.
        """
        check_kind(kind)
        seen = len(self.recording)

        def found() -> int | None:
            nonlocal seen
            while seen < len(self.recording):
                if self.recording[seen].kind == kind:
                    return seen
                seen += 1
            return None

        async def work() -> None:
            async with asyncio.timeout(timeout):
                await self._until(lambda: found() is not None)
            if found() is None:
                raise self._closed()

        await self._there(work())
        return self.recording[seen]

    def decode(self, message: WebsocketMessage) -> Any:
        """Return the value in an application message. Raises CandidError."""
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

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the session, and wait until it has ended and its resources are free.

        ``code`` and ``reason`` are those of the close frame; the SDK closes with 1000. If the gateway does not answer
        within one real second, the connection is dropped. Raises ArgumentValueError for a code that cannot be sent,
        and for a reason of more than 123 bytes.
        """
        check_close(code, reason)
        if self._running is None:
            return
        connection = self._connection

        async def work() -> None:
            if connection is not None and connection.close_code is None:
                connection.close(code, reason)

        if not self._running.done():
            await self._there(work())
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Wait until either side has ended the session, and free its resources."""
        if self._running is None:
            return
        try:
            with self.clock.passing():
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

    # Called by `connect`

    async def start(self, make: MakeConnection) -> None:
        """Open the socket with ``make`` in the session's thread, and run the session."""
        self._thread = LIVE.acquire()

        async def opened() -> None:
            self._connection = await make(self._observe)

        try:
            await from_thread(self._thread, opened())
        except BaseException:
            if self._connection is not None:  # cancelled after the socket was open
                await asyncio.shield(asyncio.wrap_future(self._thread.submit(self._connection.abandon())))
            self._release()
            raise
        assert self._connection is not None  # opened() has returned
        self._running = self._thread.submit(self._run(self._connection))

    async def wait_open(self) -> None:
        """Wait for the canister's OpenMessage. Raises SessionClosedError if the session ends before."""

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
        with self.clock.passing():
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
        """Run ``work`` on the session's loop, and wait for it on the caller's loop."""
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
