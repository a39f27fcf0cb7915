"""Rounds: when the replica executes what it has taken up, and who waits for it.

The replica itself is pure (it is told the time); this drives it on an event loop, by the clock.
"""

from __future__ import annotations

import asyncio
from typing import Final

from icws_explore.live.clock import Clock
from icws_explore.live.loop import wait_at_most
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.principal import Principal

from .refusal import Refused
from .replica import Replica, Submission

CALL_TIMEOUT_S: Final = 10.0  # protocol seconds; ingress_message_certificate_timeout_seconds
_MIN_CALL_TIMEOUT_S: Final = 1.0  # real seconds: under a fast clock a busy machine needs some
_DUPLICATE: Final = "Duplicate request. Message is already being tracked and executed."
_TIMED_OUT: Final = "Message did not complete execution and certification within the replica defined timeout."


class Rounds:
    """Runs ``replica`` under ``clock``. `run` is a task's body; the rest is called from its loop."""

    def __init__(self, replica: Replica, clock: Clock) -> None:
        self.replica = replica
        self._clock = clock
        self._wake = asyncio.Event()
        self._waiting: dict[bytes, asyncio.Event] = {}
        self.failure = ""  # what ended `run`, if something other than its cancellation did

    def submit(self, body: bytes, effective_id: Principal) -> Submission:
        """Take up a call. Raises Refused and NotReplicated."""
        if self.failure:
            raise Refused(503, f"The replica has stopped: {self.failure}")
        submission = self.replica.submit(body, effective_id)
        self._wake.set()
        return submission

    def wake(self) -> None:
        """Something has changed that may be due earlier (a canister was installed, a timer set)."""
        self._wake.set()

    async def wait_for(self, submission: Submission) -> str | None:
        """Wait for the call's end. Returns None, or why the caller has to ask read_state instead."""
        if submission.finished:
            return None
        if submission.request_id in self._waiting:
            return _DUPLICATE
        done = self._waiting[submission.request_id] = asyncio.Event()
        try:
            timeout_s = max(self._clock.real_seconds(CALL_TIMEOUT_S), _MIN_CALL_TIMEOUT_S)
            if not await wait_at_most(done, timeout_s):
                return _TIMED_OUT
        finally:
            del self._waiting[submission.request_id]
        return None if self.replica.has_finished(submission.request_id) else _TIMED_OUT

    async def run(self) -> None:
        """Execute what is due, until cancelled; then nobody is left waiting."""
        try:
            await self._run()
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
            raise
        finally:
            for waiting in self._waiting.values():
                waiting.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            due_ns = self.replica.next_due_ns()
            if due_ns is None:
                await self._wake.wait()
                continue
            left_s = self._clock.real_seconds((due_ns - self.replica.now_ns) / NS_PER_S)
            if left_s > 0:
                await wait_at_most(self._wake, left_s)
                continue
            for request_id in self.replica.execute():
                if (waiting := self._waiting.get(request_id)) is not None:
                    waiting.set()
            await asyncio.sleep(0)  # a canister that never runs out of timers must not stop the loop
