"""The I/O around the client's state machine: one WebSocket, three tasks, one capture.

Everything here runs on one event loop. The reader feeds frames to the machine, the timer tells it
when a deadline has come, the writer sends what it asks for, in order. What to do is the machine's.
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
from icws_explore.protocol.client.events import CloseConnection, Event, SendFrame
from icws_explore.protocol.client.machine import ClientMachine
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import CaptureError

from .clock import Clock
from .loop import wait_at_most

NO_CODE: Final = 1005
LOST: Final = 1006
CLOSE_PATIENCE_S: Final = 5.0  # real seconds that a peer gets to answer a close

Observer = Callable[[Event | Frame], None]


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
        self._socket = socket
        self._clock = clock
        self._writer = writer
        self._observe = observe
        self._outbox: deque[SendFrame | CloseConnection] = deque()
        self._to_send = asyncio.Event()
        self._deadline_moved = asyncio.Event()

    async def run(self) -> None:
        """Read until the socket ends; then stop the timer and the writer and close the file."""
        timer = asyncio.create_task(self._fire_deadlines(), name="icws-deadlines")
        sender = asyncio.create_task(self._send_outbox(), name="icws-sender")
        try:
            self._act(self.machine.connected(self._clock.now_ns()))
            await self._read()
        finally:
            for task in (timer, sender):
                task.cancel()
            await asyncio.gather(timer, sender, return_exceptions=True)
            if not self._socket.close_code:
                await self._socket.close()
            self._end()

    async def abandon(self) -> None:
        """Close socket and file of a session that never began to run."""
        await self._socket.close()
        self._end()

    def send(self, content: bytes) -> None:
        """Hand an application message (Candid) to the machine. Raises StateError before open."""
        self._act(self.machine.send(content, self._clock.now_ns()))

    def close(self) -> None:
        """Close as a user does: code 1000."""
        self._act(self.machine.close(self._clock.now_ns()))

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = await self._socket.recv()
                text = isinstance(message, str)
                data = message.encode() if isinstance(message, str) else bytes(message)
                self._record("in", "text" if text else "binary", data)
                self._act(self.machine.receive(data, self._clock.now_ns()))

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

    def _act(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, (SendFrame, CloseConnection)):
                self._outbox.append(event)
                self._to_send.set()
            self._observe(event)
        self._deadline_moved.set()

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
        if self.close_code is None:
            received = self._socket.protocol.close_rcvd
            self.close_code = self._socket.close_code or LOST
            self.close_reason = self._socket.close_reason or ""
            direction: Direction = "in" if received is not None or self.close_code == LOST else "out"
            self._record(direction, "close", b"", self.close_code, self.close_reason)
        for event in self.machine.connection_lost(self.close_code, self.close_reason, self._clock.now_ns()):
            self._observe(event)
        self._stop_recording()

    def _stop_recording(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(OSError):  # the end of a gzip file on a disk that is full
                writer.close()
