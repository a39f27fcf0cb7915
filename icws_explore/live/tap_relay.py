"""One connection through the tap: two TCP connections whose bytes go across as they come.

Nothing is parsed on the way that could change it: frames are read from a copy. So masks, fragments,
pings, broken frames and every kind of end reach the other side as they would without a tap. A side
that does not read stops the other: its transport is full, the other's is not read any more.
"""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
import struct
from collections.abc import Callable
from typing import Final

from icws_explore.capture import Direction
from icws_explore.capture.websocket_stream import (
    HEAD_END,
    MAX_HEAD,
    HeadError,
    StreamMessages,
    read_answer,
    stream_extensions,
)
from icws_explore.protocol.errors import CaptureError, ConnectError

from .tap_dial import dial
from .tap_http import Upstream, refusal, rewrite_request
from .tap_recorder import Recorder

LOST: Final = 1006
UPGRADED: Final = 101  # HTTP: switching protocols
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # struct linger: on, 0 s


class Leg(asyncio.Protocol):
    """One of the two TCP connections. ``direction`` is that of the bytes it brings."""

    def __init__(self, relay: Relay, direction: Direction) -> None:
        self.relay = relay
        self.direction = direction
        self.messages: StreamMessages | None = None  # once the upgrade is through
        self.transport: asyncio.Transport | None = None
        self.ended = False  # the other end says, or has shown, that nothing more comes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.relay.made(self)

    def data_received(self, data: bytes) -> None:
        self.relay.received(self, data)

    def eof_received(self) -> bool:
        self.relay.half_closed(self)
        return self.can_half_close

    def connection_lost(self, exc: Exception | None) -> None:
        self.relay.lost(self, exc)

    def pause_writing(self) -> None:
        self.relay.other(self).pause()

    def resume_writing(self) -> None:
        self.relay.other(self).resume()

    # -- what the relay does with it -------------------------------------------------------------

    @property
    def can_half_close(self) -> bool:
        return self.transport is not None and self.transport.can_write_eof()

    @property
    def is_writable(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def pause(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def finish(self) -> None:
        """Nothing more will be written: the other end learns it once what is under way has gone out."""
        if self.transport is None or self.transport.is_closing():
            return
        if self.can_half_close:
            self.transport.write_eof()
        else:
            self.transport.close()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        """End the TCP connection as a crash does."""
        if self.transport is None:
            return
        raw = self.transport.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.transport.abort()


class Relay:
    """Joins a client's connection with one to the gateway. ``on_gone`` is called when both are over."""

    def __init__(
        self,
        session: str,
        upstream: Upstream,
        recorder: Recorder,
        *,
        ssl: tls.SSLContext | None,
        on_gone: Callable[[Relay], None],
    ) -> None:
        self.session = session
        self.client = Leg(self, "out")
        self.gateway = Leg(self, "in")
        self._upstream = upstream
        self._recorder = recorder
        self._ssl = ssl
        self._on_gone = on_gone
        self._request = b""  # until its head is complete
        self._target = ""
        self._answer: bytes | None = b""  # likewise; None: read
        self._connecting: asyncio.Task[None] | None = None
        self._legs_left = 1
        self._explained = False  # how the session ended is on record
        self._told: set[Direction] = set()
        self._upgraded: tuple[float, str] | None = None  # when and for what, until the gateway has said something

    def other(self, leg: Leg) -> Leg:
        return self.gateway if leg is self.client else self.client

    # -- what the legs report --------------------------------------------------------------------

    def made(self, leg: Leg) -> None:
        if leg is self.gateway:
            self._legs_left += 1

    def received(self, leg: Leg, data: bytes) -> None:
        if leg is self.client and self._connecting is None:
            self._read_request(data)
            return
        t = self._recorder.clock.now_s()  # before it goes on: what answers it cannot be earlier
        self.other(leg).write(data)  # first: nobody waits for the recording
        if leg is self.gateway and self._answer is not None:
            self._read_answer(data, t)
        else:
            self._look(leg, data, t)

    def half_closed(self, leg: Leg) -> None:
        leg.ended = True
        self._explain(leg)
        other = self.other(leg)
        if other.transport is None:  # the client left before the gateway was reached
            leg.close()
        elif other.ended:
            leg.close()
            other.close()
        else:
            other.finish()

    def lost(self, leg: Leg, error: Exception | None) -> None:
        if not leg.ended:
            leg.ended = True
            self._explain(leg)
        self._legs_left -= 1
        if leg is self.client and self._connecting is not None and not self._connecting.done():
            self._connecting.cancel()
        other = self.other(leg)
        if error is not None:
            other.reset()
        else:
            other.close()
        if self._legs_left == 0:
            self._on_gone(self)

    def cut(self) -> None:
        """The tap ends: both sides lose their connection."""
        self._explained = True
        if self.client.messages is not None and not self.client.ended and not self.gateway.ended:
            self._recorder.note(f"session {self.session} was still open when the tap ended, and was cut")
            if self._upgraded is not None:  # else nothing would show that there was a session, and how long it waited
                self._tell_silence()
                self._recorder.record(self.session, "in", "close", b"", LOST, "")
        self.client.reset()
        self.gateway.reset()

    async def gone(self) -> None:
        """Wait for what still runs."""
        if self._connecting is not None:
            await asyncio.gather(self._connecting, return_exceptions=True)

    # -- the opening handshake -------------------------------------------------------------------

    def _read_request(self, data: bytes) -> None:
        self._request += data
        end = self._request.find(HEAD_END)
        if end < 0 and len(self._request) <= MAX_HEAD:
            return
        try:
            if end < 0:
                raise HeadError("its head is too long")
            head = rewrite_request(self._request[: end + len(HEAD_END)], self._upstream)
        except HeadError as error:
            self._refuse("400 Bad Request", f"{error}: point a WebSocket client at this address")
            return
        self.client.pause()
        self._target = head.split(b" HTTP/", 1)[0].split(b"?", 1)[0].decode("latin-1")  # a query may hold a token
        rest, self._request = self._request[end + len(HEAD_END) :], b""
        self._connecting = asyncio.get_running_loop().create_task(self._connect(head, rest), name="icws-tap-connect")

    async def _connect(self, head: bytes, rest: bytes) -> None:
        try:
            await dial(self._upstream, lambda: self.gateway, self._ssl)
        except ConnectError as error:
            self._refuse("502 Bad Gateway", str(error))
            return
        self.gateway.write(head + rest)
        if not self.client.is_writable:  # it left in the meantime
            self.gateway.close()
        self.client.resume()

    def _refuse(self, status: str, text: str) -> None:
        self._explained = True
        self._recorder.note(f"session {self.session}: {text}")
        self.client.write(refusal(status, text))
        self.client.close()

    def _read_answer(self, data: bytes, t: float) -> None:
        """From a copy: what came at ``t`` goes on to the client whatever it is."""
        assert self._answer is not None
        self._answer += data
        end = self._answer.find(HEAD_END)
        if end < 0 and len(self._answer) <= MAX_HEAD:
            return
        head, rest = self._answer[:end] if end >= 0 else b"", self._answer[end + len(HEAD_END) :]
        self._answer = None
        try:
            answer = read_answer(head)
        except HeadError as error:
            self._recorder.note(f"session {self.session}: {self._upstream.url} gave {error}")
            return
        if not answer.is_upgrade:
            self._recorder.note(f"session {self.session}: {self._upstream.url} answered HTTP {answer.status}")
            return
        try:
            for leg in (self.client, self.gateway):
                masked = leg is self.client
                extensions = stream_extensions(answer.extensions, masked=masked)
                leg.messages = StreamMessages(masked=masked, extensions=extensions)
        except CaptureError as error:
            self._recorder.note(f"session {self.session} is relayed, but not recorded: {error}")
            return
        self._upgraded = t, self._target
        if rest:
            self._look(self.gateway, rest, t)

    # -- what is seen ----------------------------------------------------------------------------

    def _look(self, leg: Leg, data: bytes, t: float) -> None:
        """Record what ``data``, received at ``t`` (seconds since the epoch), completes."""
        if leg.messages is None:
            return
        for message in leg.messages.feed(data):
            if leg is self.gateway:
                self._upgraded = None
            elif message.op == "close":
                self._tell_silence()
            what = message.op, message.data, message.code, message.reason
            self._recorder.record(self.session, leg.direction, *what, t=t)
        if leg.messages.fault is not None and leg.direction not in self._told:
            self._told.add(leg.direction)
            who = "the client" if leg is self.client else "the gateway"
            self._recorder.note(
                f"session {self.session}: {who} sent {leg.messages.fault}; from there on it is relayed, not recorded"
            )

    def _explain(self, leg: Leg) -> None:
        """The side that ends first says how the session ended: after a close frame, or without one (1006)."""
        if self._explained:
            return
        self._explained = True
        if self.client.messages is None or self.gateway.messages is None:
            return
        if not self.gateway.messages.closed and not (leg is self.client and self.client.messages.closed):
            self._tell_silence()
            self._recorder.record(self.session, leg.direction, "close", b"", LOST, "")

    def _tell_silence(self) -> None:
        """A gateway that never said anything shows in no frame but the upgrade's answer: since when, at least."""
        if self._upgraded is not None:
            t, target = self._upgraded
            self._upgraded = None
            self._recorder.record(self.session, "in", "response", b"", UPGRADED, target, t=t)
