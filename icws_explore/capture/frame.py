"""A recorded WebSocket frame, seen from the client, or a recorded HTTP message between gateway and network."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from json.encoder import encode_basestring
from typing import Any, Final, Literal, get_args, overload

import pybase64

from icws_explore.protocol.budgets import FILE_TEXT
from icws_explore.protocol.errors import CaptureError

Direction = Literal["in", "out"]
Op = Literal["binary", "text", "ping", "pong", "close", "request", "response"]

DIRECTIONS: Final[tuple[Direction, ...]] = ("in", "out")
OPS: Final[tuple[Op, ...]] = get_args(Op)
HTTP_OPS: Final[tuple[Op, ...]] = ("request", "response")
MAX_CODE: Final = 65535  # a close code is two bytes, an HTTP status three digits
MAX_TIME_S: Final = 1e12  # seconds from the epoch in either direction; anything further is damage
_WITH_CODE: Final[tuple[Op, ...]] = ("close", *HTTP_OPS)
_DIRECTION: Final[Mapping[object, Direction]] = {name: name for name in DIRECTIONS}  # one object for all frames
_OP: Final[Mapping[object, Op]] = {name: name for name in OPS}


@dataclass(frozen=True, slots=True)
class Frame:
    """A complete message or a control frame.

    ``t`` is in seconds since the epoch, on the clock that the capture names. ``direction`` is "in" for
    frames that the client received and "out" for frames that it sent. A close has ``code`` and ``reason``.
    The code is 1005 if the close frame had none, and 1006 if the connection ended without a close frame.
    ``session`` distinguishes the sessions of a capture with several.

    A tap that also stands between the gateway and the network records the HTTP traffic there as "request"
    ("out") and "response" ("in"). ``data`` is the body, ``reason`` the request's method and target, ``code``
    the response's status. A request and its response have the same ``session``, which is not that of a
    WebSocket. A response without a request has the name of a WebSocket session: it is the gateway's answer to
    the upgrade. With status 101 it is recorded if the gateway sent nothing afterwards; with any other, the
    WebSocket never opened (see upgrade.py). A reader of .icws files that does not know these operations skips
    them.

    ``did`` says what a tap did to the frame, if it did anything: "held by a breakpoint, edited and forwarded".
    ``data`` is the client's version: what it sent or received. ``far`` is the payload on the gateway's side, if
    that differs.
    """

    t: float
    direction: Direction
    op: Op
    data: bytes = b""
    code: int | None = None
    reason: str | None = None
    session: str | None = None
    did: str | None = None
    far: bytes | None = None

    @property
    def t_ns(self) -> int:
        """``t`` in ns since the epoch. It is rounded to the microsecond: below that, a float of today holds noise."""
        return round(self.t * 1_000_000) * 1000

    @property
    def is_http(self) -> bool:
        """Whether this is an HTTP message between gateway and network."""
        return self.op in HTTP_OPS

    def to_json(self) -> dict[str, Any]:
        """Return the frame as one JSON object of an `.icws` file."""
        line: dict[str, Any] = {"t": self.t, "d": self.direction, "op": self.op}
        line["b"] = base64.b64encode(self.data).decode("ascii")
        if self.op in _WITH_CODE:
            line["code"] = self.code
            line["reason"] = self.reason
        if self.session is not None:
            line["s"] = self.session
        if self.did is not None:
            line["did"] = self.did
        if self.far is not None:
            line["far"] = base64.b64encode(self.far).decode("ascii")
        return line

    def to_line(self) -> bytes:
        """Return the same object as a line of the file. For a large payload, this is ten times as fast as json."""
        head, tail = self._around_payload()
        return b"".join((head, pybase64.b64encode(self.data), tail))

    def line_parts(self, size: int) -> Iterator[bytes]:
        """Yield the line in parts, each of about ``size`` bytes of the payload, so that other work can run between."""
        head, tail = self._around_payload()
        yield head
        step = max(3, size // 3 * 3)  # base64 goes by three
        payload = memoryview(self.data)
        for start in range(0, len(payload), step):
            yield pybase64.b64encode(payload[start : start + step])
        yield tail

    def _around_payload(self) -> tuple[bytes, bytes]:
        rest = ""
        if self.op in _WITH_CODE:
            reason = "null" if self.reason is None else encode_basestring(self.reason)
            rest = f',"code":{"null" if self.code is None else self.code},"reason":{reason}'
        if self.session is not None:
            rest += f',"s":{encode_basestring(self.session)}'
        if self.did is not None:
            rest += f',"did":{encode_basestring(self.did)}'
        if self.far is not None:
            rest += f',"far":"{base64.b64encode(self.far).decode("ascii")}"'
        head = f'{{"t":{self.t!r},"d":"{self.direction}","op":"{self.op}","b":"'
        return head.encode("ascii"), f'"{rest}}}\n'.encode()

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Frame:
        """Read one JSON object of an `.icws` file. Raises CaptureError that names the bad member."""
        t, direction, op = line.get("t"), line.get("d"), line.get("op")
        if isinstance(t, bool) or not isinstance(t, (int, float)) or not abs(t) < MAX_TIME_S:
            raise CaptureError('"t" must be a number of seconds')
        if not isinstance(direction, str) or direction not in _DIRECTION:
            raise CaptureError('"d" must be "in" or "out"')
        if not isinstance(op, str) or op not in _OP:
            raise CaptureError(f'"op" must be one of {", ".join(OPS)}')
        code, reason, session = line.get("code"), line.get("reason"), line.get("s")
        if code is not None and (isinstance(code, bool) or not isinstance(code, int) or not 0 <= code <= MAX_CODE):
            raise CaptureError(f'"code" must be a whole number up to {MAX_CODE}')
        if reason is not None and not isinstance(reason, str):
            raise CaptureError('"reason" must be text')
        if session is not None and not isinstance(session, str):
            raise CaptureError('"s" must be text')
        data = _base64(line.get("b", ""))
        words = _words(reason), _words(session)
        return cls(float(t), _DIRECTION[direction], _OP[op], data, code, *words).with_change(line)

    def with_change(self, line: Mapping[str, Any]) -> Frame:
        """Return the frame with the "did" and "far" of a line of an `.icws` file. Raises CaptureError."""
        did, far = line.get("did"), line.get("far")
        if did is None and far is None:
            return self
        if did is not None and not isinstance(did, str):
            raise CaptureError('"did" must be text')
        return replace(self, did=_words(did), far=None if far is None else _base64(far, "far"))


@overload
def encodable(text: str) -> str: ...
@overload
def encodable(text: None) -> None: ...
def encodable(text: str | None) -> str | None:
    """Replace lone surrogates: JSON can contain them (\\ud800), but UTF-8 cannot."""
    return text if text is None or text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _words(text: str | None) -> str | None:
    """Return a text of a file as it is kept: encodable, and cut if it is far longer than any real one."""
    return None if text is None else encodable(cut(text))


def cut(text: str, most: int = FILE_TEXT) -> str:
    """Return ``text``, cut to ``most`` characters with an ellipsis at the end."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _base64(text: object, member: str = "b") -> bytes:
    if not isinstance(text, str):
        raise CaptureError(f'"{member}" must be base64 text')
    try:
        return pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass  # it refuses some padding that the standard library takes
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CaptureError(f'"{member}" is not base64: {error}') from error
