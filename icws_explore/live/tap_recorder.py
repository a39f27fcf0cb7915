"""Records a tap's frames before they are passed on: in a capture, in a file, and for observers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

from icws_explore.capture import Capture, CaptureWriter, Frame
from icws_explore.protocol.budgets import TAP_FAULT_EVERY_S as FAULT_EVERY_S
from icws_explore.protocol.budgets import TAP_FAULT_KINDS as MAX_KINDS
from icws_explore.protocol.budgets import TAP_NOTES as MAX_NOTES
from icws_explore.protocol.credentials import without_credentials
from icws_explore.protocol.errors import CaptureError

from .clock import Clock

T = TypeVar("T")
FrameObserver = Callable[[Frame], object]
NoteObserver = Callable[[str], object]


class Recorder:
    """Keeps frames and notes. If ``keep`` is False, only the file and the observers get the frames.

    Record a frame first and pass it on afterwards: `record` hands it to the operating system before it returns, so
    nothing is lost if the process is killed. If the file cannot be written, the recording stops, but no session ends.
    """

    def __init__(self, capture: Capture, clock: Clock, writer: CaptureWriter | None, *, keep: bool) -> None:
        self.capture = capture
        self.clock = clock
        self.observers: list[FrameObserver] = []
        self.note_observers: list[NoteObserver] = []
        self._writer = writer
        self._keep = keep
        self._told_at: dict[str, float] = {}
        self._count = 0

    def record(self, *frames: Frame, parts: Iterable[bytes] | None = None) -> None:
        """Record frames that are about to be passed on, in one write. They are in the file when this returns.

        ``parts`` are the frames' lines, if the caller has made them already.
        """
        self._count += len(frames)
        if self._keep:
            self.capture.frames.extend(frames)
        if parts is None:
            self._write(lambda writer: writer.write(*frames))
        else:
            self._write(lambda writer: writer.write_parts(parts))
        for observe in tuple(self.observers):
            self._show(self.observers, observe, frames)

    @property
    def count(self) -> int:
        """How many frames were recorded; the number of the next one."""
        return self._count

    def amend(self, number: int, frame: Frame) -> None:
        """Add to the recorded frame ``number`` what was done to it since: ``frame`` is the same with its change."""
        if self._keep:
            self.capture.frames[number] = frame
        text = f"frame {number} was {frame.did}"
        if len(self.capture.notes) < MAX_NOTES:
            self.capture.notes.append(text)
        self._write(lambda writer: writer.amend(number, frame, text))
        self._tell(text)

    def note(self, text: str) -> None:
        """Add a note about something that no frame shows. Credentials are removed; `MAX_NOTES` notes are kept."""
        text = without_credentials(text)
        if len(self.capture.notes) < MAX_NOTES:
            self.capture.notes.append(text)
            self._write(lambda writer: writer.note(text))
        self._tell(text)

    def _tell(self, text: str) -> None:
        for observe in tuple(self.note_observers):
            self._show(self.note_observers, observe, [text])

    def fault(self, kind: str, text: str) -> None:
        """Add a note that strangers can cause any number of times: one of each kind per minute."""
        now_s = self.clock.now_s()
        if len(self._told_at) >= MAX_KINDS and kind not in self._told_at:
            kind = ""
        if abs(now_s - self._told_at.get(kind, float("-inf"))) >= FAULT_EVERY_S:  # the clock may be set back
            self._told_at[kind] = now_s
            self.note(text)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _show(self, observers: list[Callable[[T], object]], observe: Callable[[T], object], items: Sequence[T]) -> None:
        try:
            for item in items:
                observe(item)
        except Exception as error:  # noqa: BLE001  # an observer's error must not end a session
            observers.remove(observe)
            self.note(f"watch: {type(error).__name__}: {error}; this observer is not called again")

    def _write(self, write: Callable[[CaptureWriter], None]) -> None:
        if self._writer is None:
            return
        try:
            write(self._writer)
        except CaptureError as error:  # a full disk must not end a session
            writer, self._writer = self._writer, None
            with suppress(OSError):  # the end of a gzip file on that disk
                writer.close()
            self.note(f"recording stopped: {error}")
