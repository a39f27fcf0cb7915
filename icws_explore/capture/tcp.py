"""One TCP connection of a packet capture, read as a WebSocket.

`TcpStream` reassembles one direction from its segments (RFC 9293, section 3.4). `TcpSocket` reads the
upgrade, the frames and the end from both directions. If packets are missing, the recording ends before
the gap in both directions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from icws_explore.protocol.budgets import HTTP_HEAD as MAX_HEAD
from icws_explore.protocol.budgets import TCP_PENDING as MAX_PENDING
from icws_explore.protocol.budgets import TCP_WAITING as MAX_WAITING
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.errors import CaptureError

from .frame import Direction, Frame, encodable
from .upgrade import Upgrade
from .websocket_stream import (
    HEAD_END,
    AnswerHead,
    HeadError,
    RequestHead,
    StreamMessages,
    read_answer,
    read_request,
    stream_extensions,
)

_SPACE: Final = 1 << 32  # sequence numbers wrap


class TcpStream:
    """Takes segments in any order, repeated or overlapping, and gives each byte once, in order.

    ``broken`` says that bytes are missing for good: too much waits for a segment that never came.
    """

    def __init__(self, first: int) -> None:
        """``first`` is the sequence number of the first byte."""
        self.broken = False
        self._first = first
        self._given = 0  # bytes from the first on; not limited to 32 bits
        self._waiting: list[tuple[int, int, bytes]] = []  # a heap of (start, order of arrival, data)
        self._longest: dict[int, int] = {}  # size by start: packets are captured twice
        self._held = 0

    @property
    def has_gap(self) -> bool:
        """Whether something waits for an earlier segment."""
        return bool(self._waiting)

    @property
    def given(self) -> int:
        """The number of bytes given so far."""
        return self._given

    def place(self, sequence: int) -> int:
        """Return the position of ``sequence`` in the stream, choosing the wrap-around nearest to `given`."""
        return self._given + self._ahead(sequence)

    def has_reached(self, sequence: int) -> bool:
        """Whether everything before ``sequence`` has been given."""
        return self._ahead(sequence) <= 0

    def feed(self, sequence: int, data: bytes) -> Iterator[bytes]:
        """Take a segment and yield the bytes that are now complete."""
        if self.broken or not data:
            return
        ahead = self._ahead(sequence)
        if ahead > 0:
            self._wait(self._given + ahead, data)
            return
        yield from self._deliver(data[-ahead:] if ahead else data)
        while self._waiting and self._waiting[0][0] <= self._given:
            start, _, waited = heappop(self._waiting)
            self._held -= len(waited)
            self._longest.pop(start, None)
            yield from self._deliver(waited[self._given - start :])

    def _deliver(self, data: bytes) -> Iterator[bytes]:
        if data:
            self._given += len(data)
            yield data

    def _ahead(self, sequence: int) -> int:
        """Return the distance of ``sequence`` from the next byte; negative if it was already given."""
        distance = (sequence - self._first - self._given) % _SPACE
        return distance if distance < _SPACE // 2 else distance - _SPACE

    def _wait(self, start: int, data: bytes) -> None:
        if len(data) <= self._longest.get(start, 0):
            return
        self._longest[start] = len(data)
        heappush(self._waiting, (start, len(self._waiting), data))
        self._held += len(data)
        if self._held > MAX_PENDING or len(self._waiting) > MAX_WAITING:
            self.broken = True
            self._waiting.clear()
            self._longest.clear()


_TLS_RECORD: Final = b"\x16\x03"


@dataclass(frozen=True, slots=True)
class Segment:
    """A captured TCP segment; ``t`` in seconds since the epoch."""

    t: float
    sequence: int
    data: bytes
    syn: bool = False
    ack: bool = False
    fin: bool = False
    rst: bool = False


@dataclass(slots=True)
class _Side:
    """The state of one direction."""

    stream: TcpStream | None = None
    head: bytes | None = b""  # None: complete, the messages follow
    messages: StreamMessages | None = None
    fin_at: int | None = None  # the sequence number after the last byte
    known: int = 0  # bytes that this side is known to have sent
    complete_at: float = 0.0  # the last time at which none of them was missing

    @property
    def is_missing_some(self) -> bool:
        return self.stream is not None and self.known > self.stream.given


@dataclass(slots=True)
class TcpSocket:
    """``first_sender`` is the address of the end whose segment was captured first."""

    first_sender: str
    frames: list[Frame] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    request: RequestHead | None = None
    answer: AnswerHead | None = None
    is_tls: bool = False
    started: float = 0.0
    answered: float = 0.0
    dead: bool = False  # not a WebSocket, or nothing more to read
    size: int = 0  # bytes of the frames
    _sides: dict[str, _Side] = field(default_factory=dict)
    _client: str | None = None
    _ended: bool = False

    @property
    def is_websocket(self) -> bool:
        return any(side.messages is not None for side in self._sides.values())

    @property
    def is_refused(self) -> bool:
        """Whether the server answered the upgrade with something else than 101."""
        return self.request is not None and self.answer is not None and not self.answer.is_upgrade

    def upgrade(self, session: str | None) -> Frame | None:
        """Return the frame of an upgrade that failed; None if it did not.

        It failed if the answer is not 101, or if the server confirmed none of the subprotocols that the client asked
        for and the client then sent nothing: a browser drops such a connection.
        """
        request, answer = self.request, self.answer
        if request is None or answer is None:
            return None
        has_sent = any(frame.direction == "out" and frame.op != "close" for frame in self.frames)
        if answer.is_upgrade and (has_sent or not request.protocols or answer.protocol):
            return None
        failed = Upgrade(encodable(self.url), answer.status, "", encodable(request.protocols))
        return failed.frame(self.answered, session)

    @property
    def url(self) -> str:
        return "" if self.request is None else f"ws://{self.request.host}{self.request.target}"

    def take(self, sender: str, segment: Segment) -> None:
        """Take the next captured segment of the connection."""
        if self.dead:
            return
        side = self._sides.setdefault(sender, _Side())
        if segment.syn and not segment.ack:
            self._client = sender
        if side.stream is None:
            side.stream = TcpStream(segment.sequence + segment.syn)
        for data in side.stream.feed(segment.sequence + segment.syn, segment.data):
            self._read(sender, side, segment.t, data)
        self._note_gaps(side, segment)
        if side.stream.broken:
            self._cut(side.complete_at)
        if segment.fin:
            side.fin_at = segment.sequence + segment.syn + len(segment.data)
        if segment.rst or (side.fin_at is not None and side.stream.has_reached(side.fin_at)):
            self._end(sender, segment.t)

    def finish(self) -> None:
        """Note packets that are still missing at the end of the file."""
        stuck = [side.complete_at for side in self._sides.values() if side.is_missing_some]
        if self.is_websocket and not self.dead and stuck:
            self._cut(min(stuck))

    @staticmethod
    def _note_gaps(side: _Side, segment: Segment) -> None:
        """Note what should have arrived; the sequence numbers of segments without data tell this as well."""
        if side.stream is None or segment.rst:
            return
        end = side.stream.place(segment.sequence + segment.syn + len(segment.data))
        if side.fin_at is not None:  # the FIN has a sequence number but is not a byte
            end = min(end, side.stream.place(side.fin_at))
        side.known = max(side.known, end)
        if not side.is_missing_some:
            side.complete_at = segment.t

    def _cut(self, t: float) -> None:
        """End the recording at ``t`` in both directions, because packets are missing from then on.

        One direction alone would show acks of unknown messages, and requests without answers.
        """
        self.frames = [frame for frame in self.frames if frame.t <= t]
        self._fail(f"packets are missing in the file; everything after the first {t - self.started:.3f} s is left out")

    def _read(self, sender: str, side: _Side, t: float, data: bytes) -> None:
        if self.dead:
            return
        if side.head is None:
            self._frames(sender, side, t, data)
            return
        side.head += data
        if side.head.startswith(_TLS_RECORD):
            self.is_tls = self.dead = True
            return
        end = side.head.find(HEAD_END)
        if end < 0 and len(side.head) <= MAX_HEAD:
            return
        head, rest, side.head = side.head[: max(end, 0)], side.head[end + len(HEAD_END) :], None
        try:
            self._take_head(sender, head, t)
        except HeadError:
            self.dead = True
        except CaptureError as error:
            self._fail(str(error))
        if rest:
            self._frames(sender, side, t, rest)

    def _take_head(self, sender: str, head: bytes, t: float) -> None:
        """Read the request, whose sender is the client, or the answer, which opens both directions."""
        if head.startswith(b"GET "):
            self.request = read_request(head)
            self._client, self.started = sender, t
            self.dead = not self.request.is_upgrade
            return
        answer = read_answer(head)
        if self.request is not None:
            self.answer, self.answered = answer, t
        if not answer.is_upgrade or self._client is None:
            self.dead = True
            return
        for masked, name in ((True, self._client), (False, sender)):
            extensions = stream_extensions(answer.extensions, masked=masked)
            self._sides[name].messages = StreamMessages(masked=masked, extensions=extensions)

    def _frames(self, sender: str, side: _Side, t: float, data: bytes) -> None:
        if side.messages is None:
            return
        for message in side.messages.feed(data):
            direction = self._direction(sender)
            self.size += len(message.data)
            self.frames.append(Frame(t, direction, message.op, message.data, message.code, message.reason))
        if side.messages.fault is not None:
            self._fail(f"{'the client' if sender == self._client else 'the gateway'} sent {side.messages.fault}")

    def _end(self, sender: str, t: float) -> None:
        """Record a lost connection (1006) if the side that ends first ends without a close frame."""
        if self._ended or not self.is_websocket:
            return
        self._ended = True
        closed = {name for name, other in self._sides.items() if other.messages is not None and other.messages.closed}
        by_client = sender == self._client
        gateway_closed = any(name != self._client for name in closed)
        if not gateway_closed and not (by_client and sender in closed):
            self.frames.append(Frame(t, self._direction(sender), "close", b"", CloseCode.ABNORMAL_CLOSURE, ""))

    def _direction(self, sender: str) -> Direction:
        return "out" if sender == self._client else "in"

    def _fail(self, why: str) -> None:
        self.dead = True
        self.faults.append(why)
