"""The heads of an opening handshake, as far as someone who only looks on needs them: RFC 6455, section 4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from icws_explore.protocol.errors import CaptureError

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
