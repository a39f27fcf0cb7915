"""A WebSocket connection that behaves and ends as those of ic-websocket-gateway 1.4.6 do.

The websockets library answers a close frame with a close frame and a ping with a pong, and it does not report pings.
The real gateway sees every ping, and ends the session. When a client closes, it drops the TCP connection before an
answer is sent, so the client sees 1006.

Memory is bounded. The task of a session in the real gateway waits while its client does not read, and reads nothing
from the client meanwhile. So this connection stops reading from a client while more than `MAX_UNSENT` bytes wait to be
sent to it, or more than `MAX_UNRELAYED` bytes from it wait to be relayed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from icws_explore.live.network.turns import InTurns
from icws_explore.protocol.budgets import LAB_UNRELAYED as MAX_UNRELAYED
from icws_explore.protocol.budgets import MESSAGE_PARTS as MAX_PARTS
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.gateway.events import FrameKind
from icws_explore.protocol.principal import Principal

_KINDS: Final[dict[Opcode, FrameKind]] = {
    Opcode.TEXT: "text",
    Opcode.BINARY: "binary",
    Opcode.PING: "ping",
    Opcode.PONG: "pong",
    Opcode.CLOSE: "close",
}
_PONG: Final = b"\x8a"  # the first byte of an unmasked pong frame


class GatewayConnection(InTurns, ServerConnection):
    """Calls ``on_frame(kind, data)`` with every message and control frame, in order. `write` and `drop` do not wait."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_frame: Callable[[FrameKind, bytes], None] | None = None
        self.canister_id: Principal | None = None  # the canister of its session, once a call was relayed
        self._early: list[tuple[FrameKind, bytes]] = []
        self._parts: list[bytes] = []
        self._kind: FrameKind = "binary"
        self._unrelayed = 0  # bytes
        self._is_held = False
        self._answer = b""  # to the client's close frame

    @property
    def is_full(self) -> bool:
        """Whether the client does not read: `MAX_UNSENT` bytes wait to be sent on the open connection."""
        return self.paused and not self.transport.is_closing()

    def add_unrelayed(self, size: int) -> None:
        """Count ``size`` bytes from the client that wait to be relayed; negative: they have been relayed."""
        self._unrelayed += size
        self.settle()

    def hold_reading(self, is_held: bool) -> None:
        """Do not read from the client while a breakpoint holds too much from it."""
        if is_held is not self._is_held:
            self._is_held = is_held
            self.settle()

    def is_wanted(self) -> bool:
        """Whether to read on from the client."""
        is_answered = self.request is None or self.response is not None
        return super().is_wanted() and is_answered and not self._is_held and self._unrelayed <= MAX_UNRELAYED

    def listen(self, on_frame: Callable[[FrameKind, bytes], None]) -> None:
        """Call ``on_frame`` from now on, first for the frames that have arrived already."""
        self.on_frame = on_frame
        early, self._early = self._early, []
        for kind, data in early:
            on_frame(kind, data)

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super().handshake(*args, **kwargs)
        finally:
            self.settle()

    def process_event(self, event: Event) -> None:
        if not isinstance(event, Frame):
            if self.protocol.eof_sent:  # garbage came with the request: the library has failed and cannot answer
                self.transport.abort()
                return
            super().process_event(event)
            self.settle()  # what follows the request waits for the answer
            return
        data = bytes(event.data)
        if event.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
            self._report(_KINDS[event.opcode], data)
            return
        if event.opcode is not Opcode.CONT:
            self._kind = _KINDS[event.opcode]
        self._parts.append(data)
        if len(self._parts) > MAX_PARTS:  # the library bounds the bytes of a message, not its empty fragments
            self._parts.clear()
            self.transport.abort()
        if event.fin:
            parts, self._parts = self._parts, []
            self._report(self._kind, b"".join(parts))

    def send_data(self) -> None:
        if self.protocol.close_rcvd is not None and self.protocol.close_rcvd_then_sent:
            self._answer += b"".join(self.protocol.data_to_send())  # `drop` sends it if the gateway answers at all
            return
        self.protocol.writes = [data for data in self.protocol.writes if data[:1] != _PONG]
        super().send_data()

    def write(self, data: bytes) -> None:
        """Send a binary message if the connection is open."""
        if self.protocol.state is State.OPEN:
            self.protocol.send_binary(data)
            self.send_data()

    def drop(self, code: int | None) -> None:
        """End the connection. ``code`` None: with a close frame without a code; 1006: without a close frame.

        After a close frame of the client, every code but 1006 sends the answer, which repeats the client's code.
        """
        if code != CloseCode.ABNORMAL_CLOSURE:
            if self.protocol.state is State.OPEN:
                self.protocol.send_close(code)
                self.send_data()
            self.transport.write(self._answer)
        self.transport.close()

    def _report(self, kind: FrameKind, data: bytes) -> None:
        if self.on_frame is None:
            self._early.append((kind, data))
        else:
            self.on_frame(kind, data)
