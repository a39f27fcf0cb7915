"""A frame as the cells of one row: what the text and the HTML of a frame list both say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from icws_explore.analysis.decode import DecodedFrame, Kind

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
