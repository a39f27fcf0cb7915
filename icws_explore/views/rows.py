"""The rows of a frame list, and which of them a bounded view shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Generic, Literal, TypeVar

from icws_explore.analysis.decode import DecodedFrame, Kind, shared_frames
from icws_explore.capture import Capture

from .formatting import one_line, seconds
from .kinds import ARROWS, LOOKS

MAX_FRAMES: Final = 100  # rows of a frame list in a notebook; more make it slow

Flag = Literal["", "closed", "malformed"]

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class FrameRow:
    """The cells of one frame in a list. ``elapsed`` is in seconds since the list's first frame, ``size`` in bytes.

    ``flag`` marks a close of the session and bytes that do not decode.
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
    """The row of one frame. ``start`` is the time that counts as 0, in seconds since the epoch."""
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
    """The rows of ``frames``. Times count from ``start`` (seconds since the epoch), by default from the first frame."""
    for decoded in frames:
        if start is None:
            start = decoded.frame.t
        yield frame_row(decoded, start)


def _flag(decoded: DecodedFrame) -> Flag:
    if decoded.kind == "malformed" or decoded.error is not None:
        return "malformed"
    return "closed" if decoded.kind == "close" or decoded.frame.op == "close" else ""


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """Consecutive items of a long list; ``left_out`` items before them are not shown.

    Where the end of the list is not shown, the last part is empty and counts what is left out there.
    """

    left_out: int
    items: Sequence[T]

    def map(self, function: Callable[[T], U]) -> Part[U]:
        return Part(self.left_out, [function(item) for item in self.items])


def excerpt(total: int, evidence: Iterable[int] = (), *, limit: int, around: int = 3) -> list[Part[int]]:
    """At most ``limit`` of the rows 0 to ``total``, in order.

    The rows ``around`` each piece of evidence are chosen first, in the order given, for up to half of the limit (all
    of it where the limit is small). The rest is taken from both ends of the list.
    """
    if total <= limit:
        return [Part(0, range(total))] if total else []
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
    return list(_parts(sorted(chosen), total))


def _from_both_ends(total: int) -> Iterator[int]:
    """0, the last, 1, the last but one, and so on."""
    for step in range((total + 1) // 2):
        yield step
        yield total - 1 - step


def _parts(rows: Sequence[int], total: int) -> Iterator[Part[int]]:
    shown = 0  # rows up to here are in a part or counted as left out
    begin = 0  # index in ``rows`` where the next part begins
    for index, row in enumerate(rows):
        if index + 1 == len(rows) or rows[index + 1] != row + 1:
            yield Part(rows[begin] - shown, range(rows[begin], row + 1))
            shown, begin = row + 1, index + 1
    if shown < total:
        yield Part(total - shown, ())


def excerpt_frames(capture: Capture, limit: int | None = MAX_FRAMES) -> list[Part[DecodedFrame]]:
    """At most ``limit`` frames of a recording from its beginning and its end (None: all). Only those are decoded."""
    total = len(capture.frames)

    def decoded(rows: Sequence[int]) -> Sequence[DecodedFrame]:
        return list(islice(shared_frames(capture, start=rows[0]), len(rows))) if rows else ()

    parts = excerpt(total, limit=total if limit is None else limit)
    return [Part(part.left_out, decoded(part.items)) for part in parts]
