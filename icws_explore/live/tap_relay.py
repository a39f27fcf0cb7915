"""One connection through the tap: two TCP connections, and the bytes between them.

The bytes of either side are processed in turns. A turn parses some frames from a copy of the bytes, records them in
one write, and then passes the original bytes on. The socket of a side is not read while its bytes wait for a turn, or
while the other side does not read. This has three effects:

- A tap that is killed has recorded every frame that it passed on.
- A flood delays the other connections by one turn at a time.
- A connection holds a bounded number of bytes.

The other side receives masks, fragments, pings, broken frames and every kind of end as it would without a tap. Only
WebSocket connections are passed on (see tap_handshake.py). If the gateway claims an extension that was not offered,
the connection is refused, as RFC 6455, section 4.1, demands.
"""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from icws_explore.capture import Direction, Frame, cut_note
from icws_explore.capture.files import shown
from icws_explore.capture.upgrade import Upgrade
from icws_explore.capture.websocket_stream import (
    HEAD_END,
    HeadError,
    StreamMessage,
    StreamMessages,
    read_answer,
)
from icws_explore.protocol.budgets import HTTP_HEAD as MAX_HEAD
from icws_explore.protocol.budgets import TAP_HEAD_S as HEAD_PATIENCE_S
from icws_explore.protocol.budgets import TAP_HELD as HELD
from icws_explore.protocol.budgets import TAP_SESSION as SESSION_BYTES
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.credentials import shown_target
from icws_explore.protocol.errors import ConnectError

from .address import Address
from .breakpoints import PathControl
from .listen import Visitors
from .tap_handshake import UpgradeRequest, dial, own_answer
from .tap_path import FrameLane, packed
from .tap_recorder import Recorder

UPGRADED: Final = 101  # HTTP: switching protocols
TURN_FRAMES: Final = 64  # frames per turn, which then takes about a millisecond
APART_FRAMES: Final = 16  # frames per turn while somebody may act on them: each is decoded
TURN_BYTES: Final = 512 * 1024  # bytes of payloads; the lines of larger frames are made over several turns
LOST: Final = StreamMessage("close", b"", CloseCode.ABNORMAL_CLOSURE, "")  # the end of a connection without a close
FRAME_BYTES: Final = 100  # bytes of a frame's line without its payload
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # struct linger: on, 0 s


class Stage(Enum):
    """The stages of a connection."""

    ASKING = auto()  # the client's request is incomplete
    DIALLING = auto()  # the gateway is being connected to
    ANSWERING = auto()  # the gateway's answer is incomplete
    OPEN = auto()  # frames pass
    DECLINED = auto()  # the answer is no upgrade: it passes to its end, but nothing from the client passes any more


class Leg(asyncio.Protocol):
    """One of the two TCP connections. ``direction`` is that of the bytes that it receives."""

    def __init__(self, relay: Relay, direction: Direction) -> None:
        self.relay = relay
        self.direction = direction
        self.messages = StreamMessages(masked=direction == "out")
        self.inbox = bytearray()  # received, and not passed on yet
        self.turn: asyncio.Handle | None = None  # the next turn, if one is scheduled
        self.work: Iterator[None] | None = None  # recording of large frames, which takes several turns
        self.late = bytearray()  # received meanwhile
        self.lane: FrameLane | None = None  # the way of its frames while somebody may act on them
        self.has_ended = False  # nothing more will be received
        self.is_told = False  # the end was passed on
        self.is_lost = False  # the connection is gone
        self.error: Exception | None = None  # the reason, if it was reset
        self.is_over = False  # the loss was passed on
        self.is_full = False  # too many written bytes wait to be sent
        self._transport: asyncio.Transport | None = None
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.relay.made(self)

    def data_received(self, data: bytes) -> None:
        self.relay.received(self, data)

    def eof_received(self) -> bool:
        self.relay.ended(self)
        return self.can_half_close

    def connection_lost(self, exc: Exception | None) -> None:
        transport, self._transport = self._transport, None
        self.is_full = False
        if transport is not None:
            self.relay.lost(self, exc)

    def pause_writing(self) -> None:
        self.is_full = True
        self.relay.settle(self.relay.other(self))

    def resume_writing(self) -> None:
        self.is_full = False
        self.relay.settle(self.relay.other(self))

    # -- for the relay ---------------------------------------------------------------------------

    @property
    def is_there(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def can_half_close(self) -> bool:
        return self._transport is not None and self._transport.can_write_eof()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def read_on(self, wanted: bool) -> None:
        """Read the socket, or pause reading."""
        if self._transport is None or self._transport.is_closing() or self._is_paused is not wanted:
            return
        self._is_paused = not wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def finish(self) -> None:
        """Send the end of the stream, after everything that was written."""
        if self._transport is None or self._transport.is_closing():
            return
        if self.can_half_close:
            self._transport.write_eof()
        else:
            self._transport.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """End the TCP connection with a reset, as a crash does."""
        if self._transport is None:
            return
        raw = self._transport.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()


class Relay:
    """Joins a client's connection with one to the gateway. ``on_gone`` is called when both are closed."""

    def __init__(
        self,
        session: str,
        gateway: Address,
        recorder: Recorder,
        visitors: Visitors,
        *,
        control: PathControl | None = None,
        ssl: tls.SSLContext | None,
        on_gone: Callable[[Relay], None],
    ) -> None:
        self.session = session
        self.client = Leg(self, "out")
        self.gateway = Leg(self, "in")
        self.stage = Stage.ASKING
        self._address = gateway
        self._recorder = recorder
        self._visitors = visitors
        self._control = control
        self._ssl = ssl
        self._on_gone = on_gone
        self._loop = asyncio.get_running_loop()
        self._patience = self._loop.call_later(HEAD_PATIENCE_S, self._is_late)
        self._dialling: asyncio.Task[None] | None = None
        self._legs_left = 1
        self._target = ""
        self._left = SESSION_BYTES
        self._is_over_budget = False
        self._explained = False  # the end of the session is recorded, or needs no record
        self._told: set[Direction] = set()
        self._upgraded: tuple[float, str] | None = None  # time and target, until the gateway has sent a frame

    def other(self, leg: Leg) -> Leg:
        return self.gateway if leg is self.client else self.client

    # -- events of the two connections -----------------------------------------------------------

    def made(self, leg: Leg) -> None:
        if leg is self.gateway:
            self._legs_left += 1

    def received(self, leg: Leg, data: bytes) -> None:
        self._guard(self._receive, leg, data)

    def ended(self, leg: Leg) -> None:
        leg.has_ended = True
        self._guard(self.settle, leg)

    def lost(self, leg: Leg, error: Exception | None) -> None:
        leg.has_ended = leg.is_lost = True
        leg.error = error
        if leg is self.client and self._dialling is not None:
            self._dialling.cancel()
        self._guard(self.settle, leg)
        self._guard(self.settle, self.other(leg))  # it need not wait for this side to read any more

    def _guard(self, work: Callable[..., None], *args: object) -> None:
        """Call ``work``. An error of ours ends the session and is noted; otherwise the session would just stall."""
        try:
            work(*args)
        except Exception as error:  # noqa: BLE001
            self._fail(error)

    def _receive(self, leg: Leg, data: bytes) -> None:
        if self.stage is Stage.OPEN:
            if leg.work is None:
                self._take(leg, data)
            else:
                leg.late += data  # it was on its way when reading was paused
        elif self.stage is not Stage.DECLINED:
            leg.inbox += data
            if self.stage is Stage.ASKING:
                self._read_request()
            elif leg is self.gateway:
                self._read_answer()
        elif leg is self.gateway:
            self.client.write(data)
        self.settle(leg)

    def settle(self, leg: Leg) -> None:
        """Decide what to do next for ``leg``: read on or pause, schedule a turn, pass its end on."""
        other = self.other(leg)
        if self.stage is Stage.OPEN:
            is_behind = bool(leg.messages.unread or leg.late) or leg.work is not None
            is_full = other.is_full or (leg.lane is not None and leg.lane.is_full)
            leg.read_on(not is_behind and not is_full)
            if is_behind:
                if leg.turn is None and not is_full:
                    leg.turn = self._loop.call_soon(self._turn, leg)
                return  # the end is passed on after that
        elif leg is self.client:
            leg.read_on(len(leg.inbox) <= HELD)
        else:
            leg.read_on(not other.is_full)
        if other.is_lost and leg.lane is not None:
            leg.lane.end("its receiver has gone")
        if leg.is_lost and not leg.is_over and (leg.error is not None or not self._comes_behind(leg)):
            self._pass_loss(leg)
        elif leg.has_ended and not leg.is_told and not self._comes_behind(leg):
            self._pass_end(leg)

    def _comes_behind(self, leg: Leg) -> bool:
        """Whether something must be sent to the other side before the end of this side's stream."""
        if leg.lane is not None and not leg.lane.is_empty:
            return True
        return leg is self.client and (
            self.stage is Stage.DIALLING or (self.stage is Stage.ANSWERING and bool(leg.inbox))
        )

    def _pass_end(self, leg: Leg) -> None:
        leg.is_told = True
        self._explain(leg)
        other = self.other(leg)
        if not other.is_there:
            leg.close()
        elif other.has_ended:
            leg.close()
            other.close()
        else:
            other.finish()

    def _pass_loss(self, leg: Leg) -> None:
        leg.is_over = True
        self._legs_left -= 1
        if leg.lane is not None:
            leg.lane.end("the connection was reset")
        try:
            self._explain(leg)
        finally:
            other = self.other(leg)
            if leg.error is not None:
                other.reset()
            else:
                other.close()
            if self._legs_left == 0:
                self._patience.cancel()
                self._on_gone(self)

    def cut(self) -> None:
        """Reset both connections, because the tap ends."""
        if (
            self.stage is Stage.OPEN
            and not self._explained
            and not self.client.has_ended
            and not self.gateway.has_ended
        ):
            self._recorder.note(cut_note(self.session))
            if self._upgraded is not None:  # else nothing would show that there was a session, and how long it waited
                self._recorder.record(*self._silence(), self._frame("in", LOST))
        self._explained = True
        self._patience.cancel()
        if self._dialling is not None:
            self._dialling.cancel()
        self._reset()

    def _fail(self, error: BaseException) -> None:
        """End the session after an error of the tap itself, and note it."""
        self._recorder.note(f"session {self.session} was ended by a fault of the tap: {type(error).__name__}: {error}")
        self._explained = True
        self._reset()

    def _reset(self) -> None:
        for leg in (self.client, self.gateway):
            leg.inbox.clear()
            leg.late.clear()
            leg.messages = StreamMessages(masked=leg.direction == "out")  # what it has not read is not recorded
            leg.work = None
            if leg.lane is not None:
                leg.lane.end("the tap ended the session")
            leg.reset()

    @property
    def is_open(self) -> bool:
        """Whether frames pass, and neither side has ended."""
        return self.stage is Stage.OPEN and not (self._explained or self.client.has_ended or self.gateway.has_ended)

    def drop(self, code: int | None, by: str) -> None:
        """End the session as its gateway would: None with a close frame without a code, 1006 without a close frame."""
        if self.stage is not Stage.OPEN or self._explained:
            return
        self._recorder.note(f"session {self.session} was ended by {by}")
        frame = self._frame("in", StreamMessage("close", b"", CloseCode.NO_STATUS_RCVD if code is None else code, ""))
        self._recorder.record(*self._silence(), frame)
        self._explained = True
        for leg in (self.client, self.gateway):
            if leg.lane is not None:
                leg.lane.end("its session has ended")
        if code != CloseCode.ABNORMAL_CLOSURE:
            self.client.write(packed(frame, masked=False))
        self.client.close()
        self.gateway.close()

    def send(self, data: bytes, by: str) -> None:
        """Send a binary frame to the client as if its gateway had sent it. ``by`` is noted in the recording."""
        if self.stage is Stage.OPEN and not self._explained:
            frame = replace(self._frame("in", StreamMessage("binary", data)), did=f"made by {by}")
            self._recorder.record(frame)
            self.client.write(packed(frame, masked=False))

    async def gone(self) -> None:
        """Wait for the task that connects to the gateway, if there is one."""
        if self._dialling is not None:
            await asyncio.gather(self._dialling, return_exceptions=True)

    # -- the opening handshake -------------------------------------------------------------------

    def _read_request(self) -> None:
        inbox = self.client.inbox
        end = inbox.find(HEAD_END, 0, MAX_HEAD)
        if end < 0 and len(inbox) < MAX_HEAD:
            return
        head = bytes(inbox[: end + len(HEAD_END)]) if end >= 0 else b""
        del inbox[: len(head)]
        try:
            if not head:
                raise HeadError("the head of the request is too long")
            request = UpgradeRequest.read(head)
        except HeadError as error:
            self._refuse("400 Bad Request", f"{error}: point a WebSocket client at this address")
            return
        refused = self._visitors.refusal(*(request.values(name) for name in ("host", "origin", "sec-fetch-site")))
        if refused is not None:
            self._refuse("403 Forbidden", refused)
        elif not request.is_upgrade:
            self._refuse(
                "426 Upgrade Required",
                "only WebSocket connections are relayed: point a WebSocket client at this address",
            )
        else:
            self.stage = Stage.DIALLING
            self._target = f"GET {shown_target(self._address.target(request.target))}"
            self._dialling = self._loop.create_task(self._dial(request.forwarded(self._address)), name="icws-tap-dial")
            self._dialling.add_done_callback(self._dialled)

    async def _dial(self, head: bytes) -> None:
        try:
            await dial(self._address, lambda: self.gateway, self._ssl)
        except ConnectError as error:
            self._recorder.note(f"session {self.session}: {error}")
            self._never_opened(error=str(error).removeprefix(f"no connection to {self._address}").lstrip(": "))
            self._turn_away("502 Bad Gateway", str(error))
            return
        self.stage = Stage.ANSWERING
        self.gateway.write(head)
        if not self.client.is_there:  # it has disconnected in the meantime
            self.gateway.close()
        self.settle(self.client)

    def _dialled(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _read_answer(self) -> None:
        inbox, t = self.gateway.inbox, self._recorder.clock.now_s()
        end = inbox.find(HEAD_END, 0, MAX_HEAD)
        if end < 0 and len(inbox) < MAX_HEAD:
            return
        try:
            answer = read_answer(bytes(inbox[: max(end, 0)]))
        except HeadError as error:
            self._recorder.note(f"session {self.session}: {self._address} gave {error}")
            self._never_opened(error=str(error))
            self._decline(bytes(inbox))
            return
        if not answer.is_upgrade:
            self._recorder.note(f"session {self.session}: {self._address} answered HTTP {answer.status}")
            self._never_opened(status=answer.status)
            self._decline(bytes(inbox))
            return
        if answer.extensions.strip(" \t,"):
            claimed = shown(self._address.hide(answer.extensions))
            text = f"{self._address} claims the WebSocket extension {claimed!r}, which nobody offered"
            self._recorder.note(f"session {self.session}: {text}: refused")
            self._turn_away("502 Bad Gateway", text)
            self.gateway.close()
            return
        self.stage = Stage.OPEN
        self._upgraded = t, self._target
        end += len(HEAD_END)
        head, rest, early = bytes(inbox[:end]), bytes(inbox[end:]), bytes(self.client.inbox)
        inbox.clear()
        self.client.inbox.clear()
        self.client.write(head)
        for leg, data in ((self.gateway, rest), (self.client, early)):
            if data:
                self._take(leg, data)
        self.settle(self.client)

    def _never_opened(self, *, status: int = 0, error: str = "") -> None:
        """Record what came in place of a WebSocket. ``status`` is an HTTP status, 0 if there was no answer."""
        upgrade = Upgrade(self._address.shown, status, error)
        self._recorder.record(upgrade.frame(self._recorder.clock.now_s(), self.session))

    def _is_late(self) -> None:
        if self.stage is Stage.ASKING:
            if self.client.inbox:  # browsers open spare connections and send nothing
                self._refuse("408 Request Timeout", f"the request was not complete after {HEAD_PATIENCE_S:g} s")
            self.client.close()

    def _refuse(self, status: str, text: str) -> None:
        """Refuse a request. Strangers can cause this any number of times, so it is noted once a minute."""
        self._recorder.fault(text, f"session {self.session} was refused: {text}")
        self._turn_away(status, text)

    def _turn_away(self, status: str, text: str) -> None:
        """Send an answer of the tap itself and close the client's connection."""
        self._decline(own_answer(status, text))
        self.client.close()

    def _decline(self, answer: bytes) -> None:
        self.stage = Stage.DECLINED
        self._explained = True
        self.client.inbox.clear()
        self.gateway.inbox.clear()
        self.client.write(answer)

    # -- frames ----------------------------------------------------------------------------------

    def _turn(self, leg: Leg) -> None:
        leg.turn = None
        if leg.work is None:
            data = bytes(leg.late)
            leg.late.clear()
            self._guard(self._take, leg, data)
        else:
            self._guard(self._go_on, leg)
        self._guard(self.settle, leg)

    def _go_on(self, leg: Leg) -> None:
        if leg.work is not None and next(leg.work, True):  # the steps are None; True means that it has ended
            leg.work = None

    def _take(self, leg: Leg, data: bytes) -> None:
        """Parse some frames from the waiting bytes and ``data``, record them, and pass their bytes on."""
        if self._goes_apart(leg):
            self._take_apart(leg, data)
            return
        is_changing = self._control is not None and self._control.is_active
        messages = leg.messages.feed(data, 1 if is_changing else TURN_FRAMES)  # 1: to change over behind this frame
        frames = self._frames(leg, messages)
        left = leg.messages.unread
        if leg.inbox or left:
            leg.inbox += data
            passed = len(leg.inbox) - left
            data = bytes(leg.inbox[:passed])
            del leg.inbox[:passed]
        if sum(len(message.data) for message in messages) > TURN_BYTES:
            leg.work = self._pass_on_in_turns(leg, frames, data)
            return
        if frames:
            self._recorder.record(*frames)
        self._tell(leg)
        self.other(leg).write(data)

    def _goes_apart(self, leg: Leg) -> bool:
        """Whether the frames of this side take a lane. It changes over where no message is incomplete."""
        if self._control is None or not leg.messages.is_between:
            return leg.lane is not None
        if self._control.is_active and leg.lane is None:
            other = self.other(leg)
            leg.inbox.clear()  # these bytes are unread in ``messages``, too
            leg.lane = FrameLane(
                self._control, leg.direction, self._recorder, write=other.write, moved=lambda: self._moved(leg)
            )
        elif not self._control.is_active and leg.lane is not None and leg.lane.is_empty and not leg.messages.unread:
            leg.lane.end("")
            leg.lane = None
        return leg.lane is not None

    def _moved(self, leg: Leg) -> None:
        """Something has left the lane of ``leg``: more may be read, or its end may be passed on."""
        if leg is self.gateway and leg.lane is not None and leg.lane.has_recorded:
            self._upgraded = None
        self._loop.call_soon(self._guard, self.settle, leg)

    def _take_apart(self, leg: Leg, data: bytes) -> None:
        assert leg.lane is not None
        for message in leg.messages.feed(data, APART_FRAMES):
            if leg is self.client and message.op == "close":
                self._recorder.record(*self._silence())
            leg.lane.take(self._frame(leg.direction, message), is_recorded=self._fits(message))
        self._tell(leg)
        if leg.messages.fault is not None:
            self._recorder.note(f"session {self.session} was ended: such bytes cannot pass while frames may be held")
            self._explain(leg)
            self._reset()

    def _pass_on_in_turns(self, leg: Leg, frames: Sequence[Frame], data: bytes) -> Iterator[None]:
        """Record large frames. Their lines take long to make, and each must be written in one piece."""
        parts: list[bytes] = []
        for frame in frames:
            for part in frame.line_parts(TURN_BYTES):
                parts.append(part)
                yield
        self._recorder.record(*frames, parts=parts)
        self._tell(leg)
        self.other(leg).write(data)

    def _frames(self, leg: Leg, messages: Sequence[StreamMessage]) -> list[Frame]:
        """Return the frames to record for these messages."""
        frames: list[Frame] = []
        for message in messages:
            if leg is self.gateway:
                self._upgraded = None
            elif message.op == "close":
                frames += self._silence()
            if self._fits(message):
                frames.append(self._frame(leg.direction, message))
        return frames

    def _fits(self, message: StreamMessage) -> bool:
        """Whether the session's budget has room to record this message."""
        self._left -= FRAME_BYTES + len(message.data) * 4 // 3
        return self._left >= 0 or message.op == "close"

    def _tell(self, leg: Leg) -> None:
        """Note that this session, or one direction of it, is not recorded any more."""
        if self._left < 0 and not self._is_over_budget:
            self._is_over_budget = True
            self._recorder.note(
                f"session {self.session} has sent more than {SESSION_BYTES} bytes: from here on it is not recorded"
            )
        if leg.messages.fault is not None and leg.direction not in self._told:
            self._told.add(leg.direction)
            who = "the client" if leg is self.client else "the gateway"
            self._recorder.note(
                f"session {self.session}: {who} sent {leg.messages.fault}; from there on it is relayed, not recorded"
            )

    def _frame(self, direction: Direction, message: StreamMessage) -> Frame:
        t = self._recorder.clock.now_s()
        return Frame(t, direction, message.op, message.data, message.code, message.reason, self.session)

    def _explain(self, leg: Leg) -> None:
        """Record how the session ended. The side that ends first decides: after a close frame, or without (1006)."""
        if leg is self.gateway and self.stage is Stage.ANSWERING:
            self._recorder.note(f"session {self.session}: {self._address} ended the connection without an answer")
            self._never_opened(error="empty response")
            self._decline(bytes(leg.inbox))
        if self._explained or self.stage is not Stage.OPEN:
            return
        self._explained = True
        if not self.gateway.messages.closed and not (leg is self.client and self.client.messages.closed):
            self._recorder.record(
                *self._silence(),
                self._frame(leg.direction, LOST),
            )

    def _silence(self) -> list[Frame]:
        """Return the answer to the upgrade as a frame if the gateway has sent no frame: it shows since when."""
        if self._upgraded is None:
            return []
        (t, target), self._upgraded = self._upgraded, None
        return [Frame(t, "in", "response", b"", UPGRADED, target, self.session)]
