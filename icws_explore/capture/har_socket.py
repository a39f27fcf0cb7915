"""One WebSocket of a HAR file: what its messages mean, in spite of the writers' habits.

A message is ``{type: "send"|"receive"|"error", time, opcode, data}``. Chrome and mitmproxy write
times in seconds since the epoch, Playwright in milliseconds, some in µs or on a clock that began
with the browser. Data is text for opcode 1 and base64 for every other; some write binary data as
text with a character a byte.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from .frame import MAX_TIME_S, Direction, Frame, Op
from .notes import Notes, shown
from .websocket_stream import NO_CODE, close_message

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
    code = NO_CODE if close.code is None else close.code
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
