"""A WebSocket connection that behaves and ends as those of ic-websocket-gateway 1.4.6 do.

The websockets library answers a close frame with a close frame and a ping with a pong, and it does not report pings.
The real gateway sees every ping, and ends the session. When a client closes, it drops the TCP connection before an
answer is sent, so the client sees 1006.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Event, State

from icws_explore.protocol.gateway.events import NO_CLOSE_FRAME, FrameKind

_KINDS: Final[dict[Opcode, FrameKind]] = {
    Opcode.TEXT: "text",
    Opcode.BINARY: "binary",
    Opcode.PING: "ping",
    Opcode.PONG: "pong",
    Opcode.CLOSE: "close",
}
_PONG: Final = b"\x8a"  # the first byte of an unmasked pong frame


class GatewayConnection(ServerConnection):
    """Calls ``on_frame(kind, data)`` with every message and control frame, in order. `write` and `drop` do not wait."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_frame: Callable[[FrameKind, bytes], None] | None = None
        self._early: list[tuple[FrameKind, bytes]] = []
        self._parts: list[bytes] = []
        self._kind: FrameKind = "binary"

    def listen(self, on_frame: Callable[[FrameKind, bytes], None]) -> None:
        """Call ``on_frame`` from now on, first for the frames that have arrived already."""
        self.on_frame = on_frame
        early, self._early = self._early, []
        for kind, data in early:
            on_frame(kind, data)

    def process_event(self, event: Event) -> None:
        if isinstance(event, Request) or not isinstance(event, Frame):
            super().process_event(event)
            return
        data = bytes(event.data)
        if event.opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
            self._report(_KINDS[event.opcode], data)
            return
        if event.opcode is not Opcode.CONT:
            self._kind = _KINDS[event.opcode]
        self._parts.append(data)
        if event.fin:
            parts, self._parts = self._parts, []
            self._report(self._kind, b"".join(parts))

    def send_data(self) -> None:
        if self.protocol.close_rcvd is not None and self.protocol.close_rcvd_then_sent:
            self.protocol.data_to_send()  # discards the close frame that the real gateway has no time to send
            return
        self.protocol.writes = [data for data in self.protocol.writes if data[:1] != _PONG]
        super().send_data()

    def write(self, data: bytes) -> None:
        """Send a binary message if the connection is open."""
        if self.protocol.state is State.OPEN:
            self.protocol.send_binary(data)
            self.send_data()

    def drop(self, code: int | None) -> None:
        """End the connection. ``code`` None: with a close frame without a code; 1006: without a close frame."""
        if self.protocol.state is State.OPEN and code != NO_CLOSE_FRAME:
            self.protocol.send_close(code)
            self.send_data()
        self.transport.close()

    def _report(self, kind: FrameKind, data: bytes) -> None:
        if self.on_frame is None:
            self._early.append((kind, data))
        else:
            self.on_frame(kind, data)
