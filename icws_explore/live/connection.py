"""The I/O around the client's state machine: one WebSocket, three tasks, one capture.

Everything here runs on one event loop. The reader feeds frames to the machine, the timer tells it
when a deadline has come, the writer sends what it asks for, in order. What to do is the machine's.
If a task fails, the session ends with code 1011 and a line that says what failed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from icws_explore.capture import Capture, CaptureWriter, Direction, Frame, Op
from icws_explore.protocol.budgets import CLOSE_S as CLOSE_PATIENCE_S
from icws_explore.protocol.client.events import ClientEvent, CloseConnection, Failed, SendFrame
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.credentials import without_credentials
from icws_explore.protocol.errors import CaptureError

from .clock import Clock
from .loop import wait_at_most

TURN_S: Final = 0.005  # real seconds of work before the other sessions of this loop get a turn
CLOSING_BYTES: Final = 16 * 1024 * 1024  # bytes that a peer may send after our close; then it is disconnected

Observer = Callable[[ClientEvent | Frame], None]


class Connection:
    """Runs one session over ``socket`` until it ends. `run` returns when everything has stopped."""

    def __init__(
        self,
        socket: ClientConnection,
        machine: ClientMachine,
        *,
        clock: Clock,
        capture: Capture,
        writer: CaptureWriter | None,
        observe: Observer,
    ) -> None:
        self.machine = machine
        self.capture = capture
        self.close_code: int | None = None
        self.close_reason = ""
        self.fault = ""  # the error of ours that ended the session
        self._socket = socket
        self._clock = clock
        self._writer = writer
        self._observe = observe
        self._cut_off: asyncio.TimerHandle | None = None  # once the machine has asked for a close
        self._left_to_read = CLOSING_BYTES
        self._outbox: deque[SendFrame | CloseConnection] = deque()
        self._to_send = asyncio.Event()
        self._deadline_moved = asyncio.Event()

    async def run(self) -> None:
        """Read until the socket ends; then stop the timer and the writer and close the file."""
        works = {"reader": self._read(), "timer": self._fire_deadlines(), "sender": self._send_outbox()}
        tasks = {asyncio.create_task(work, name=f"icws-{name}"): name for name, work in works.items()}
        try:
            self._try("start", lambda: self._act(self.machine.connected(self._clock.now_ns())))
            await self._until_over(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if not self._socket.close_code:
                if self.fault:
                    await self._close_socket(CloseCode.INTERNAL_ERROR, "internal error")
                await self._socket.close()
            self._end()

    async def _until_over(self, tasks: dict[asyncio.Task[None], str]) -> None:
        """Wait until the reader ends or a task fails. The sender may end earlier, after it has sent a close."""
        running = set(tasks)
        while not self.fault and any(tasks[task] == "reader" for task in running):
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                self._try(tasks[task], task.result)

    def _try(self, what: str, work: Callable[[], object]) -> None:
        """Call ``work``. An error ends the session and is reported."""
        try:
            work()
        except Exception as error:  # noqa: BLE001  # an error of ours; nobody else would see it
            text = f"the session's {what} failed: {type(error).__name__}: {error}"
            self.fault = self.fault or without_credentials(text)
            self.capture.notes.append(self.fault)
            if self._writer is not None:
                with contextlib.suppress(CaptureError):  # the next frame reports a full disk
                    self._writer.note(self.fault)
            with contextlib.suppress(Exception):  # the observer itself may be what fails
                self._observe(Failed(self.fault))

    async def abandon(self) -> None:
        """Close socket and file of a session that never began to run."""
        await self._socket.close()
        self._end()

    def send(self, content: bytes) -> None:
        """Hand an application message (Candid) to the machine. Raises StateError before open."""
        self._act(self.machine.send(content, self._clock.now_ns()))

    def send_frame(self, frame: SendFrame) -> None:
        """Send a frame that the machine knows nothing of."""
        self._outbox.append(frame)
        self._to_send.set()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close as a user does. The machine asks for code 1000; another code and a reason are put in its place."""
        events = self.machine.close(self._clock.now_ns())
        self._act(CloseConnection(code, reason) if isinstance(event, CloseConnection) else event for event in events)

    async def _read(self) -> None:
        loop, worked_s = asyncio.get_running_loop(), 0.0
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = await self._socket.recv()
                text = isinstance(message, str)
                data = message.encode() if isinstance(message, str) else bytes(message)
                began = loop.time()
                self._record("in", "text" if text else "binary", data)
                self._act(self.machine.receive(data, self._clock.now_ns()))
                if self._cut_off is not None:
                    self._left_to_read -= len(data)
                    if self._left_to_read < 0:
                        self._socket.transport.abort()
                        return
                worked_s += loop.time() - began
                if worked_s > TURN_S:
                    worked_s = 0.0
                    await asyncio.sleep(0)

    async def _fire_deadlines(self) -> None:
        while True:
            deadline = self.machine.deadline_ns
            self._deadline_moved.clear()
            if deadline is None:
                await self._deadline_moved.wait()
                continue
            left_s = (deadline - self._clock.now_ns()) / NS_PER_S
            if left_s > 0:
                await wait_at_most(self._deadline_moved, self._clock.real_seconds(left_s))
                continue
            self._act(self.machine.tick(self._clock.now_ns()))
            await asyncio.sleep(0)

    async def _send_outbox(self) -> None:
        while True:
            await self._to_send.wait()
            self._to_send.clear()
            while self._outbox:
                item = self._outbox.popleft()
                try:
                    if isinstance(item, CloseConnection):
                        await self._close_socket(item.code, item.reason)
                        return
                    self._record("out", item.op, item.data)
                    await self._send_frame(item)
                except ConnectionClosed:
                    return  # the reader sees it too and ends the session

    async def _send_frame(self, frame: SendFrame) -> None:
        if frame.op == "ping":
            await self._socket.ping(frame.data)  # the pong is not waited for
        else:
            await self._socket.send(frame.data, text=frame.op == "text")

    async def _close_socket(self, code: int, reason: str) -> None:
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
            self._record("out", "close", b"", code, reason)
        await self._socket.close(code, reason)

    def _act(self, events: Iterable[ClientEvent]) -> None:
        for event in events:
            if isinstance(event, (SendFrame, CloseConnection)):
                self._outbox.append(event)
                self._to_send.set()
            if isinstance(event, CloseConnection) and self._cut_off is None:
                self._cut_off = asyncio.get_running_loop().call_later(CLOSE_PATIENCE_S, self._is_stuck)
            self._observe(event)
        self._deadline_moved.set()

    def _is_stuck(self) -> None:
        """Disconnect a peer that reads nothing, so that our close frame cannot be sent."""
        if self.close_code is None:
            self._socket.transport.abort()

    def _record(self, direction: Direction, op: Op, data: bytes, code: int | None = None, reason: str = "") -> None:
        frame = Frame(self._clock.now_s(), direction, op, data, code, reason if op == "close" else None)
        self.capture.frames.append(frame)
        if self._writer is not None:
            try:
                self._writer.write(frame)
            except CaptureError as error:  # a full disk must not end the session
                self._stop_recording()
                self.capture.notes.append(f"recording stopped: {error}")
        self._observe(frame)

    def _end(self) -> None:
        """Note how the socket closed, tell the machine, close the file."""
        if self._cut_off is not None:
            self._cut_off.cancel()
        self._try("end", self._tell_end)
        self._stop_recording()

    def _tell_end(self) -> None:
        if self.close_code is None:
            received = self._socket.protocol.close_rcvd
            self.close_code = self._socket.close_code or CloseCode.ABNORMAL_CLOSURE
            self.close_reason = self._socket.close_reason or ""
            direction: Direction = (
                "in" if received is not None or self.close_code == CloseCode.ABNORMAL_CLOSURE else "out"
            )
            self._record(direction, "close", b"", self.close_code, self.close_reason)
        for event in self.machine.connection_lost(self.close_code, self.close_reason, self._clock.now_ns()):
            self._observe(event)

    def _stop_recording(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(OSError):  # the end of a gzip file on a disk that is full
                writer.close()
