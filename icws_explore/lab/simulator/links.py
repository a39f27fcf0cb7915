"""`SimLink`: one direction of a simulated WebSocket. It is TCP, so everything arrives and in order."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from icws_explore.protocol.gateway.events import FrameKind

from .conditions import LatencyModel
from .scheduler import VirtualScheduler


class SimLink:
    """Calls ``on_frame(kind, data)`` for each arriving frame, and ``on_drop(code)`` when the sender has closed."""

    def __init__(
        self,
        scheduler: VirtualScheduler,
        latency: LatencyModel,
        rng: random.Random,
        on_frame: Callable[[FrameKind, bytes], None],
        on_drop: Callable[[int | None], None] | None = None,
    ) -> None:
        self.is_closed = False
        self._scheduler = scheduler
        self._latency = latency
        self._rng = rng
        self._on_frame = on_frame
        self._on_drop = on_drop
        self._last_arrival_ns = 0  # of everything that is under way
        self._is_dropped = False

    @property
    def is_unused(self) -> bool:
        """Whether nothing was sent yet."""
        return self._last_arrival_ns == 0

    def connect(self, action: Callable[..., None], *args: Any) -> None:
        """Open the connection: the other side calls ``action(*args)`` after one latency."""
        self._scheduler.at(self._arrival_ns(), action, *args)

    def send(self, data: bytes, kind: FrameKind = "binary") -> None:
        """Send a frame. Does nothing once the connection has ended."""
        if not self._is_dropped and not self.is_closed:
            self._scheduler.at(self._arrival_ns(), self._arrive, kind, data)

    def drop(self, code: int | None) -> None:
        """End the connection after everything that was sent.

        ``code`` None: with a close frame that has no code. 1006: without a close frame.
        """
        if not self._is_dropped and not self.is_closed:
            self._is_dropped = True
            self._scheduler.at(self._arrival_ns(), self._end, code)

    def cut(self) -> None:
        """End the connection now. What is under way does not arrive."""
        self.is_closed = True

    def _arrival_ns(self) -> int:
        # A packet that waits for its retransmission delays everything behind it.
        self._last_arrival_ns = max(self._scheduler.now_ns + self._latency.packet_ns(self._rng), self._last_arrival_ns)
        return self._last_arrival_ns

    def _arrive(self, kind: FrameKind, data: bytes) -> None:
        if not self.is_closed:
            self._on_frame(kind, data)

    def _end(self, code: int | None) -> None:
        if not self.is_closed:
            self.is_closed = True
            if self._on_drop is not None:
                self._on_drop(code)
