"""Passive reading of one direction of a WebSocket connection: the HTTP head, then the messages.

The websockets package parses the frames. Nothing is answered, judged or changed. Sources: RFC 6455,
sections 4 (handshake), 5 (frames) and 7.1.5 (close code), RFC 7692 (compression).
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

from icws_explore.protocol.budgets import MESSAGE_BYTES as MAX_MESSAGE
from icws_explore.protocol.budgets import MESSAGE_PARTS as MAX_PARTS
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.errors import CaptureError

from .frame import Op

HEAD_END: Final = b"\r\n\r\n"


class HeadError(CaptureError):
    """The first bytes of a connection are not the head of an HTTP message."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The head of a client's request. ``target`` is path and query, ``protocols`` its Sec-WebSocket-Protocol."""

    target: str
    host: str
    is_upgrade: bool
    protocols: str = ""


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """The head of the server's answer: its Sec-WebSocket-Extensions and its Sec-WebSocket-Protocol."""

    status: int
    extensions: str
    protocol: str = ""

    @property
    def is_upgrade(self) -> bool:
        return self.status == 101


def read_request(head: bytes) -> RequestHead:
    """Read the head of a GET request. Raises HeadError for anything else."""
    first, *lines = head.split(b"\r\n")
    words = first.split(b" ")
    if len(words) != 3 or words[0] != b"GET" or not words[2].startswith(b"HTTP/1."):
        raise HeadError("not an HTTP request")
    upgrade = b"websocket" in header(lines, b"upgrade").lower()
    host = header(lines, b"host").decode("latin-1")
    protocols = header(lines, b"sec-websocket-protocol").decode("latin-1")
    return RequestHead(words[1].decode("latin-1"), host, upgrade, protocols)


def read_answer(head: bytes) -> AnswerHead:
    """Read the answer's status, extensions and subprotocol. Raises HeadError."""
    first, *lines = head.split(b"\r\n")
    words = first.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not (words[1].isdigit() and len(words[1]) == 3):
        raise HeadError("not an HTTP answer")
    extensions, protocol = (
        header(lines, name).decode("latin-1") for name in (b"sec-websocket-extensions", b"sec-websocket-protocol")
    )
    return AnswerHead(int(words[1]), extensions, protocol)


def header(lines: list[bytes], name: bytes) -> bytes:
    """Return the values of header ``name`` (lower case), joined with commas as RFC 9110 allows."""
    return b", ".join(line.partition(b":")[2].strip() for line in lines if header_name(line) == name)


def header_name(line: bytes) -> bytes:
    """Return the name on a header line, in lower case."""
    return line.partition(b":")[0].strip().lower()


_OPS: Final[dict[Opcode, Op]] = {
    Opcode.TEXT: "text",
    Opcode.BINARY: "binary",
    Opcode.PING: "ping",
    Opcode.PONG: "pong",
    Opcode.CLOSE: "close",
}


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """A complete message or a control frame. A close has ``code`` (1005 if it gave none) and ``reason``."""

    op: Op
    data: bytes
    code: int | None = None
    reason: str | None = None


class StreamMessages:
    """Takes the bytes after the upgrade as they arrive and gives the complete messages.

    ``masked`` says that a client sent the stream. After something that cannot be read, ``fault`` says what,
    and no more messages come, because the start of the next frame is unknown.
    """

    def __init__(self, *, masked: bool, extensions: Sequence[Extension] = ()) -> None:
        self.fault: str | None = None
        self.closed = False  # a close frame has passed
        self._masked = masked
        self._extensions = list(extensions)
        self._stream = StreamReader()
        self._most: int | None = None  # frames that are still to be read of what was fed
        self._is_stopped = False  # because they have been
        self._done: list[StreamMessage] = []
        self._parts: list[bytes] = []
        self._size = 0  # bytes of the parts
        self._op: Op | None = None
        self._parser = self._parse()
        next(self._parser)

    def feed(self, data: bytes, most: int | None = None) -> list[StreamMessage]:
        """Take ``data`` and return the messages that it completes.

        With ``most``, stop after that many frames: `unread` then counts what is left for the next call.
        """
        if self.fault is None and not self.closed:
            self._most = most
            self._stream.feed_data(data)
            next(self._parser)
        done, self._done = self._done, []
        return done

    @property
    def unread(self) -> int:
        """Bytes that the last `feed` left for the next one."""
        return len(self._stream.buffer) if self._is_stopped else 0

    @property
    def is_between(self) -> bool:
        """Whether everything that was fed and looked at is complete messages."""
        return self._op is None and self.fault is None and (self._is_stopped or not self._stream.buffer)

    @property
    def pending(self) -> bool:
        """Whether an incomplete message is held."""
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
                if self._most is not None and not self.closed:
                    self._most -= 1
                    if self._most <= 0:
                        self._is_stopped = True
                        yield
                        self._is_stopped = False
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
    """Read the payload of a close frame. A payload that the RFC forbids also keeps its bytes."""
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
    """Return the decoders for one direction, by the server's ``Sec-WebSocket-Extensions``.

    Raises CaptureError for an unknown extension or impossible parameters.
    """
    try:
        offered = parse_extension(header) if header.strip() else []
    except InvalidHeaderFormat as error:
        raise CaptureError(f"Sec-WebSocket-Extensions cannot be read: {error}") from error
    return [_extension(name, dict(parameters), masked=masked) for name, parameters in offered]


def _extension(name: str, parameters: dict[str, str | None], *, masked: bool) -> Extension:
    if name != "permessage-deflate":
        raise CaptureError(f"unknown WebSocket extension {name[:40]!r}")
    sender = "client" if masked else "server"
    bits = parameters.get(f"{sender}_max_window_bits") or "15"
    if not bits.isdecimal() or not 8 <= int(bits) <= 15:
        raise CaptureError(f"permessage-deflate with a window of {bits[:10]!r} bits does not exist")
    # The "local" values configure the encoder, which is not used.
    return PerMessageDeflate(
        remote_no_context_takeover=f"{sender}_no_context_takeover" in parameters,
        local_no_context_takeover=True,
        remote_max_window_bits=int(bits),
        local_max_window_bits=15,
    )
