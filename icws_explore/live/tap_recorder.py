"""Records a tap's frames before they are passed on: in a capture, in a file, and for observers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from icws_explore.capture import Capture, CaptureWriter, Frame
from icws_explore.protocol.credentials import without_credentials
from icws_explore.protocol.errors import CaptureError

from .clock import Clock

T = TypeVar("T")
FrameObserver = Callable[[Frame], object]
NoteObserver = Callable[[str], object]
MAX_NOTES: Final = 1000
FAULT_EVERY_S: Final = 60.0  # seconds between two notes about faults of the same kind
MAX_KINDS: Final = 100  # of faults; some kinds name a page, so strangers could make up any number


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

    def record(self, *frames: Frame, parts: Iterable[bytes] | None = None) -> None:
        """Record frames that are about to be passed on, in one write. They are in the file when this returns.

        ``parts`` are the frames' lines, if the caller has made them already.
        """
        if self._keep:
            self.capture.frames.extend(frames)
        if parts is None:
            self._write(lambda writer: writer.write(*frames))
        else:
            self._write(lambda writer: writer.write_parts(parts))
        for observe in tuple(self.observers):
            self._show(self.observers, observe, frames)

    def note(self, text: str) -> None:
        """Add a note about something that no frame shows. Credentials are removed; `MAX_NOTES` notes are kept."""
        text = without_credentials(text)
        if len(self.capture.notes) < MAX_NOTES:
            self.capture.notes.append(text)
            self._write(lambda writer: writer.note(text))
        for observe in tuple(self.note_observers):
            self._show(self.note_observers, observe, [text])

    def fault(self, kind: str, text: str) -> None:
        """Add a note that strangers can cause any number of times: one of each kind per minute."""
        now_s = self.clock.now_s()
        if len(self._told_at) >= MAX_KINDS and kind not in self._told_at:
            kind = ""
        if now_s - self._told_at.get(kind, float("-inf")) >= FAULT_EVERY_S:
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
