"""Captures from HAR files as Chrome, Firefox, Playwright and mitmproxy write them.

HAR 1.2 has no WebSockets. These tools add ``_webSocketMessages`` to an entry. A message is
``{type: "send"|"receive"|"error", time, opcode, data}``. The details differ:

- Chrome and mitmproxy write times in seconds since the epoch, Playwright in milliseconds, others in
  microseconds or on a clock that started with the browser.
- Data is text for opcode 1 and base64 for every other opcode. Some tools write binary data as text with
  one character per byte.

The file is parsed as a stream, so a large file costs little memory and a torn file is read up to the tear.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from heapq import merge
from pathlib import Path
from typing import Any, Final

import ijson

from icws_explore.protocol.budgets import FILE_FRAMES as MAX_FRAMES
from icws_explore.protocol.budgets import FILE_PAGE_CALLS as MAX_PAGE_CALLS
from icws_explore.protocol.budgets import FILE_TEXT as MAX_TEXT
from icws_explore.protocol.budgets import HAR_BODY as MAX_BODY
from icws_explore.protocol.budgets import HAR_NAME as MAX_NAME
from icws_explore.protocol.budgets import HAR_NESTING as MAX_NESTING
from icws_explore.protocol.budgets import HAR_SOCKETS as MAX_SOCKETS
from icws_explore.protocol.close_codes import CloseCode
from icws_explore.protocol.errors import CaptureError

from .capture import Capture, PageCall, SessionInfo
from .files import START, FileKind, JsonText, Notes, kind_of, open_file, shown, unreadable
from .frame import MAX_TIME_S, Direction, Frame, Op, encodable
from .upgrade import Upgrade
from .websocket_stream import close_message

PartiesOf = Callable[[bytes], tuple[str, str] | None]  # from the body of a call: its canister and its sender, as text

DAY_S: Final = 86_400.0
_NEAR_S: Final = 7 * DAY_S  # a socket may stay open for days, and clocks may be wrong
_LARGEST: Final = 1e30  # largest number that is read; nanoseconds since the epoch are 1e18
_LEFT_OUT: Final = "messages left out"
_EPOCH_S: Final = (1e9, 1e10)  # plausible seconds since the epoch: 2001 to 2286
_UNITS: Final = ((1.0, "seconds"), (1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds"))
_DIRECTIONS: Final[Mapping[str, Direction]] = {"send": "out", "receive": "in"}
LOST_MEMBER: Final = "_icws_lost"  # of an error that har_writer.py wrote: the direction of the lost close
REASON_MEMBER: Final = "_icws_reason"
_LOST: Final[Mapping[str, Direction]] = {"in": "in", "out": "out"}
_OPS: Final[Mapping[int, Op]] = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}


@dataclass(frozen=True, slots=True)
class HarMessage:
    """A message as the file has it; None for a member that is missing or of the wrong type.

    ``lost`` and ``reason`` are what har_writer.py adds to an error: which side's connection ended without a close.
    """

    type: str | None
    time: float | None
    opcode: int | None
    data: str | None
    lost: Direction | None = None
    reason: str = ""

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> HarMessage:
        kind, data = members.get("type"), members.get("data")
        opcode = _number(members.get("opcode"))
        return cls(
            kind if isinstance(kind, str) else None,
            _number(members.get("time")),
            None if opcode is None else int(opcode),
            data if isinstance(data, str) else None,
            _LOST.get(str(members.get(LOST_MEMBER))),
            str(members.get(REASON_MEMBER, ""))[:MAX_TEXT],
        )


@dataclass(slots=True)
class HarSocket:
    """An entry of the file. ``started`` is ISO 8601, ``failure`` the reason why the socket never opened.

    ``session``, ``target`` and the two times are what har_writer.py adds: the name of a session, and of an HTTP
    message between gateway and network its target and times (seconds since the epoch).
    """

    url: str = ""
    started: str = ""
    status: str = ""
    kind: str = ""
    failure: str = ""
    is_socket: bool = False
    messages: list[HarMessage] = field(default_factory=list)
    method: str = ""
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)  # of the subprotocol, by "request" and "response"
    session: str = ""
    target: str = ""
    request_t: str = ""
    response_t: str = ""
    reply: str = ""  # base64


def _number(value: object) -> float | None:
    """Return ``value`` as a float if it is a plausible number, else None."""
    if type(value) is float:
        return value if abs(value) < _LARGEST else None
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) < _LARGEST else None


def socket_frames(socket: HarSocket, session: str | None, notes: Notes) -> list[Frame]:
    """Return the socket's frames in the order of the file; ``notes`` gets everything that is not a frame."""
    where = "the socket" if session is None else f"session {session}"
    if not socket.messages:
        notes.some("sockets without messages", _why_empty(socket, where))
        upgrade = _failed_upgrade(socket)
        return [] if upgrade is None else [upgrade.frame(iso_time(socket.started) or 0.0, session)]
    clock = _clock(socket, where, notes)
    frames = []
    previous = iso_time(socket.started) or 0.0
    for number, message in enumerate(socket.messages, 1):
        what = f"{where}: message {number}"
        t = previous if message.time is None else clock(message.time)
        if abs(t) < MAX_TIME_S:
            previous = t
        else:
            notes.some("with such times", f"{what} has an impossible time; the previous time is used")
        if message.lost is not None:
            code = CloseCode.ABNORMAL_CLOSURE
            frames.append(Frame(previous, message.lost, "close", b"", code, encodable(message.reason), session))
            continue
        if message.type == "error" or message.opcode == -1:
            notes.some("errors", f"{where}: the browser recorded an error: {shown(message.data or 'no text')}")
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
        pass  # then it may be one character per byte
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return None


def _clock(socket: HarSocket, where: str, notes: Notes) -> Callable[[float], float]:
    """Return the function that converts one socket's times to seconds since the epoch."""
    first = next((m.time for m in socket.messages if m.time is not None), None)
    started = iso_time(socket.started)
    if first is None:
        notes.some("sockets without times", f"{where}: the messages have no times")
        return lambda time: time
    for divisor, _ in _UNITS:
        seconds = first / divisor
        if _EPOCH_S[0] <= seconds < _EPOCH_S[1] and (started is None or abs(seconds - started) < _NEAR_S):
            return lambda time: time / divisor
    begin = 0.0 if started is None else started
    notes.some(
        "sockets with such times",
        f"{where}: the times are on another clock; the first message is placed at "
        + ("0" if started is None else "the start of the socket"),
    )
    return lambda time: begin + (time - first)


def _why_empty(socket: HarSocket, where: str) -> str:
    if socket.failure:
        return f"{where} ({shown(socket.url)}) never opened: {shown(socket.failure)}"
    if socket.status and socket.status != "101":
        return f"{where} ({shown(socket.url)}) never opened: status {shown(socket.status)}"
    return f"{where} ({shown(socket.url)}) has no messages in the file. {_BROWSERS}"


def _failed_upgrade(socket: HarSocket) -> Upgrade | None:
    """Why the socket never opened; None if the file does not say that it did not.

    A browser writes the status 0 for a request that got no answer.
    """
    status = int(socket.status) if socket.status.isdecimal() and len(socket.status) < 4 else None
    if not socket.failure and status in (None, SWITCHING_PROTOCOLS):
        return None
    asked, confirmed = (socket.headers.get(side, "") for side in ("request", "response"))
    return Upgrade(
        encodable(socket.url), status or 0, *(encodable(text) for text in (socket.failure, asked, confirmed))
    )


def _http_frames(entry: HarSocket) -> Iterator[Frame]:
    """The HTTP messages between gateway and network in an entry that har_writer.py wrote."""
    session, target = encodable(entry.session) or None, encodable(entry.target)
    asked, answered = (_seconds(text) for text in (entry.request_t, entry.response_t))
    if asked is not None:
        yield Frame(asked, "out", "request", _binary_body(entry.body) or b"", reason=target, session=session)
    if answered is not None:
        status = int(entry.status) if entry.status.isdecimal() and len(entry.status) < 4 else 0
        yield Frame(answered, "in", "response", _binary(entry.reply) or b"", status, target, session)


def _seconds(text: str) -> float | None:
    try:
        t = float(text)
    except ValueError:
        return None
    return t if abs(t) < MAX_TIME_S else None


def _page_call(socket: HarSocket, parties_of: PartiesOf) -> PageCall | None:
    """The call to a canister in an entry that is not a socket, with the principal that sent it; None for others."""
    found = _CALL_PATH.search(socket.url)
    data = _binary_body(socket.body) if found is not None and socket.body else None
    parties = None if data is None else parties_of(data)
    return None if parties is None else PageCall(iso_time(socket.started) or 0.0, *parties)


def _binary_body(text: str) -> bytes | None:
    """A body that is text with a character a byte, or base64."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return None


def iso_time(text: str) -> float | None:
    """Convert ISO 8601 to seconds since the epoch (UTC if it names no zone); None for anything else."""
    try:
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def stated_time(seconds: float) -> str | None:
    """Convert seconds since the epoch to RFC 3339; None if no calendar has that time."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


SWITCHING_PROTOCOLS: Final = 101
_CALL_PATH: Final = re.compile(r"/api/v\d/canister/[^/]+/(call|query)")
_BROWSERS: Final = (
    "Chrome, Edge, Firefox and Playwright export the messages of WebSockets, Safari does not; icws tap records them "
    "with any browser."
)
_SUBPROTOCOL: Final = "sec-websocket-protocol"
_ENTRY: Final = "log.entries.item"
_ENTRY_SIDES: Final = (f"{_ENTRY}.request.headers", f"{_ENTRY}.response.headers")
_MESSAGES: Final = f"{_ENTRY}._webSocketMessages"
_MESSAGE: Final = f"{_MESSAGES}.item"
_HEADERS: Final = {f"{_ENTRY}.{side}.headers.item": side for side in ("request", "response")}
_DEPTH: Final = max(_MESSAGE.count("."), *(path.count(".") for path in _HEADERS)) + 2  # names down to a member
_TOO_DEEP: Final = f"nested more than {MAX_NESTING} deep"
_KNOWN: Final = ("type", "time", "opcode", "data", LOST_MEMBER, REASON_MEMBER)
_ADVICE: Final = {
    FileKind.EMPTY: "",
    FileKind.CAPTURE: ": icws show, verify, doctor and report read it without an import",
    FileKind.PCAP: "",
    FileKind.FLOWS: "",
    FileKind.GZIP: ": unpack it first",
    FileKind.ZIP: ": unpack it first",
    FileKind.PAGE: "",
}
_QUICK: Final = ijson.get_backend(ijson.backend)
_PATIENT: Final = ijson.get_backend("python")  # many times slower, but reads numbers of any size
_PARSE_ERRORS: Final = (ijson.JSONError, UnicodeDecodeError, ValueError, RecursionError, ArithmeticError)
_EXPORT: Final = "open the network panel before the page connects. A browser lists no socket that {blocked}"
_FACTS: Final = {
    f"{_ENTRY}.request.url": "url",
    f"{_ENTRY}.startedDateTime": "started",
    f"{_ENTRY}.response.status": "status",
    f"{_ENTRY}._resourceType": "kind",
    f"{_ENTRY}.response._failureText": "failure",
    f"{_ENTRY}.response._error": "failure",
    f"{_ENTRY}.request.method": "method",
    f"{_ENTRY}.request.postData.text": "body",
    f"{_ENTRY}.response.content.text": "reply",
    f"{_ENTRY}._icws.session": "session",
    f"{_ENTRY}._icws.target": "target",
    f"{_ENTRY}._icws.request_t": "request_t",
    f"{_ENTRY}._icws.response_t": "response_t",
}
_BODIES: Final = ("body", "reply")
_COMPLETE: Final = "message"  # the event of a whole WebSocket message


def load_har(path: str | os.PathLike[str], *, url: str = "", parties_of: PartiesOf | None = None) -> Capture:
    """Read every WebSocket of a HAR file whose URL contains ``url``; the frames are in order of time.

    ``Frame.session`` distinguishes several sockets. ``capture.notes`` lists sockets that failed, errors that
    the browser recorded, and everything that could not be read. With ``parties_of``, which reads the body of
    a call, ``capture.page_calls`` lists the page's own calls to canisters. Raises CaptureError if the file is
    not a HAR file or has no such WebSocket.
    """
    path = Path(path)
    try:
        found = _read(path, _QUICK, parties_of)
    except _NumberTooLargeError:
        found = _read(path, _PATIENT, parties_of)
    sockets = [socket for socket in found.sockets if url in socket.url]
    if not sockets:
        which = f"no WebSocket whose URL contains {url!r}" if url else "no WebSocket"
        raise CaptureError(f"{path} has {which}: {found.notes[0] if found.notes else found.advice}")
    capture = _capture(sockets, found.notes, found.http)
    capture.page_calls = list(found.page_calls.values())
    return capture


def _read(path: Path, parser: Any, parties_of: PartiesOf | None) -> _Reader:
    """Read the sockets with ``parser``, a backend of ijson. Raises CaptureError and _NumberTooLargeError."""
    with open_file(path) as stream:
        kind = kind_of(stream.peek(START)[:START])
        if kind in _ADVICE:
            raise CaptureError(f"{path} is not a HAR file, it is {kind}{_ADVICE[kind]}")
        text, reader = JsonText(stream), _Reader(parties_of=parties_of)
        _read_sockets(reader, _events(text, parser), path)
    if text.was_damaged:
        reader.notes.append("some bytes of the file are not UTF-8 text; they are shown as �")
    return reader


def _capture(sockets: list[HarSocket], notes: Notes, http: list[Frame]) -> Capture:
    several = len(sockets) > 1
    streams: list[list[Frame]] = [http]
    named = [encodable(socket.session) for socket in sockets]
    if len(set(named)) < len(named):
        named = [""] * len(named)
    for number, (socket, name) in enumerate(zip(sockets, named, strict=True), 1):
        session = name or (str(number) if several and not any(named) else None)
        if several:
            notes.some("sessions", f"session {session} is {shown(socket.url) or 'a socket without a URL'}")
        streams.append(socket_frames(socket, session, notes))
    frames = list(merge(*streams, key=lambda frame: frame.t))
    if frames and not any(frame.op == "close" for frame in frames):
        notes.append("the file does not say how the sockets closed; record with icws tap to see it")
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
    """The sockets read so far, and the state of the current entry."""

    notes: Notes = field(default_factory=Notes)
    sockets: list[HarSocket] = field(default_factory=list)
    socket: HarSocket = field(default_factory=HarSocket)
    frames: int = 0
    in_log: bool = False
    parties_of: PartiesOf | None = None
    page_calls: dict[tuple[str, str], PageCall] = field(default_factory=dict)
    http: list[Frame] = field(default_factory=list)
    is_https: bool = False  # a page was loaded over https
    header: dict[str, str] = field(default_factory=dict)

    def take(self, prefix: str, event: str, value: Any) -> HarSocket | None:
        """Take one event of the parser. Returns the socket when its entry is complete."""
        if event == _COMPLETE:
            self._at_message(value)
        elif prefix == _ENTRY:
            return self._at_entry(event)
        elif prefix == _MESSAGE:
            where = shown(self.socket.url) or "a socket"
            self.notes.some("that are not objects", f"a WebSocket message of {where} is not an object and left out")
        elif prefix.startswith(_ENTRY_SIDES) and prefix.rpartition(".")[0] in _HEADERS and event == "string":
            self._at_header(prefix, value)
        elif prefix == _MESSAGES and event == "start_array":
            self.socket.is_socket = True
        elif prefix in _FACTS and event in ("string", "number"):
            fact = _FACTS[prefix]
            setattr(self.socket, fact, str(value)[: MAX_BODY if fact in _BODIES else MAX_TEXT])
        elif prefix == "log.entries" and event == "start_array":
            self.in_log = True
        return None

    def _at_entry(self, event: str) -> HarSocket | None:
        if event == "start_map":
            self.socket = HarSocket()
            return None
        return self.done() if event == "end_map" else None

    def _at_message(self, members: dict[str, Any]) -> None:
        if self.frames < MAX_FRAMES:
            self.socket.messages.append(HarMessage.of(members))
        elif self.frames == MAX_FRAMES:
            self.notes.append(f"everything after message {MAX_FRAMES} is left out")
        self.frames += 1

    def _at_header(self, prefix: str, value: str) -> None:
        """A header's name or value: that of the subprotocol is kept."""
        where, _, member = prefix.rpartition(".")
        self.header[member] = value
        if self.header.get("name", "").lower() == _SUBPROTOCOL and "value" in self.header:
            self.socket.headers[_HEADERS[where]] = self.header["value"][:MAX_TEXT]
        if {"name", "value"} <= set(self.header):
            self.header = {}

    @property
    def advice(self) -> str:
        """What to do if there is no socket in the file."""
        mixed = ", or mixed content (a ws:// gateway on this https page)," if self.is_https else ""
        return _EXPORT.format(blocked=f"the page's Content Security Policy{mixed} blocks; its console does")

    def done(self) -> HarSocket | None:
        """Return the current entry if it is a WebSocket."""
        socket, self.socket = self.socket, HarSocket()
        if socket.target:
            room = MAX_FRAMES - len(self.http)
            self.http += list(_http_frames(socket))[:room]
            return None
        socket.is_socket = socket.is_socket or socket.kind == "websocket" or socket.url.startswith(("ws:", "wss:"))
        if not socket.is_socket:
            self.is_https = self.is_https or socket.url.startswith("https:")
            call = None if self.parties_of is None else _page_call(socket, self.parties_of)
            if call is not None and len(self.page_calls) < MAX_PAGE_CALLS:
                self.page_calls.setdefault((call.canister_id, call.sender), call)
        return socket if socket.is_socket else None


def _read_sockets(reader: _Reader, events: Iterator[tuple[str, str, Any]], path: Path) -> None:
    """Read each WebSocket of the file, including an incomplete one at the end of a torn file."""
    try:
        for prefix, event, value in events:
            socket = reader.take(prefix, event, value)
            if socket is None:
                continue
            if len(reader.sockets) == MAX_SOCKETS:
                reader.notes.append(f"everything after WebSocket {MAX_SOCKETS} is left out")
                return
            reader.sockets.append(socket)
    except (*_PARSE_ERRORS, OSError) as error:
        if isinstance(error, OSError) and not reader.in_log:
            raise unreadable(path, error) from error
        if not reader.in_log:
            raise CaptureError(f"{path} is not a HAR file: not JSON ({_line(error)})") from error
        what = f"could not be read to its end ({error.strerror})" if isinstance(error, OSError) else _torn(error)
        reader.notes.append(f"the file {what}; everything before that is kept")
        last = reader.done()
        if last is not None:
            reader.sockets.append(last)
        return
    if not reader.in_log:
        raise CaptureError(f"{path} is not a HAR file: it has no log.entries")


class _NumberTooLargeError(Exception):
    """The JSON has a number that the C parser cannot represent."""


def _events(text: JsonText, parser: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield the parser's events, each with its dotted path, but a WebSocket message as one event with its members.

    ijson can make such paths itself, but not bounded ones: deep nesting would cost the square of its depth.
    """
    above: list[str] = []  # the paths of the open objects and arrays; empty below the known depth
    path = ""
    # Without use_float the C parser is not safe: a number with more digits than int() accepts crashes it.
    parsed = parser.basic_parse(text, use_float=parser is _QUICK)
    try:
        for event, value in parsed:
            text.progressed = True
            if event == "map_key":
                if len(above) <= _DEPTH:
                    name = value if len(value) <= MAX_NAME else ""
                    path = f"{above[-1]}.{name}" if above[-1] else name
                continue
            if event == "start_map" and path == _MESSAGE:
                yield path, _COMPLETE, _members(parsed, text)
                continue
            if event in ("end_map", "end_array"):
                path = above.pop()
            if len(above) <= _DEPTH:
                yield path, event, value
            if event in ("start_map", "start_array"):
                if len(above) == MAX_NESTING:
                    raise ValueError(_TOO_DEEP)
                above.append(path if len(above) <= _DEPTH else "")
                if event == "start_array":
                    path = f"{path}.item" if len(above) <= _DEPTH else ""
    except ijson.JSONError as error:
        if parser is _QUICK and "overflow" in str(error):
            raise _NumberTooLargeError from error
        raise


def _members(parsed: Iterator[tuple[str, Any]], text: JsonText) -> dict[str, Any]:
    """The members of a WebSocket message, read up to its end. Objects and arrays in it are skipped."""
    members: dict[str, Any] = {}
    name = ""
    depth = 0
    for event, value in parsed:
        text.progressed = True
        if event == "map_key":
            name = value
        elif event in ("string", "number"):
            if depth == 0 and name in _KNOWN:
                members[name] = value
        elif event in ("start_map", "start_array"):
            depth += 1
            if depth == MAX_NESTING:
                raise ValueError(_TOO_DEEP)
        elif event in ("end_map", "end_array"):
            if depth == 0:
                break
            depth -= 1
    return members


def _torn(error: Exception) -> str:
    return f"is torn or damaged ({_line(error)})"


def _line(error: Exception) -> str:
    """Return the parser's message without the piece of the file that it quotes."""
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return shown(text.partition("\n")[0]).rstrip(".") or type(error).__name__
