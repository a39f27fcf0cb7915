"""What the live panel needs of an explorer, without lists and details: it holds a source and tells of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from icws_explore.analysis.recording import Recording
from icws_explore.lab import Lab
from icws_explore.live.session import Session
from icws_explore.live.tap import Tap


class FakeExplorer:
    """``with_tap``: a lab gets a tap in front of its gateway, whose recording is shown, as in the real one."""

    def __init__(self, *, with_tap: bool = False) -> None:
        self.recording: Recording | None = None
        self.session: Session | None = None
        self.lab: Lab | None = None
        self.tap: Tap | None = None
        self.selected: int | None = None
        self.owned: list[Any] = []
        self.callbacks: list[Callable[[], None]] = []
        self._with_tap = with_tap

    def open(self, source: Any, *, owned: bool = False) -> None:
        if owned:
            self.owned.append(source)
        match source:
            case Lab():
                self.lab, self.session = source, None
                if self._with_tap:
                    self.tap = Tap(source).start()
                    self.recording = self.tap.recording
            case Session():
                self.session = source
                self.recording = source.recording if self.tap is None else self.tap.recording
            case Recording():
                self.recording, self.session, self.lab = source, None, None
        self.changed()

    def changed(self) -> None:
        for callback in list(self.callbacks):
            callback()

    def select(self, frame_number: int) -> None:
        self.selected = frame_number

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    async def end(self) -> None:
        """End all that it owns."""
        for part in reversed(self.owned):
            if isinstance(part, Session):
                await part.close()
            else:
                await asyncio.to_thread(part.stop)
        if self.tap is not None:
            await asyncio.to_thread(self.tap.stop)
