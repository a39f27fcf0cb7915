"""Errors of the lab's servers, as events: at most one of each kind in a minute.

asyncio, aiohttp and websockets print a traceback for every error. A stranger who sends garbage to a port, or a process
without free file descriptors, makes them print megabytes. `ServerErrors` takes the place of their loggers and of the
event loop's exception handler, and writes one line to the event log instead.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from .log import LabLog

INTERVAL_S: Final = 60.0  # real seconds between two events of one kind
MAX_KINDS: Final = 100  # all further kinds count as one
MAX_TEXT: Final = 300  # characters of an event


@dataclass(slots=True)
class _Kind:
    """When a kind was last written (real seconds), and how many errors of it were left out since then."""

    written_s: float
    left_out: int = 0


class ServerErrors(logging.Handler):
    """Writes errors to ``log``. ``now_s`` is a clock that counts real seconds."""

    def __init__(self, log: LabLog, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._now_s = now_s
        self._kinds: dict[str, _Kind] = {}
        self.logger = logging.Logger("icws-lab", logging.WARNING)  # noqa: LOG001 -- a shared one would keep handlers
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Write an error that a library has logged."""
        error = record.exc_info[1] if record.exc_info else None
        self.write(str(record.msg), record.getMessage(), error)

    def loop_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Write an error that the event loop reports: use this as its exception handler."""
        message = str(context.get("message", "error in the event loop"))
        self.write(message, message, context.get("exception"))

    def write(self, kind: str, text: str, error: BaseException | None = None) -> None:
        """Write ``text`` and ``error`` in one line, unless this kind of error was written less than a minute ago."""
        if error is not None:
            kind, text = f"{kind} {type(error).__name__}", f"{text}: {type(error).__name__}: {error}"
        now_s = self._now_s()
        if kind not in self._kinds and len(self._kinds) >= MAX_KINDS:
            kind = "others"
        known = self._kinds.get(kind)
        if known is not None and now_s - known.written_s < INTERVAL_S:
            known.left_out += 1
            return
        self._kinds[kind] = _Kind(now_s)
        line = " ".join(text.split())
        line = line if len(line) <= MAX_TEXT else f"{line[:MAX_TEXT]}…"
        more = f" ({known.left_out} more since the last report)" if known is not None and known.left_out else ""
        self._log.write("lab", "error", line + more)
