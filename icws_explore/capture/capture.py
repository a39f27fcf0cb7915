"""A capture: frames in the order they passed, and what was configured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .frame import Frame
from .info import SessionInfo


@dataclass(slots=True)
class Capture:
    """One session's frames, or several sessions' told apart by ``Frame.session``.

    ``notes`` says in plain lines what could not be read of a file (a torn last line, …); a view
    shows them. A live session appends to ``frames`` while views read it: they see a prefix. ``kept`` is
    for whoever works something out of the frames and does not want to do it again (analysis/decode.py).
    """

    info: SessionInfo = field(default_factory=SessionInfo)
    frames: list[Frame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kept: Any = field(default=None, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    def __getitem__(self, index: int) -> Frame:
        return self.frames[index]

    @property
    def session_ids(self) -> list[str | None]:
        """The WebSocket sessions in order of their first frame; ``[None]`` for a single-session capture."""
        return list(dict.fromkeys(frame.session for frame in self.frames if not frame.is_http)) or [None]

    def session(self, session_id: str | None) -> Capture:
        """The frames of one WebSocket session, under the same configuration."""
        frames = [frame for frame in self.frames if frame.session == session_id and not frame.is_http]
        return Capture(self.info, frames, list(self.notes))

    @property
    def http(self) -> list[Frame]:
        """What passed between the gateway and its network, where that was recorded."""
        return [frame for frame in self.frames if frame.is_http]

    @property
    def duration_s(self) -> float:
        """Seconds of the capture's clock between the first and the last frame."""
        if not self.frames:
            return 0.0
        times = [frame.t for frame in self.frames]
        return max(times) - min(times)
