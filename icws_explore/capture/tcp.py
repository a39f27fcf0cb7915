"""One TCP connection of a packet capture, read as a WebSocket: the upgrade, the frames, the end.

One direction of a TCP connection put together again from its segments: RFC 9293, section 3.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.errors import CaptureError

from .frame import Direction, Frame
from .websocket_stream import (
    HEAD_END,
    MAX_HEAD,
    HeadError,
    RequestHead,
    StreamMessages,
    read_answer,
    read_request,
    stream_extensions,
)

MAX_PENDING: Final = 16 * 1024 * 1024  # bytes that wait for an earlier segment
MAX_WAITING: Final = 2000  # and segments
_SPACE: Final = 1 << 32  # sequence numbers wrap


class TcpStream:
    """Takes segments in any order, twice or overlapping; gives the bytes once, in order.

    ``broken`` says that bytes are missing for good: too much waits for a segment that never came.
    """

    def __init__(self, first: int) -> None:
        """``first`` is the sequence number of the first byte."""
        self.broken = False
        self._first = first
        self._given = 0  # bytes from the first on, beyond what sequence numbers can count
        self._waiting: list[tuple[int, int, bytes]] = []  # a heap: where it begins, how many came before, what it holds
        self._longest: dict[int, int] = {}  # by where it begins, the size of what waits: packets are captured twice
        self._held = 0

    @property
    def has_gap(self) -> bool:
        """Whether something waits for an earlier segment."""
        return bool(self._waiting)

    @property
    def given(self) -> int:
        """How many bytes have been given."""
        return self._given

    def place(self, sequence: int) -> int:
        """How many bytes come before ``sequence``, as near to what has been given as it can be."""
        return self._given + self._ahead(sequence)

    def has_reached(self, sequence: int) -> bool:
        """Whether everything before ``sequence`` has been given."""
        return self._ahead(sequence) <= 0

    def feed(self, sequence: int, data: bytes) -> Iterator[bytes]:
        """A segment was captured; the bytes that are now complete."""
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
        """How far ``sequence`` is from the next byte; negative for what has been seen."""
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
    """What one end has sent."""

    stream: TcpStream | None = None
    head: bytes | None = b""  # None: complete
    messages: StreamMessages | None = None
    fin_at: int | None = None  # the sequence number behind its last byte
    known: int = 0  # bytes that it is known to have sent
    complete_at: float = 0.0  # when all of those were there for the last time

    @property
    def is_missing_some(self) -> bool:
        return self.stream is not None and self.known > self.stream.given


@dataclass(slots=True)
class TcpSocket:
    """``first_sender`` is the end whose segment was captured first; both ends are addresses."""

    first_sender: str
    frames: list[Frame] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    request: RequestHead | None = None
    is_tls: bool = False
    started: float = 0.0
    dead: bool = False  # no WebSocket, or nothing more to read of it
    size: int = 0  # bytes of the frames
    _sides: dict[str, _Side] = field(default_factory=dict)
    _client: str | None = None
    _ended: bool = False

    @property
    def is_websocket(self) -> bool:
        return any(side.messages is not None for side in self._sides.values())

    @property
    def url(self) -> str:
        return "" if self.request is None else f"ws://{self.request.host}{self.request.target}"

    def take(self, sender: str, segment: Segment) -> None:
        """The next captured segment of the connection."""
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
        """The file is over."""
        stuck = [side.complete_at for side in self._sides.values() if side.is_missing_some]
        if self.is_websocket and not self.dead and stuck:
            self._cut(min(stuck))

    @staticmethod
    def _note_gaps(side: _Side, segment: Segment) -> None:
        """Acknowledgements without data tell by their sequence numbers, too, what should have come before them."""
        if side.stream is None or segment.rst:
            return
        end = side.stream.place(segment.sequence + segment.syn + len(segment.data))
        if side.fin_at is not None:  # the end itself has a number, and is no byte
            end = min(end, side.stream.place(side.fin_at))
        side.known = max(side.known, end)
        if not side.is_missing_some:
            side.complete_at = segment.t

    def _cut(self, t: float) -> None:
        """Packets are missing from ``t`` on: the recording ends there, in both directions.

        With one of them alone, whoever reads it would find acks of nothing and questions without answers.
        """
        self.frames = [frame for frame in self.frames if frame.t <= t]
        self._fail(f"packets are missing in the file; what follows {t - self.started:.3f} s into it is left out")

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
        """The request makes its sender the client; the answer opens both directions."""
        if head.startswith(b"GET "):
            self.request = read_request(head)
            self._client, self.started = sender, t
            self.dead = not self.request.is_upgrade
            return
        answer = read_answer(head)
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
        """The side that ends first says how the session ended: after a close frame, or without one."""
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
