"""WebSocket messages out of one direction of a TCP stream, for those who only look on.

Frames are parsed by websockets; nothing is answered, judged or changed. Source: RFC 6455, sections
5 and 7.1.5, RFC 7692 for compressed messages.

The heads of an opening handshake, as far as someone who only looks on needs them: RFC 6455, section 4.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final

from websockets.exceptions import InvalidHeaderFormat, PayloadTooBig, ProtocolError
from websockets.extensions.base import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.headers import parse_extension
from websockets.streams import StreamReader

from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.errors import CaptureError

from .frame import Op

MAX_HEAD: Final = 64 * 1024  # bytes of a request's or an answer's head
HEAD_END: Final = b"\r\n\r\n"


class HeadError(CaptureError):
    """What came first on a connection is not the head of an HTTP message."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What a client asks for. ``target`` is path and query."""

    target: str
    host: str
    is_upgrade: bool


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """How the server answered. ``extensions`` is its Sec-WebSocket-Extensions."""

    status: int
    extensions: str

    @property
    def is_upgrade(self) -> bool:
        return self.status == 101


def read_request(head: bytes) -> RequestHead:
    """The head of a GET request. Raises HeadError for anything else."""
    first, *lines = head.split(b"\r\n")
    words = first.split(b" ")
    if len(words) != 3 or words[0] != b"GET" or not words[2].startswith(b"HTTP/1."):
        raise HeadError("not an HTTP request")
    upgrade = b"websocket" in header(lines, b"upgrade").lower()
    host = header(lines, b"host").decode("latin-1")
    return RequestHead(words[1].decode("latin-1"), host, upgrade)


def read_answer(head: bytes) -> AnswerHead:
    """The answer's status and extensions. Raises HeadError."""
    first, *lines = head.split(b"\r\n")
    words = first.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not (words[1].isdigit() and len(words[1]) == 3):
        raise HeadError("not an HTTP answer")
    return AnswerHead(int(words[1]), header(lines, b"sec-websocket-extensions").decode("latin-1"))


def header(lines: list[bytes], name: bytes) -> bytes:
    """The values of header ``name`` (in lower case), joined as RFC 9110 allows."""
    return b", ".join(line.partition(b":")[2].strip() for line in lines if header_name(line) == name)


def header_name(line: bytes) -> bytes:
    """The name on a header line, in lower case."""
    return line.partition(b":")[0].strip().lower()


MAX_MESSAGE: Final = 32 * 1024 * 1024  # bytes; fits a line of an .icws file, and no gateway lets more through
MAX_PARTS: Final = 1_000_000  # frames of a message; empty ones have no size to be bounded by
_OPS: Final[dict[Opcode, Op]] = {
    Opcode.TEXT: "text",
    Opcode.BINARY: "binary",
    Opcode.PING: "ping",
    Opcode.PONG: "pong",
    Opcode.CLOSE: "close",
}


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """A whole message or a control frame. A close has ``code`` (1005: none given) and ``reason``."""

    op: Op
    data: bytes
    code: int | None = None
    reason: str | None = None


class StreamMessages:
    """Takes the bytes behind the upgrade as they come and gives the messages that are complete.

    ``masked``: the stream is a client's. Once something cannot be read, ``fault`` says what, and
    nothing more comes: the start of the next frame is not known then.
    """

    def __init__(self, *, masked: bool, extensions: Sequence[Extension] = ()) -> None:
        self.fault: str | None = None
        self.closed = False  # a close frame has passed
        self._masked = masked
        self._extensions = list(extensions)
        self._stream = StreamReader()
        self._done: list[StreamMessage] = []
        self._parts: list[bytes] = []
        self._size = 0  # bytes of them
        self._op: Op | None = None
        self._parser = self._parse()
        next(self._parser)

    def feed(self, data: bytes) -> list[StreamMessage]:
        """The messages that ``data`` completes."""
        if self.fault is None and not self.closed:
            self._stream.feed_data(data)
            next(self._parser)
        done, self._done = self._done, []
        return done

    @property
    def pending(self) -> bool:
        """Whether a message has begun and is not complete."""
        return self._op is not None or bool(self._stream.buffer)

    def _parse(self) -> Generator[None, None, None]:
        try:
            while not self.closed:
                frame = yield from Frame.parse(
                    self._stream.read_exact,
                    mask=self._masked,
                    max_size=MAX_MESSAGE - self._size,
                    extensions=self._extensions,
                )
                self._take(frame)
        except ProtocolError as error:
            self.fault = f"not a WebSocket frame ({error})"
        except PayloadTooBig:
            self.fault = f"a message of more than {MAX_MESSAGE} bytes"
        self._stream = StreamReader()
        while True:
            yield

    def _take(self, frame: Frame) -> None:
        data = bytes(frame.data)
        if frame.opcode is Opcode.CLOSE:
            self.closed = True
            self._done.append(close_message(data))
        elif frame.opcode in (Opcode.PING, Opcode.PONG):
            self._done.append(StreamMessage(_OPS[frame.opcode], data))
        else:
            self._add(frame, data)

    def _add(self, frame: Frame, data: bytes) -> None:
        if (frame.opcode is Opcode.CONT) != (self._op is not None):
            raise ProtocolError(
                "a continuation without its start" if frame.opcode is Opcode.CONT else "a message cut short"
            )
        self._op = self._op or _OPS[frame.opcode]
        self._parts.append(data)
        self._size += len(data)
        if len(self._parts) > MAX_PARTS:
            raise ProtocolError(f"a message in more than {MAX_PARTS} frames")
        if frame.fin:
            self._done.append(StreamMessage(self._op, b"".join(self._parts)))
            self._op, self._parts, self._size = None, [], 0


def close_message(payload: bytes) -> StreamMessage:
    """A close frame's payload. One that the RFC forbids keeps its bytes, and whatever can be read of it."""
    if not payload:
        return StreamMessage("close", b"", CloseCode.NO_STATUS_RCVD, "")
    if len(payload) == 1:
        return StreamMessage("close", payload, None, "")
    (code,) = struct.unpack("!H", payload[:2])
    try:
        return StreamMessage("close", b"", code, payload[2:].decode("utf-8"))
    except UnicodeDecodeError:
        return StreamMessage("close", payload, code, payload[2:].decode("utf-8", "replace"))


def stream_extensions(header: str, *, masked: bool) -> list[Extension]:
    """What decodes a stream, by the server's ``Sec-WebSocket-Extensions``; one list for each direction.

    Raises CaptureError for an extension that is not known here, or one with impossible parameters.
    """
    try:
        offered = parse_extension(header) if header.strip() else []
    except InvalidHeaderFormat as error:
        raise CaptureError(f"Sec-WebSocket-Extensions cannot be read: {error}") from error
    return [_extension(name, dict(parameters), masked=masked) for name, parameters in offered]


def _extension(name: str, parameters: dict[str, str | None], *, masked: bool) -> Extension:
    if name != "permessage-deflate":
        raise CaptureError(f"the WebSocket extension {name[:40]!r} is not known here")
    sender = "client" if masked else "server"
    bits = parameters.get(f"{sender}_max_window_bits") or "15"
    if not bits.isdecimal() or not 8 <= int(bits) <= 15:
        raise CaptureError(f"permessage-deflate with a window of {bits[:10]!r} bits does not exist")
    # The two "local" values belong to the encoder, which is never used here.
    return PerMessageDeflate(
        remote_no_context_takeover=f"{sender}_no_context_takeover" in parameters,
        local_no_context_takeover=True,
        remote_max_window_bits=int(bits),
        local_max_window_bits=15,
    )
