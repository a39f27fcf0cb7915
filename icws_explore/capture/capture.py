"""A capture: frames in the order they passed, and what was configured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .frame import Frame
from .info import SessionInfo


@dataclass(slots=True)
class Capture:
    """One session's frames, or several sessions' told apart by ``Frame.session``.

    ``notes`` says in plain lines what could not be read of a file (a torn last line, …); a view
    shows them. A live session appends to ``frames`` while views read it: they see a prefix.
    """

    info: SessionInfo = field(default_factory=SessionInfo)
    frames: list[Frame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    def __getitem__(self, index: int) -> Frame:
        return self.frames[index]

    @property
    def session_ids(self) -> list[str | None]:
        """The sessions in order of their first frame; ``[None]`` for a single-session capture."""
        return list(dict.fromkeys(frame.session for frame in self.frames)) or [None]

    def session(self, session_id: str | None) -> Capture:
        """The frames of one session, under the same configuration."""
        return Capture(self.info, [f for f in self.frames if f.session == session_id], list(self.notes))

    @property
    def duration_s(self) -> float:
        """Seconds of the capture's clock between the first and the last frame."""
        if not self.frames:
            return 0.0
        times = [frame.t for frame in self.frames]
        return max(times) - min(times)
