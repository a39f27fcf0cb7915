"""Captures from HAR files, as Chrome, Firefox, Playwright and mitmproxy write them.

HAR 1.2 knows no WebSockets; these tools add ``_webSocketMessages`` to an entry, in one shape and
with differing habits (units of time, text for binary data), which `har_socket` sorts out. The file
is read piece by piece, so that neither its size nor a torn end matters: what came before is kept.

One WebSocket of a HAR file: what its messages mean, in spite of the writers' habits.

A message is ``{type: "send"|"receive"|"error", time, opcode, data}``. Chrome and mitmproxy write
times in seconds since the epoch, Playwright in milliseconds, some in µs or on a clock that began
with the browser. Data is text for opcode 1 and base64 for every other; some write binary data as
text with a character a byte.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from heapq import merge
from pathlib import Path
from typing import Any, Final

import ijson

from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.errors import CaptureError

from .capture import Capture, SessionInfo
from .files import START, FileKind, JsonText, Notes, kind_of, open_file, shown, unreadable
from .frame import MAX_TIME_S, Direction, Frame, Op, encodable
from .icws_file import MAX_FRAMES
from .websocket_stream import close_message

DAY_S: Final = 86_400.0
_NEAR_S: Final = 7 * DAY_S  # a socket may have been open for long, and clocks are set
_LARGEST: Final = 1e30  # of a number; ns since the epoch are 1e18
_LEFT_OUT: Final = "messages left out"
_EPOCH_S: Final = (1e9, 1e10)  # what a time in seconds since the epoch looks like: 2001 to 2286
_UNITS: Final = ((1.0, "seconds"), (1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds"))
_DIRECTIONS: Final[Mapping[str, Direction]] = {"send": "out", "receive": "in"}
_OPS: Final[Mapping[int, Op]] = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}


@dataclass(frozen=True, slots=True)
class HarMessage:
    """As the file has it; None for what is missing or of another type."""

    type: str | None
    time: float | None
    opcode: int | None
    data: str | None

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> HarMessage:
        kind, data = members.get("type"), members.get("data")
        opcode = _number(members.get("opcode"))
        return cls(
            kind if isinstance(kind, str) else None,
            _number(members.get("time")),
            None if opcode is None else int(opcode),
            data if isinstance(data, str) else None,
        )


@dataclass(slots=True)
class HarSocket:
    """An entry of the file. ``started`` is ISO 8601, ``failure`` why it never opened."""

    url: str = ""
    started: str = ""
    status: str = ""
    kind: str = ""
    failure: str = ""
    is_socket: bool = False
    messages: list[HarMessage] = field(default_factory=list)


def _number(value: object) -> float | None:
    """A number of the file, if it is one that anything can be."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) < _LARGEST else None


def socket_frames(socket: HarSocket, session: str | None, notes: Notes) -> list[Frame]:
    """The socket's frames in the file's order; what is no frame goes into ``notes``."""
    where = "the socket" if session is None else f"session {session}"
    if not socket.messages:
        notes.some("sockets without messages", _why_empty(socket, where))
        return []
    clock = _clock(socket, where, notes)
    frames = []
    previous = iso_time(socket.started) or 0.0
    for number, message in enumerate(socket.messages, 1):
        what = f"{where}: message {number}"
        t = previous if message.time is None else clock(message.time)
        if abs(t) < MAX_TIME_S:
            previous = t
        else:
            notes.some("with such times", f"{what} has an impossible time; it got that of the one before")
        if message.type == "error" or message.opcode == -1:
            notes.some("errors", f"{where}: the browser noted an error: {shown(message.data or 'no text')}")
            continue
        frame = _frame(message, previous, session, what, notes)
        if frame is not None:
            frames.append(frame)
    return frames


def _frame(message: HarMessage, t: float, session: str | None, what: str, notes: Notes) -> Frame | None:
    direction = _DIRECTIONS.get(message.type or "")
    op = _OPS.get(-1 if message.opcode is None else message.opcode)
    if direction is None or op is None:
        notes.some(_LEFT_OUT, f"{what} left out: type {shown(str(message.type))}, opcode {message.opcode}")
        return None
    if message.data is None and op in ("text", "binary"):
        notes.some(_LEFT_OUT, f"{what} left out: it has no data")
        return None
    data = (message.data or "").encode("utf-8", "surrogatepass") if op == "text" else _binary(message.data or "")
    if data is None:
        notes.some(_LEFT_OUT, f"{what} left out: its data is neither base64 nor bytes")
        return None
    if op != "close":
        return Frame(t, direction, op, data, session=session)
    close = close_message(data)
    code = CloseCode.NO_STATUS_RCVD if close.code is None else close.code
    return Frame(t, direction, "close", close.data, code, close.reason, session)


def _binary(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass  # then a character a byte
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return None


def _clock(socket: HarSocket, where: str, notes: Notes) -> Callable[[float], float]:
    """From the file's times of one socket to seconds since the epoch."""
    first = next((m.time for m in socket.messages if m.time is not None), None)
    started = iso_time(socket.started)
    if first is None:
        notes.some("sockets without times", f"{where}: its messages have no times")
        return lambda time: time
    for divisor, _ in _UNITS:
        seconds = first / divisor
        if _EPOCH_S[0] <= seconds < _EPOCH_S[1] and (started is None or abs(seconds - started) < _NEAR_S):
            return lambda time: time / divisor
    begin = 0.0 if started is None else started
    notes.some(
        "sockets with such times",
        f"{where}: its times are not of this clock; its first message was put at "
        + ("0" if started is None else "the socket's start"),
    )
    return lambda time: begin + (time - first)


def _why_empty(socket: HarSocket, where: str) -> str:
    if socket.failure:
        return f"{where} ({shown(socket.url)}) never opened: {shown(socket.failure)}"
    if socket.status and socket.status != "101":
        return f"{where} ({shown(socket.url)}) never opened: status {shown(socket.status)}"
    return f"{where} ({shown(socket.url)}) has no messages in the file: was it recorded with them?"


def iso_time(text: str) -> float | None:
    """ISO 8601 as seconds since the epoch (UTC where it names no zone); None for anything else."""
    try:
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def stated_time(seconds: float) -> str | None:
    """Seconds since the epoch as a capture's ``started_at``; None for a time that no calendar has."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


MAX_SOCKETS: Final = 10_000
_ENTRY: Final = "log.entries.item"
_MESSAGES: Final = f"{_ENTRY}._webSocketMessages"
_MESSAGE: Final = f"{_MESSAGES}.item"
_DEPTH: Final = _MESSAGE.count(".") + 2  # names from the top to a message's member
MAX_NESTING: Final = 1000
_KNOWN: Final = ("type", "time", "opcode", "data")
_ADVICE: Final = {
    FileKind.EMPTY: "",
    FileKind.CAPTURE: " already: icws show, verify, doctor and report read it as it is",
    FileKind.PCAP: "",
    FileKind.GZIP: ": unpack it first",
    FileKind.ZIP: ": unpack it first",
    FileKind.PAGE: "",
}
_QUICK: Final = ijson.get_backend(ijson.backend)
_PATIENT: Final = ijson.get_backend("python")  # many times slower, and with numbers of any size
_PARSE_ERRORS: Final = (ijson.JSONError, UnicodeDecodeError, ValueError, RecursionError, ArithmeticError)
_EXPORT: Final = "export it with the sockets' messages: network panel open before they connect"
_FACTS: Final = {
    f"{_ENTRY}.request.url": "url",
    f"{_ENTRY}.startedDateTime": "started",
    f"{_ENTRY}.response.status": "status",
    f"{_ENTRY}._resourceType": "kind",
    f"{_ENTRY}.response._failureText": "failure",
    f"{_ENTRY}.response._error": "failure",
}


def load_har(path: str | os.PathLike[str], *, url: str = "") -> Capture:
    """Every WebSocket of a HAR file whose URL holds ``url``, its frames in the order of time.

    With several sockets ``Frame.session`` tells them apart. What could not be read, failed sockets
    and errors that the browser noted are lines of ``capture.notes``. Raises CaptureError when the
    file is none, or holds no such WebSocket.
    """
    path = Path(path)
    try:
        found = _read(path, _QUICK)
    except _NumberTooLargeError:
        found = _read(path, _PATIENT)
    sockets = [socket for socket in found.sockets if url in socket.url]
    if not sockets:
        which = f"no WebSocket whose URL holds {url!r}" if url else "no WebSocket"
        raise CaptureError(f"{path} holds {which}: {found.notes[0] if found.notes else _EXPORT}")
    return _capture(sockets, found.notes)


def _read(path: Path, parser: Any) -> _Reader:
    """What ``parser`` (a backend of ijson) finds. Raises CaptureError, and _NumberTooLargeError."""
    with open_file(path) as stream:
        kind = kind_of(stream.peek(START)[:START])
        if kind in _ADVICE:
            raise CaptureError(f"{path} is no HAR file, it is {kind}{_ADVICE[kind]}")
        text, reader = JsonText(stream), _Reader()
        _read_sockets(reader, _events(text, parser), path)
    if text.was_damaged:
        reader.notes.append("not all of the file is UTF-8 text; what is not was replaced by �")
    return reader


def _capture(sockets: list[HarSocket], notes: Notes) -> Capture:
    several = len(sockets) > 1
    streams: list[list[Frame]] = []
    for number, socket in enumerate(sockets, 1):
        session = str(number) if several else None
        if several:
            notes.some("sessions", f"session {session} is {shown(socket.url) or 'a socket without a URL'}")
        streams.append(socket_frames(socket, session, notes))
    frames = list(merge(*streams, key=lambda frame: frame.t))
    if frames and not any(frame.op == "close" for frame in frames):
        notes.append("the file does not say how the sockets closed; a tap records that")
    urls = {socket.url for socket in sockets}
    times = [time for socket in sockets if (time := iso_time(socket.started)) is not None]
    info = SessionInfo(
        gateway_url=encodable(urls.pop() or None) if len(urls) == 1 else None,
        origin="har",
        started_at=stated_time(min(times)) if times else None,
    )
    return Capture(info, frames, notes.counted())


@dataclass(slots=True)
class _Reader:
    """The sockets so far, and what has been read of the entry that is being read."""

    notes: Notes = field(default_factory=Notes)
    sockets: list[HarSocket] = field(default_factory=list)
    socket: HarSocket = field(default_factory=HarSocket)
    message: dict[str, Any] | None = None
    frames: int = 0
    in_log: bool = False

    def take(self, prefix: str, event: str, value: Any) -> HarSocket | None:
        """One event of the parser; a socket when its entry is complete."""
        if event == "map_key":  # its path is still that of the key before
            return None
        if prefix == _ENTRY:
            return self._at_entry(event)
        if prefix == _MESSAGE:
            self._at_message(event)
        elif prefix == _MESSAGES and event == "start_array":
            self.socket.is_socket = True
        elif prefix in _FACTS and event in ("string", "number"):
            setattr(self.socket, _FACTS[prefix], str(value))
        elif self.message is not None and prefix.startswith(_MESSAGE):
            name = prefix[len(_MESSAGE) + 1 :]
            if name in _KNOWN and event in ("string", "number"):
                self.message[name] = value
        elif prefix == "log.entries" and event == "start_array":
            self.in_log = True
        return None

    def _at_entry(self, event: str) -> HarSocket | None:
        if event == "start_map":
            self.socket = HarSocket()
            return None
        return self.done() if event == "end_map" else None

    def _at_message(self, event: str) -> None:
        if event == "start_map":
            self.message = {}
        elif event == "end_map" and self.message is not None:
            if self.frames < MAX_FRAMES:
                self.socket.messages.append(HarMessage.of(self.message))
            elif self.frames == MAX_FRAMES:
                self.notes.append(f"what follows message {MAX_FRAMES} is left out")
            self.frames += 1
            self.message = None
        else:
            where = shown(self.socket.url) or "a socket"
            self.notes.some("that are no objects", f"a WebSocket message of {where} is no object and left out")

    def done(self) -> HarSocket | None:
        """The socket of the entry, if it is one."""
        socket, self.socket = self.socket, HarSocket()
        socket.is_socket = socket.is_socket or socket.kind == "websocket" or socket.url.startswith(("ws:", "wss:"))
        return socket if socket.is_socket else None


def _read_sockets(reader: _Reader, events: Iterator[tuple[str, str, Any]], path: Path) -> None:
    """Each WebSocket of the file; the one that a torn file ends in, too."""
    try:
        for prefix, event, value in events:
            socket = reader.take(prefix, event, value)
            if socket is None:
                continue
            if len(reader.sockets) == MAX_SOCKETS:
                reader.notes.append(f"what follows WebSocket {MAX_SOCKETS} is left out")
                return
            reader.sockets.append(socket)
    except (*_PARSE_ERRORS, OSError) as error:
        if isinstance(error, OSError) and not reader.in_log:
            raise unreadable(path, error) from error
        if not reader.in_log:
            raise CaptureError(f"{path} is no HAR file: not JSON ({_line(error)})") from error
        what = f"could not be read to its end ({error.strerror})" if isinstance(error, OSError) else _torn(error)
        reader.notes.append(f"the file {what}; what came before is kept")
        last = reader.done()
        if last is not None:
            reader.sockets.append(last)
        return
    if not reader.in_log:
        raise CaptureError(f"{path} is no HAR file: it has no log.entries")


class _NumberTooLargeError(Exception):
    """JSON, but no number of C."""


def _events(text: JsonText, parser: Any) -> Iterator[tuple[str, str, Any]]:
    """The parser's events with the dotted path that leads to each, down to where messages have members.

    ijson makes such paths too, but of any length: deep nesting would cost their square.
    """
    path: list[str] = []
    try:
        # Without use_float, the quick one is not safe: a number of more digits than int() takes crashes it.
        for event, value in parser.basic_parse(text, use_float=parser is _QUICK):
            if event in ("end_map", "end_array"):
                path.pop()
            if len(path) <= _DEPTH:
                yield ".".join(path), event, value
            if event == "map_key":
                path[-1] = value
            elif event in ("start_map", "start_array"):
                if len(path) == MAX_NESTING:
                    raise ValueError(f"nested more than {MAX_NESTING} deep")
                path.append("item" if event == "start_array" else "")
    except ijson.JSONError as error:
        if parser is _QUICK and "overflow" in str(error):
            raise _NumberTooLargeError from error
        raise


def _torn(error: Exception) -> str:
    return f"is torn or damaged ({_line(error)})"


def _line(error: Exception) -> str:
    """What the parser says, without the piece of the file that it quotes behind it."""
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return shown(text.partition("\n")[0]).rstrip(".") or type(error).__name__
