"""Captures from the flow files of mitmproxy (``mitmdump -w FILE``, or *Save* in mitmproxy and mitmweb).

A flow file is a row of flows, each a dictionary in mitmproxy's dialect of tnetstrings: a value is its length in decimal
digits, a colon, its bytes and a letter for its type, as in ``5:hello;``. Lists and dictionaries hold further values.
Because every value tells its length, `Value` skips what is not needed without reading it, and nothing is nested deeper
than the places that are looked at.

Of each HTTP flow this takes what a capture holds: the messages of a WebSocket with their directions and times, how it
closed, what came in place of one, and the requests to a network with their answers. Those may be a gateway's or a
page's; the sender in the request tells. mitmproxy notes neither pings nor pongs.

Files of mitmproxy 7 (2021) and later are read. Its package is not used: it needs other versions of packages that this
one needs as well. Source of the fields: mitmproxy, ``mitmproxy/http.py`` and ``mitmproxy/websocket.py``.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from io import BufferedReader
from math import isfinite
from pathlib import Path
from typing import Final, NamedTuple

from icws_explore.protocol.budgets import FILE_FRAMES as MAX_FRAMES
from icws_explore.protocol.budgets import FILE_TEXT
from icws_explore.protocol.budgets import FLOW_BODY as MAX_BODY
from icws_explore.protocol.budgets import FLOW_HEADERS as MAX_HEADERS
from icws_explore.protocol.budgets import FLOW_SOCKETS as MAX_SOCKETS
from icws_explore.protocol.budgets import FLOW_UNPACKED as MAX_UNPACKED
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.credentials import shown_target, shown_url
from icws_explore.protocol.errors import CaptureError

from .capture import Capture, SessionInfo
from .files import START, FileKind, Notes, kind_of, open_file, shown
from .frame import MAX_CODE, MAX_TIME_S, Frame, encodable
from .har import SWITCHING_PROTOCOLS, stated_time
from .upgrade import Upgrade

_MAX_DIGITS: Final = 12  # of a length
_MAX_NUMBER: Final = 40  # characters
_API: Final = re.compile(r"/api/v\d/(status|(canister|subnet)/[^/]+/(call|query|read_state))")
_BYTES, _TEXT, _WHOLE, _REAL, _FLAG, _NOTHING, _LIST, _DICT = b",;#^!~]}"
_OPS: Final = {1: "text", 2: "binary"}


class MalformedError(Exception):
    """These bytes are no value of a flow file. It does not leave this module."""


class Value(NamedTuple):
    """A value that is taken apart as far as it is asked for. ``kind`` is the letter of its type."""

    kind: int
    data: memoryview

    @classmethod
    def at(cls, data: memoryview, start: int) -> tuple[Value, int]:
        """The value that starts there, and where it ends. Raises MalformedError."""
        digits, colon, _ = bytes(data[start : start + _MAX_DIGITS + 1]).partition(b":")
        if not colon or not digits.isdigit():
            raise MalformedError("a length is missing")
        first = start + len(digits) + 1
        last = first + int(digits)
        if last >= len(data):
            raise MalformedError("a value is longer than what it is in")
        return cls(data[last], data[first:last]), last + 1

    def items(self) -> Iterator[Value]:
        """The values of a list; of a dictionary the names and values in turn. Raises MalformedError."""
        at = 0
        while self.kind in (_LIST, _DICT) and at < len(self.data):
            value, at = Value.at(self.data, at)
            yield value

    def members(self, *names: str) -> dict[str, Value]:
        """Those members of a dictionary; a missing one is a value of no type. Raises MalformedError."""
        found = dict.fromkeys(names, ABSENT)
        parts = self.items() if self.kind == _DICT else iter(())
        for name in parts:
            value = next(parts, ABSENT)
            if len(name.data) <= 64 and (known := bytes(name.data).decode("latin-1")) in found:
                found[known] = value
        return found

    @property
    def is_absent(self) -> bool:
        return self.kind == _NOTHING

    @property
    def content(self) -> bytes | None:
        """The bytes of a byte string; None for another value."""
        return bytes(self.data) if self.kind == _BYTES else None

    @property
    def text(self) -> str:
        """The text of a text or byte string, as far as a URL or a reason is long; "" for another value."""
        if self.kind not in (_TEXT, _BYTES):
            return ""
        return encodable(bytes(self.data[:FILE_TEXT]).decode("utf-8", "replace"))

    @property
    def number(self) -> float | None:
        """The value of a number; None for another value, and for one that is not finite."""
        if self.kind not in (_WHOLE, _REAL) or len(self.data) > _MAX_NUMBER:
            return None
        try:
            number = float(bytes(self.data))
        except ValueError:
            return None
        return number if isfinite(number) else None

    @property
    def flag(self) -> bool:
        return self.kind == _FLAG and bytes(self.data[:5]) == b"true"


ABSENT: Final = Value(_NOTHING, memoryview(b""))


@dataclass(slots=True)
class _Socket:
    """``frames`` have no session yet. ``began`` is in seconds since the epoch."""

    url: str
    began: float
    frames: list[Frame]


@dataclass(slots=True)
class _Flows:
    """What the flows hold, as far as they were read."""

    notes: Notes = field(default_factory=Notes)
    sockets: list[_Socket] = field(default_factory=list)
    http: list[Frame] = field(default_factory=list)
    networks: set[str] = field(default_factory=set)
    count: int = 0
    frames: int = 0
    unpacked: int = 0  # bytes

    def add(self, flow: Value) -> None:
        """Raises MalformedError."""
        self.count += 1
        parts = flow.members("type", "request", "response", "websocket", "error")
        if parts["type"].text != "http":
            self.notes.some("flows left out", f"flow {self.count} is left out: {shown(parts['type'].text)!r}, not HTTP")
            return
        request = _Request.read(parts["request"])
        if request.began is None:
            self.notes.some("flows left out", f"flow {self.count} is left out: it has no time")
        elif not parts["websocket"].is_absent or request.is_upgrade:
            self._add_socket(request, request.began, parts)
        elif _API.fullmatch(request.path) and self.frames < MAX_FRAMES:
            self.frames += 2
            self._add_exchange(request, request.began, parts)

    def _add_socket(self, request: _Request, began: float, parts: dict[str, Value]) -> None:
        if len(self.sockets) == MAX_SOCKETS:
            self.notes.some("sockets left out", f"flow {self.count} is left out: more than {MAX_SOCKETS} sockets")
            return
        answer = parts["response"].members("status_code", "timestamp_end", "timestamp_start")
        status = _whole(answer["status_code"]) or 0
        answered = _time(answer["timestamp_end"]) or _time(answer["timestamp_start"]) or began
        if parts["websocket"].is_absent:
            error = parts["error"].members("msg")["msg"].text
            if status != SWITCHING_PROTOCOLS or error:
                upgrade = Upgrade(shown_url(request.url), status, error)
                self.sockets.append(_Socket(request.url, began, [upgrade.frame(answered, None)]))
            return
        frames = self._messages(parts["websocket"])
        if not any(frame.direction == "in" and frame.op != "close" for frame in frames):
            target = f"GET {request.path}"
            frames.insert(0, Frame(answered, "in", "response", b"", SWITCHING_PROTOCOLS, target))
        self.sockets.append(_Socket(request.url, began, frames))

    def _messages(self, websocket: Value) -> list[Frame]:
        found = websocket.members("messages", "closed_by_client", "close_code", "close_reason", "timestamp_end")
        frames: list[Frame] = []
        for place, message in enumerate(found["messages"].items()):
            if self.frames == MAX_FRAMES:
                self.notes.some("messages left out", f"flow {self.count} is cut: more than {MAX_FRAMES} frames")
                break
            frame = _message(message)
            if isinstance(frame, Frame):
                frames.append(frame)
                self.frames += 1
            else:
                self.notes.some("messages left out", f"message {place} of flow {self.count} is left out: {frame}")
        code, ended = _whole(found["close_code"]), _time(found["timestamp_end"])
        if code is not None and ended is not None and code <= MAX_CODE:
            by_client = found["closed_by_client"].flag and code != CloseCode.ABNORMAL_CLOSURE
            reason = found["close_reason"].text
            frames.append(Frame(ended, "out" if by_client else "in", "close", b"", code, reason))
        return frames

    def _add_exchange(self, request: _Request, began: float, parts: dict[str, Value]) -> None:
        self.networks.add(request.origin)
        what, session = f"{request.method} {request.path}", f"http-{self.count}"
        answer = parts["response"].members("status_code", "timestamp_end", "timestamp_start", "content", "headers")
        body = self._body(parts["request"].members("content", "headers"))
        self.http.append(Frame(began, "out", "request", body or b"", reason=what, session=session))
        status, ended = _whole(answer["status_code"]), _time(answer["timestamp_end"])
        ended = _time(answer["timestamp_start"]) if ended is None else ended
        reply = None if parts["response"].is_absent else self._body(answer)
        if status is not None and status <= MAX_CODE and ended is not None and reply is not None:
            self.http.append(Frame(ended, "in", "response", reply, status, what, session))

    def _body(self, side: dict[str, Value]) -> bytes | None:
        """The body of a request or an answer, unpacked. None, with a note, if it cannot be had."""
        content = side["content"].content
        packing = _header(side["headers"], "content-encoding")
        if content is None:
            self.notes.some("bodies left out", f"a body of flow {self.count} is left out: mitmproxy did not keep it")
        elif packing in ("", "identity"):
            return content
        elif packing not in ("gzip", "deflate"):
            text = f"a body of flow {self.count} is left out: it is packed with {shown(packing)!r}"
            self.notes.some("bodies left out", text)
        else:
            return self._unpacked(content)
        return None

    def _unpacked(self, content: bytes) -> bytes | None:
        most = min(MAX_BODY, MAX_UNPACKED - self.unpacked)
        unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip or zlib, by its first bytes
        try:
            body = unpacker.decompress(content, most + 1)
        except zlib.error:
            body = b""
        if len(body) > most or not unpacker.eof:
            why = "it is too large when unpacked" if len(body) > most else "it cannot be unpacked"
            self.notes.some("bodies left out", f"a body of flow {self.count} is left out: {why}")
            return None
        self.unpacked += len(body)
        return body


@dataclass(frozen=True, slots=True)
class _Request:
    """``path`` has no query. ``began`` is in seconds since the epoch."""

    origin: str
    url: str
    method: str
    path: str
    began: float | None
    is_upgrade: bool

    @classmethod
    def read(cls, value: Value) -> _Request:
        found = value.members("scheme", "host", "port", "method", "path", "timestamp_start", "headers")
        scheme, host, port = found["scheme"].text, found["host"].text, _whole(found["port"])
        is_upgrade = _header(found["headers"], "upgrade") == "websocket"
        if is_upgrade:
            scheme = "wss" if scheme == "https" else "ws"
        usual = {"http": 80, "https": 443, "ws": 80, "wss": 443}.get(scheme)
        host = f"[{host}]" if ":" in host else host
        origin = f"{scheme}://{host}" if port in (None, usual) else f"{scheme}://{host}:{port}"
        target = found["path"].text or "/"
        began = _time(found["timestamp_start"])
        return cls(origin, f"{origin}{target}", found["method"].text, shown_target(target), began, is_upgrade)


def _message(value: Value) -> Frame | str:
    """The frame of a message, or why there is none. A message is a list in a fixed order."""
    parts = [part for _, part in zip(range(6), value.items(), strict=False)]
    kind, from_client, content, at, dropped, injected = (*parts, *[ABSENT] * (6 - len(parts)))
    op, t, data = _OPS.get(_whole(kind) or 0), _time(at), content.content
    if op is None or t is None or data is None:
        return "it has no type, no content or no time"
    if from_client.flag:
        if injected.flag:
            return "mitmproxy made it, not the client"
        return Frame(t, "out", "text" if op == "text" else "binary", data, did=_DROPPED if dropped.flag else None)
    if dropped.flag:
        return "mitmproxy dropped it, so the client did not receive it"
    return Frame(t, "in", "text" if op == "text" else "binary", data, did=_MADE if injected.flag else None)


_DROPPED: Final = "dropped by mitmproxy"
_MADE: Final = "made by mitmproxy"


def _header(headers: Value, name: str) -> str:
    """The value of a header in lower case, "" if there is none."""
    for _, header in zip(range(MAX_HEADERS), headers.items(), strict=False):
        pair = [part.text.lower() for _, part in zip(range(2), header.items(), strict=False)]
        if len(pair) == 2 and pair[0] == name:
            return pair[1].strip()
    return ""


def _whole(value: Value) -> int | None:
    number = value.number
    return int(number) if number is not None and number >= 0 and number == int(number) else None


def _time(value: Value) -> float | None:
    number = value.number
    return number if number is not None and abs(number) < MAX_TIME_S else None


def load_flows(path: str | os.PathLike[str], *, url: str = "") -> Capture:
    """Read every WebSocket of a flow file whose URL contains ``url``, and all requests to a network, in order of time.

    ``Frame.session`` distinguishes several sockets. ``capture.notes`` lists what could not be read. Raises CaptureError
    if the file is no flow file or has no such WebSocket.
    """
    path = Path(path)
    with open_file(path) as stream:
        kind = kind_of(stream.peek(START)[:START])
        if kind is not FileKind.FLOWS:
            raise CaptureError(f"{path} is not a flow file of mitmproxy, it is {kind}")
        flows = _read(stream, path)
    sockets = [socket for socket in flows.sockets if url in socket.url]
    if not sockets:
        which = f"no WebSocket whose URL contains {url!r}" if url else "no WebSocket"
        why = flows.notes[0] if flows.notes else "start mitmproxy before the page connects"
        raise CaptureError(f"{path} has {which}: {why}")
    return _capture(sockets, flows)


def _read(stream: BufferedReader, path: Path) -> _Flows:
    flows = _Flows()
    size = os.fstat(stream.fileno()).st_size
    try:
        for flow in _values(stream, size):
            flows.add(flow)
    except MalformedError as error:
        if not flows.count:
            raise CaptureError(f"{path} is not a flow file of mitmproxy: {error}") from error
        flows.notes.append(f"nothing behind flow {flows.count} is read: {error}")
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror or error}") from error
    return flows


def _values(stream: BufferedReader, size: int) -> Iterator[Value]:
    """The values in the file, one after another. Raises MalformedError, also for an incomplete one."""
    while digits := _digits(stream):
        length = int(digits) + 1  # with the letter
        if length > size - stream.tell():
            raise MalformedError("the file ends in the middle of the next flow")
        data = memoryview(stream.read(length))
        if len(data) < length:
            raise MalformedError("the file has become shorter")
        yield Value(data[-1], data[:-1])


def _digits(stream: BufferedReader) -> bytes:
    """The digits before the next colon; none at the end of the file. Raises MalformedError."""
    digits = b""
    while (character := stream.read(1)) not in (b":", b""):
        digits += character
        if not digits.isdigit() or len(digits) > _MAX_DIGITS:
            raise MalformedError("a length is missing")
    if not character and digits:
        raise MalformedError("the file ends in the middle of the next flow")
    if character and not digits:
        raise MalformedError("a length is missing")
    return digits


def _capture(sockets: list[_Socket], flows: _Flows) -> Capture:
    several, notes = len(sockets) > 1, flows.notes
    streams = [sorted(flows.http, key=lambda frame: frame.t)]
    for number, socket in enumerate(sorted(sockets, key=lambda socket: socket.began), 1):
        session = str(number) if several else None
        if several:
            notes.some("sessions", f"session {session} is {shown(socket.url)}")
        frames = [_of_session(frame, session) for frame in socket.frames]
        streams.append(sorted(frames, key=lambda frame: frame.t))
    urls = {socket.url for socket in sockets}
    info = SessionInfo(
        gateway_url=urls.pop() if len(urls) == 1 else None,
        network_url=next(iter(flows.networks)) if len(flows.networks) == 1 else None,
        origin="mitmproxy",
        started_at=stated_time(min(socket.began for socket in sockets)),
    )
    return Capture(info, list(merge(*streams, key=lambda frame: frame.t)), notes.counted())


def _of_session(frame: Frame, session: str | None) -> Frame:
    return Frame(frame.t, frame.direction, frame.op, frame.data, frame.code, frame.reason, session, frame.did)
