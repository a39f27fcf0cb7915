"""The frames of a growing recording as the explorer lists them: decoded once, filtered, searched, with their marks.

`FrameIndex` takes the frames that were appended since it last looked (`take`), and keeps the numbers of those that the
list shows: all, or those that match the filter, contain the searched text and belong to the chosen session. `rows`
gives the cells of a range of them. Callbacks of widgets come on several threads, so everything shared is locked.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Literal

from icws_explore.analysis.decode import DecodedFrame, shared_frames
from icws_explore.analysis.filter import FrameFilter, compile_filter
from icws_explore.analysis.recording import Recording
from icws_explore.analysis.timing.instants import Instants
from icws_explore.protocol.errors import IcwsError
from icws_explore.views.formatting import one_line, shorten
from icws_explore.views.rows import frame_row

ProofState = Literal["", "passed", "failed", "unchecked"]

MAX_SUMMARY: Final = 300  # characters of a summary in a row
MAX_TAKEN: Final = 2_000  # frames that are decoded at a time; a few hundred milliseconds
MAX_HAYSTACK: Final = 4_000  # characters of a frame that are searched
ALL: Final = ""  # the name that stands for all sessions together

Row = list[Any]


@dataclass(slots=True)
class Choice:
    """What the list shows: ``where`` is an expression of `analysis.filter`, ``text`` is searched without case.

    ``session`` is the name of the only session to show, `ALL` for all of them.
    """

    where: str = ""
    text: str = ""
    session: str = ALL


class FrameIndex:
    """The rows of one recording. ``generation`` counts the choices, so that an answer to an old one is recognised."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.lock = threading.RLock()
        self._taking = threading.Lock()
        self.frames: list[DecodedFrame] = []
        self.instants = Instants(recording.raw)
        self.generation = 0
        self.choice = Choice()
        self.proofs: dict[int, ProofState] = {}
        self.findings: dict[int, str] = {}
        self._where: FrameFilter | None = None
        self._shown: list[int] = []
        self._haystacks: dict[int, str] = {}
        self._latest: dict[tuple[bool, str | None], float] = {}
        self._misplaced: set[int] = set()

    @property
    def start(self) -> float:
        """The time that counts as 0: that of the first frame, in seconds since the epoch."""
        return self.frames[0].frame.t if self.frames else 0.0

    @property
    def has_more(self) -> bool:
        """Whether the recording holds frames that were not taken yet."""
        return len(self.recording.raw) > len(self.frames)

    @property
    def total(self) -> int:
        """How many rows the list has."""
        return len(self._shown)

    @property
    def sessions(self) -> list[str]:
        """The names of the sessions, in the order of their first frames; "" for the one that has no name."""
        with self.lock:
            return [one_line(name or "") for is_http, name in self._latest if not is_http]

    def take(self) -> int:
        """Decode what was appended since, `MAX_TAKEN` frames at most, and return how many frames that were."""
        with self._taking:
            new = list(islice(shared_frames(self.recording.raw, start=len(self.frames)), MAX_TAKEN))
            self._add(new)
        return len(new)

    def _add(self, new: Sequence[DecodedFrame]) -> None:
        """Take frames that are decoded: decoding them is slow, and the list answers meanwhile."""
        with self.lock:
            self.frames += new
            self.instants.feed(new)
            for decoded in new:
                self._see(decoded)
            start = self.start
            self._shown += [decoded.number for decoded in new if self._matches(decoded, start)]

    def _see(self, decoded: DecodedFrame) -> None:
        where = decoded.frame.is_http, decoded.frame.session
        latest = self._latest.get(where)
        if latest is not None and decoded.frame.t < latest:
            self._misplaced.add(decoded.number)
        self._latest[where] = decoded.frame.t if latest is None else max(latest, decoded.frame.t)

    def choose(self, choice: Choice) -> None:
        """Show what ``choice`` says. Raises IcwsError for a filter outside of the language; then nothing changes."""
        where = compile_filter(choice.where) if choice.where.strip() else None
        with self.lock:
            self._where = where
            self.choice = choice
            self.generation += 1
            start = self.start
            self._shown = [decoded.number for decoded in self.frames if self._matches(decoded, start)]

    def _matches(self, decoded: DecodedFrame, start: float) -> bool:
        choice = self.choice
        if choice.session and one_line(decoded.frame.session or "") != choice.session:
            return False
        if self._where is not None and not self._where(decoded, start):
            return False
        return not choice.text or choice.text.casefold() in self._haystack(decoded)

    def _haystack(self, decoded: DecodedFrame) -> str:
        known = self._haystacks.get(decoded.number)
        if known is None:
            known = self._haystacks[decoded.number] = content_text(decoded).casefold()
        return known

    def rows(self, start: int, stop: int) -> list[Row]:
        """The rows ``start`` to ``stop`` of the list. See `row_cells`."""
        with self.lock:
            begin = max(0, start)
            numbers = self._shown[begin : max(begin, stop)]
            before = self.frames[self._shown[begin - 1]].frame.t if begin and numbers else None
            rows = []
            for number in numbers:
                decoded = self.frames[number]
                rows.append(self.row_cells(decoded, before))
                before = decoded.frame.t
            return rows

    def row_cells(self, decoded: DecodedFrame, before: float | None) -> Row:
        """Number, seconds since the first frame and since the row before, direction, kind, sequence number, size,
        summary, session, flags ("closed", "malformed", "misplaced"), state of the proof, worst finding."""
        cells = frame_row(decoded, self.start)
        number, t = decoded.number, decoded.frame.t
        return [
            number,
            round(t - self.start, 6),
            None if before is None else round(t - before, 6),
            decoded.frame.direction,
            decoded.kind,
            cells.sequence,
            decoded.size,
            shorten(cells.summary, MAX_SUMMARY),
            cells.session,
            " ".join([*([cells.flag] if cells.flag else []), *(["misplaced"] if number in self._misplaced else [])]),
            self.proofs.get(number, ""),
            self.findings.get(number, ""),
        ]

    def row_of(self, number: int) -> int:
        """The row of frame ``number``, -1 if the list does not show it."""
        with self.lock:
            row = bisect_left(self._shown, number)
            return row if row < len(self._shown) and self._shown[row] == number else -1

    def mark(self, proofs: Mapping[int, ProofState]) -> dict[int, list[str]]:
        """Take the outcome of verifications, and return the marks of those frames for the list."""
        with self.lock:
            self.proofs.update(proofs)
            return {number: self._marks(number) for number in proofs}

    def mark_findings(self, findings: Mapping[int, str]) -> dict[int, list[str]]:
        """Take the worst finding of each frame, and return the marks of the frames where that is new."""
        with self.lock:
            changed = {n for n in {*findings, *self.findings} if findings.get(n) != self.findings.get(n)}
            self.findings = dict(findings)
            return {number: self._marks(number) for number in changed}

    def _marks(self, number: int) -> list[str]:
        return [self.proofs.get(number, ""), self.findings.get(number, "")]

    def of_session(self, session: str | None) -> list[DecodedFrame]:
        """The frames of one WebSocket session so far."""
        with self.lock:
            return [d for d in self.frames if d.frame.session == session and not d.frame.is_http]


def content_text(decoded: DecodedFrame) -> str:
    """What is searched in a frame: its summary, and the texts, numbers and principals that were decoded."""
    parts = [decoded.summary]
    if decoded.envelope is not None:
        parts += [str(decoded.envelope.method_name or ""), str(decoded.envelope.sender or "")]
    if decoded.canister_message is not None:
        parts.append(decoded.canister_message.key)
    if decoded.frame.reason:
        parts.append(decoded.frame.reason)
    if decoded.frame.op == "text":
        parts.append(decoded.frame.data[:MAX_HAYSTACK].decode("utf-8", "replace"))
    if decoded.has_value:
        parts += _texts([decoded.value])
    return one_line(" ".join(parts)[:MAX_HAYSTACK])


def _texts(values: Iterable[Any]) -> Iterable[str]:
    """The names and values in application data, outermost first, as far as they are searched."""
    todo: list[Any] = list(values)
    size = 0
    while todo and size < MAX_HAYSTACK:
        value = todo.pop(0)
        if isinstance(value, Mapping):
            todo = [*(item for pair in value.items() for item in pair), *todo][:MAX_HAYSTACK]
        elif isinstance(value, (list, tuple)):
            todo = [*value[:MAX_HAYSTACK], *todo][:MAX_HAYSTACK]
        else:
            text = value.hex() if isinstance(value, bytes) else str(getattr(value, "value", value))
            size += len(text) + 1
            yield text[:MAX_HAYSTACK]


def filter_error(where: str) -> str:
    """Why ``where`` is not a filter, in one line; "" if it is one."""
    try:
        if where.strip():
            compile_filter(where)
    except IcwsError as error:
        return one_line(str(error))
    return ""


def worst(findings: Sequence[tuple[int, str]]) -> dict[int, str]:
    """The worst severity of each frame, from pairs of frame and severity, the worst first."""
    found: dict[int, str] = {}
    for number, severity in findings:
        found.setdefault(number, severity)
    return found
