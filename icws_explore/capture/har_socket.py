"""One WebSocket of a HAR file: what its messages mean, in spite of the writers' habits.

A message is ``{type: "send"|"receive"|"error", time, opcode, data}``. Chrome and mitmproxy write
times in seconds since the epoch, Playwright in milliseconds, some in µs or on a clock that began
with the browser. Data is text for opcode 1 and base64 for every other; some write binary data as
text with a character a byte.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from .frame import Direction, Frame, Op
from .websocket_stream import NO_CODE, close_message

DAY_S: Final = 86_400.0
_NEAR_S: Final = 7 * DAY_S  # a socket may have been open for long, and clocks are set
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
        kind, time, opcode, data = (members.get(name) for name in ("type", "time", "opcode", "data"))
        return cls(
            kind if isinstance(kind, str) else None,
            float(time) if isinstance(time, (int, float)) and abs(time) < 1e30 else None,
            int(opcode) if isinstance(opcode, (int, float)) and math.isfinite(opcode) else None,
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


def socket_frames(socket: HarSocket, session: str | None, notes: list[str]) -> list[Frame]:
    """The socket's frames in the file's order; what is no frame goes into ``notes``."""
    where = "the socket" if session is None else f"session {session}"
    if not socket.messages:
        notes.append(_why_empty(socket, where))
        return []
    clock = _clock(socket, where, notes)
    frames = []
    previous = iso_time(socket.started) or 0.0
    for number, message in enumerate(socket.messages, 1):
        if message.time is not None and math.isfinite(message.time):
            previous = clock(message.time)
        what = f"{where}: message {number}"
        if message.type == "error" or message.opcode == -1:
            notes.append(f"{where}: the browser noted an error: {_shown(message.data or 'no text')}")
            continue
        frame = _frame(message, previous, session, what, notes)
        if frame is not None:
            frames.append(frame)
    return frames


def _frame(message: HarMessage, t: float, session: str | None, what: str, notes: list[str]) -> Frame | None:
    direction = _DIRECTIONS.get(message.type or "")
    op = _OPS.get(-1 if message.opcode is None else message.opcode)
    if direction is None or op is None:
        notes.append(f"{what} left out: type {_shown(str(message.type))}, opcode {message.opcode}")
        return None
    if message.data is None and op in ("text", "binary"):
        notes.append(f"{what} left out: it has no data")
        return None
    data = (message.data or "").encode("utf-8", "surrogatepass") if op == "text" else _binary(message.data or "")
    if data is None:
        notes.append(f"{what} left out: its data is neither base64 nor bytes")
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


def _clock(socket: HarSocket, where: str, notes: list[str]) -> Callable[[float], float]:
    """From the file's times of one socket to seconds since the epoch."""
    first = next((m.time for m in socket.messages if m.time is not None and math.isfinite(m.time)), None)
    started = iso_time(socket.started)
    if first is None:
        notes.append(f"{where}: its messages have no times")
        return lambda time: time
    for divisor, _ in _UNITS:
        seconds = first / divisor
        if _EPOCH_S[0] <= seconds < _EPOCH_S[1] and (started is None or abs(seconds - started) < _NEAR_S):
            return lambda time: time / divisor
    begin = 0.0 if started is None else started
    notes.append(
        f"{where}: its times are not of this clock; its first message was put at "
        + ("0" if started is None else "the socket's start")
    )
    return lambda time: begin + (time - first)


def _why_empty(socket: HarSocket, where: str) -> str:
    if socket.failure:
        return f"{where} ({socket.url}) never opened: {_shown(socket.failure)}"
    if socket.status and socket.status != "101":
        return f"{where} ({socket.url}) never opened: status {_shown(socket.status)}"
    return f"{where} ({socket.url}) has no messages in the file: was it recorded with them?"


def iso_time(text: str) -> float | None:
    """ISO 8601 as seconds since the epoch (UTC where it names no zone); None for anything else."""
    try:
        parsed = datetime.fromisoformat(text)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def stated_time(seconds: float) -> str:
    """Seconds since the epoch as a capture's ``started_at``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else line[:119] + "…"
