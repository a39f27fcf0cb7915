"""A WebSocket connection that processes what it receives in turns.

The websockets library parses all bytes of one read before anything else of the event loop runs. 256 KiB of empty pings
or fragments are 130,000 frames, which takes a second or more. Timers and other connections wait meanwhile.

`InTurns` feeds the parser in pieces. After about a millisecond it stops reading, lets the loop run, and goes on. Nor
does it read while the other side does not read its pongs: otherwise they would pile up without a bound.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import Connection

TURN_S: Final = 0.001  # real seconds
PIECE: Final = 1024  # bytes of the first piece of a turn: at most 512 frames
MAX_PIECE: Final = 8192  # bytes; pieces grow as long as they are quick, because large messages need few calls


class InTurns(Connection):
    """Processes received bytes in turns. Pause reading by `is_wanted` and `settle` only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._rest = b""  # received, and not parsed yet
        self._turn: asyncio.Handle | None = None
        self._is_queue_full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.recv_messages.pause = lambda: self._set_queue_full(True)
        self.recv_messages.resume = lambda: self._set_queue_full(False)

    def is_wanted(self) -> bool:
        """Whether to read on from the other side."""
        return not self._is_queue_full and not self.paused

    def settle(self) -> None:
        """Read on or pause reading, as `is_wanted` says."""
        if self.transport.is_closing():
            return
        if not self.is_wanted():
            self.transport.pause_reading()
        elif self._rest:
            self.transport.pause_reading()
            if self._turn is None:
                self._turn = self.loop.call_soon(self._go_on)
        else:
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self._rest:  # it was on its way when reading was paused
            self._rest += data
            return
        at, size, began_s = 0, PIECE, self.loop.time()
        while at < len(data):
            super().data_received(data[at : at + size])
            at += size
            if at < len(data) and (not self.is_wanted() or self.loop.time() - began_s > TURN_S):
                self._rest = data[at:]
                self.settle()
                return
            size = min(2 * size, MAX_PIECE)

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest = b""
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.settle()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.settle()

    def _go_on(self) -> None:
        self._turn = None
        if self.is_wanted():
            data, self._rest = self._rest, b""
            self.data_received(data)
        self.settle()

    def _set_queue_full(self, is_full: bool) -> None:
        self._is_queue_full = is_full
        self.settle()


class ClientInTurns(InTurns, ClientConnection):
    """The client's side of such a connection."""
