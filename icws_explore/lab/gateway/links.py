"""A WebSocket connection that ends as gateway 1.4.6 ends one.

The library answers a close frame with a close frame, a ping with a pong, and keeps pings to itself. The
real gateway sees every ping (and ends the session), and drops the TCP connection, of a client that
closes too, before an answer goes out: so the client sees 1006.

One direction of one connection, where a fault may hold things up: they come out in order, as on TCP.

The lab and the simulator differ only in the timetable: a real or scaled clock, or virtual time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import Event, State

from icws_explore.protocol.constants import NS_PER_MS
from icws_explore.protocol.gateway.events import NO_CLOSE_FRAME, FrameKind

from ..faults import Delivery


class Timetable(Protocol):
    """Where things are planned; those of one instant happen in the order of being planned."""

    @property
    def now_ns(self) -> int:
        """Ns since the epoch."""

    def at(self, at_ns: int, action: Callable[..., Any], *args: Any) -> None:
        """Plan ``action(*args)``. A time that has passed means now."""


class Passage:
    """``ordered`` False: nothing holds up anything, as where each thing is sent by a task of its own."""

    __slots__ = ("_last_ns", "_ordered", "_timetable", "_waiting")

    def __init__(self, timetable: Timetable, *, ordered: bool = True) -> None:
        self._timetable = timetable
        self._ordered = ordered
        self._last_ns = 0  # when the latest of what keeps the order comes out
        self._waiting = 0  # how many of those have not come out yet

    def carry(self, delivery: Delivery, action: Callable[..., object], *args: Any) -> None:
        """``action(*args)`` when ``delivery`` comes out: at once, in this very call, unless something delays it."""
        now_ns = self._timetable.now_ns
        due_ns = now_ns + round(delivery.delay_ms * NS_PER_MS)
        if self._ordered:
            due_ns = max(due_ns, self._last_ns)
        if due_ns <= now_ns and not self._waiting:
            action(*args)
        elif delivery.overtakable or not self._ordered:
            self._timetable.at(due_ns, action, *args)
        else:
            self._last_ns = due_ns
            self._waiting += 1
            self._timetable.at(due_ns, self._come_out, action, args)

    def _come_out(self, action: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._waiting -= 1
        action(*args)


class Hops:
    """The passages of one session: through its connection and through its gateway, either way."""

    __slots__ = ("from_client", "relay_down", "relay_up", "to_client")

    def __init__(self, timetable: Timetable, *, ordered: bool) -> None:
        """``ordered``: calls that the gateway relays keep their order."""
        self.from_client = Passage(timetable)
        self.relay_up = Passage(timetable, ordered=ordered)
        self.relay_down = Passage(timetable)
        self.to_client = Passage(timetable)


_KINDS: Final[dict[Opcode, FrameKind]] = {
    Opcode.TEXT: "text",
    Opcode.BINARY: "binary",
    Opcode.PING: "ping",
    Opcode.PONG: "pong",
    Opcode.CLOSE: "close",
}
_PONG: Final = b"\x8a"  # how an unmasked pong begins


class GatewayConnection(ServerConnection):
    """Tells ``on_frame`` every WebSocket message in order; `write` and `drop` do not wait."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_frame: Callable[[FrameKind, bytes], None] | None = None
        self._early: list[tuple[FrameKind, bytes]] = []
        self._parts: list[bytes] = []
        self._kind: FrameKind = "binary"

    def listen(self, on_frame: Callable[[FrameKind, bytes], None]) -> None:
        """From now on, and for what has come already."""
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
            self._tell(_KINDS[event.opcode], data)
            return
        if event.opcode is not Opcode.CONT:
            self._kind = _KINDS[event.opcode]
        self._parts.append(data)
        if event.fin:
            parts, self._parts = self._parts, []
            self._tell(self._kind, b"".join(parts))

    def send_data(self) -> None:
        if self.protocol.close_rcvd is not None and self.protocol.close_rcvd_then_sent:
            self.protocol.data_to_send()  # the close frame that the real gateway has no time to send
            return
        self.protocol.writes = [data for data in self.protocol.writes if data[:1] != _PONG]
        super().send_data()

    def write(self, data: bytes) -> None:
        """Send a binary message, if the connection is open."""
        if self.protocol.state is State.OPEN:
            self.protocol.send_binary(data)
            self.send_data()

    def drop(self, code: int | None) -> None:
        """End the connection: None with a close frame without a code, 1006 without a close frame."""
        if self.protocol.state is State.OPEN and code != NO_CLOSE_FRAME:
            self.protocol.send_close(code)
            self.send_data()
        self.transport.close()

    def _tell(self, kind: FrameKind, data: bytes) -> None:
        if self.on_frame is None:
            self._early.append((kind, data))
        else:
            self.on_frame(kind, data)
