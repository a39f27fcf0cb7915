"""A frame as the cells of one row: what the text and the HTML of a frame list both say.

Which frames of a long capture a view shows: the first and the last ones.

Which rows of a long list a report shows: the first, the last, and those around the evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from icws_explore.analysis.decode import DecodedFrame, Kind, shared_frames
from icws_explore.capture import Capture

from .kinds import ARROWS, LOOKS

Flag = Literal["", "closed", "malformed"]

HEADINGS = ("#", "time", "", "kind", "seq", "size", "summary")


@dataclass(frozen=True, slots=True)
class FrameRow:
    """``elapsed`` is in seconds since the capture's first frame, ``size`` in bytes.

    ``flag`` marks what a reader must not miss: the end of the session, and bytes that do not decode.
    """

    number: int
    elapsed: str
    arrow: str
    kind: Kind
    sequence: str
    size: str
    summary: str
    flag: Flag
    session: str

    @property
    def glyph(self) -> str:
        return LOOKS[self.kind].glyph

    @property
    def mark(self) -> str:
        """The flag as one character beside the frame's number."""
        return {"": " ", "closed": "■", "malformed": "!"}[self.flag]


def frame_row(decoded: DecodedFrame, start: float) -> FrameRow:
    """The row of one frame; ``start`` is the first frame's time in seconds since the epoch."""
    return FrameRow(
        number=decoded.number,
        elapsed=seconds(decoded.frame.t - start),
        arrow=ARROWS[decoded.frame.direction],
        kind=decoded.kind,
        sequence="" if decoded.sequence_num is None else str(decoded.sequence_num),
        size=str(decoded.size),
        summary=one_line(decoded.summary),
        flag=_flag(decoded),
        session=one_line(decoded.frame.session or ""),
    )


def frame_rows(frames: Iterable[DecodedFrame], start: float | None = None) -> Iterator[FrameRow]:
    """The rows of ``frames``; times count from ``start``, or else from the first of them."""
    for decoded in frames:
        if start is None:
            start = decoded.frame.t
        yield frame_row(decoded, start)


def _flag(decoded: DecodedFrame) -> Flag:
    if decoded.kind == "malformed" or decoded.error is not None:
        return "malformed"
    return "closed" if decoded.kind == "close" or decoded.frame.op == "close" else ""


def seconds(value: float) -> str:
    """A time or a duration in seconds, to the millisecond."""
    return f"{value:.3f}"


def one_line(text: str) -> str:
    """``text`` without anything that moves a cursor, breaks a line or turns the direction of writing."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def elide(data: bytes, limit: int = 12) -> str:
    """Bytes as hexadecimal on one line, the middle left out where there are more than ``limit``."""
    if len(data) <= limit:
        return f"0x{data.hex()}" if data else "empty"
    head, tail = limit - limit // 3, limit // 3
    return f"0x{data[:head].hex()}…{data[-tail:].hex()} ({len(data)} bytes)"


MAX_FRAMES: Final = 100  # in one list: more makes a notebook slow, and nobody reads them


@dataclass(frozen=True, slots=True)
class FrameWindow:
    """``start`` is the first frame's time, in seconds since the epoch; ``left_out`` lie between head and tail."""

    start: float
    head: list[DecodedFrame]
    left_out: int
    tail: list[DecodedFrame]


def frame_window(capture: Capture, limit: int | None = MAX_FRAMES) -> FrameWindow:
    """At most ``limit`` frames (None: all), half of them from the end. Only those are decoded."""
    total = len(capture.frames)
    start = capture.frames[0].t if total else 0.0
    if limit is None or total <= limit:
        return FrameWindow(start, list(islice(shared_frames(capture), total)), 0, [])
    first = (limit + 1) // 2
    last = limit - first
    head = list(islice(shared_frames(capture), first))
    tail = list(islice(shared_frames(capture, start=total - last), last)) if last else []
    return FrameWindow(start, head, total - len(head) - len(tail), tail)


def excerpt(total: int, evidence: Iterable[int], *, limit: int, around: int = 3) -> list[range]:
    """At most ``limit`` of the rows 0 to ``total``, as ranges in order that do not touch.

    The rows ``around`` each piece of evidence come first, in the order given, in up to half of the limit (all
    of it where the limit is small); head and tail share what is left.
    """
    if total <= limit:
        return [range(total)] if total else []
    chosen: set[int] = set()
    for row in evidence:
        near = set(range(max(0, row - around), min(total, row + around + 1)))
        if len(chosen | near) > max(limit // 2, 2 * around + 1):
            break
        chosen |= near
    for row in _from_both_ends(total):
        if len(chosen) >= limit:
            break
        chosen.add(row)
    return _ranges(chosen)


def _from_both_ends(total: int) -> Iterable[int]:
    """0, the last, 1, the last but one, …"""
    for step in range((total + 1) // 2):
        yield step
        yield total - 1 - step


def _ranges(rows: Collection[int]) -> list[range]:
    found: list[range] = []
    for row in sorted(rows):
        if found and found[-1].stop == row:
            found[-1] = range(found[-1].start, row + 1)
        else:
            found.append(range(row, row + 1))
    return found


def gaps(ranges: Iterable[range], total: int) -> list[int]:
    """How many rows are left out before each range, and behind the last one."""
    at, found = 0, []
    for part in ranges:
        found.append(part.start - at)
        at = part.stop
    return [*found, total - at]
