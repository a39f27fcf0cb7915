"""One direction of a simulated WebSocket: TCP, so what is sent arrives, and in order."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from icws_explore.protocol.gateway.events import FrameKind

from .conditions import Legs
from .scheduler import Timeline


class Leg:
    """``on_frame(op, data)`` gets what arrives, ``on_drop(code)`` the end of the connection from the sender's side."""

    def __init__(
        self,
        timeline: Timeline,
        legs: Legs,
        dice: random.Random,
        on_frame: Callable[[FrameKind, bytes], None],
        on_drop: Callable[[int | None], None] | None = None,
    ) -> None:
        self.is_closed = False
        self._timeline = timeline
        self._legs = legs
        self._dice = dice
        self._on_frame = on_frame
        self._on_drop = on_drop
        self._last_ns = 0  # when the latest of what is under way arrives
        self._is_ending = False

    @property
    def is_unused(self) -> bool:
        """Whether nothing has been sent yet."""
        return self._last_ns == 0

    def connect(self, action: Callable[..., None], *args: Any) -> None:
        """Open the connection; ``action`` is the other side's part of it."""
        self._timeline.at(self._next_ns(), action, *args)

    def send(self, data: bytes, op: FrameKind = "binary") -> None:
        """Send a frame. Nothing once the connection has ended."""
        if not self._is_ending and not self.is_closed:
            self._timeline.at(self._next_ns(), self._arrive, op, data)

    def drop(self, code: int | None) -> None:
        """End the connection, behind what was sent: None with a close frame without a code, 1006 without a frame."""
        if not self._is_ending and not self.is_closed:
            self._is_ending = True
            self._timeline.at(self._next_ns(), self._dropped, code)

    def cut(self) -> None:
        """It is over at once; what is under way does not arrive."""
        self.is_closed = True

    def _next_ns(self) -> int:
        # What was sent earlier arrives earlier: a packet that waits for its retransmission holds up the rest.
        self._last_ns = max(self._timeline.now_ns + self._legs.client_ns(self._dice), self._last_ns)
        return self._last_ns

    def _arrive(self, op: FrameKind, data: bytes) -> None:
        if not self.is_closed:
            self._on_frame(op, data)

    def _dropped(self, code: int | None) -> None:
        if not self.is_closed:
            self.is_closed = True
            if self._on_drop is not None:
                self._on_drop(code)
