"""Background work for a widget, of which only the newest request matters.

A user who drags a slider or turns the wheel requests many pictures a second. One request runs at a time, in a thread,
so the kernel stays responsive. Of the requests that arrive meanwhile only the newest is kept. Long work can check
`Newest.is_old` and stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

Work: TypeAlias = Callable[[], Any]


class Superseded(Exception):  # noqa: N818  # not an error: a newer request waits
    """Raised by work that stops because a newer request waits."""


class Newest:
    """Runs the newest of several requests. Without a running event loop, each request runs at once."""

    def __init__(self) -> None:
        self._waiting: tuple[Work, Callable[[Any], None], Callable[[Exception], None]] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_old(self) -> bool:
        """Whether a newer request waits for the running work to end."""
        return self._waiting is not None

    def ask(self, work: Work, done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
        """Run ``work`` in a thread, then ``done`` with its result or ``failed`` with its error on the event loop."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            _finish(work, done, failed)
            return
        self._waiting = (work, done, failed)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run(), name="icws-newest")

    async def _run(self) -> None:
        while self._waiting is not None:
            (work, done, failed), self._waiting = self._waiting, None
            try:
                result = await asyncio.to_thread(work)
            except Superseded:
                continue
            except Exception as error:  # noqa: BLE001  # an error in a task would be lost
                failed(error)
            else:
                done(result)

    async def wait(self) -> None:
        """Wait until all requests are done."""
        while self._task is not None and not self._task.done():
            await self._task


def _finish(work: Work, done: Callable[[Any], None], failed: Callable[[Exception], None]) -> None:
    try:
        result = work()
    except Exception as error:  # noqa: BLE001  # as in the background
        failed(error)
    else:
        done(result)
