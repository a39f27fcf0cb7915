"""Where a tap's frames go: a capture, a file, and whoever watches."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from icws_explore.capture import Capture, CaptureWriter, Direction, Frame, Op
from icws_explore.protocol.errors import CaptureError

from .clock import Clock

FrameObserver = Callable[[Frame], object]
MAX_NOTES = 1000


class Recorder:
    """Stamps frames with ``clock`` and keeps them; with ``keep`` False only the file and the watchers get them."""

    def __init__(self, capture: Capture, clock: Clock, writer: CaptureWriter | None, *, keep: bool) -> None:
        self.capture = capture
        self.clock = clock
        self.observers: list[FrameObserver] = []
        self.note_observers: list[Callable[[str], object]] = []
        self._writer = writer
        self._keep = keep

    def record(
        self,
        session: str | None,
        direction: Direction,
        op: Op,
        data: bytes = b"",
        code: int | None = None,
        reason: str | None = None,
        *,
        t: float | None = None,
    ) -> None:
        """A frame has passed, now or at ``t`` (seconds since the epoch)."""
        frame = Frame(self.clock.now_s() if t is None else t, direction, op, data, code, reason, session)
        if self._keep:
            self.capture.frames.append(frame)
        self._write(lambda writer: writer.write(frame))
        for observe in self.observers:
            observe(frame)

    def note(self, text: str) -> None:
        """Something worth knowing that no frame says; at most some thousand are kept."""
        if len(self.capture.notes) < MAX_NOTES:
            self.capture.notes.append(text)
            self._write(lambda writer: writer.note(text))
        for observe in self.note_observers:
            observe(text)

    def _write(self, write: Callable[[CaptureWriter], None]) -> None:
        if self._writer is not None:
            try:
                write(self._writer)
            except CaptureError as error:  # a full disk must not end anybody's session
                writer, self._writer = self._writer, None
                with suppress(OSError):  # the end of a gzip file on that disk
                    writer.close()
                self.note(f"recording stopped: {error}")

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
