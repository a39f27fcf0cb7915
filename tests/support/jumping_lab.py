"""A lab whose long waits are jumped over, so that nothing in it is late on a busy machine and nothing takes long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Self, TypeVar
from unittest import mock

from icws_explore.lab import Lab
from icws_explore.lab import lab as lab_module
from icws_explore.live.clock import RealClock
from icws_explore.protocol.constants import NS_PER_S

T = TypeVar("T")

LOOK_S = 0.01
PATIENCE_S = 120.0  # real seconds, for what takes milliseconds, or the start of a process
ACKS_SENT = "Sent ack messages to all clients"
KEEP_ALIVES_CHECKED = "Checked keep alive messages for all clients"


class JumpingClock(RealClock):
    """The machine's clock, but it jumps ahead when it is told to. Who waits for it looks at it every `LOOK_S`."""

    def __init__(self) -> None:
        self._ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self._ahead_ns

    def jump(self, duration_ns: int) -> None:
        self._ahead_ns += max(duration_ns, 0)

    def real_seconds(self, protocol_s: float) -> float:
        return min(protocol_s, LOOK_S)

    async def sleep(self, seconds: float) -> None:
        end_ns = self.now_ns() + round(seconds * NS_PER_S)
        await asyncio.sleep(0)
        while (left_ns := end_ns - self.now_ns()) > 0:  # noqa: ASYNC110 -- nothing tells that the clock has moved
            await asyncio.sleep(self.real_seconds(left_ns / NS_PER_S))


class JumpingLab(Lab):
    """A `Lab` at the machine's pace in which an ack interval is over when the test says so.

    A keep-alive has its whole time-out of real seconds. What is on its way at a jump is so much older behind it: a
    request expires after some minutes, so wait for the answer before an interval of minutes passes. The methods block
    the thread that calls them, and with it its event loop; ``await asyncio.to_thread(lab.pass_interval)`` does not.
    """

    def start(self) -> Self:
        with mock.patch.object(lab_module, "clock_of_scale", return_value=JumpingClock()):
            return super().start()

    def send_acks(self) -> int:
        """Jump to when the canister sends its next acks; when that was, ns."""
        return self._jump_to(ACKS_SENT)

    def check_keep_alives(self) -> int:
        """Jump to when the canister checks whose keep-alive has not come; when that was, ns."""
        return self._jump_to(KEEP_ALIVES_CHECKED)

    def pass_interval(self) -> None:
        """An ack for each client, each client's keep-alive, and the canister's check of them."""
        sent_ns = self.send_acks()
        wait_for(lambda: all(client.last_keep_alive_ns >= sent_ns for client in self.canister().clients))
        self.check_keep_alives()

    def _jump_to(self, printed: str) -> int:
        """From one of the replica's times to the next, until the canister has printed that once more."""
        before = len(self._printed(printed))

        def look() -> list[int]:
            found = self._printed(printed)[before:]
            due_ns = self._running_network.replica.next_due_ns()
            if not found and due_ns is not None:
                self._jumping.jump(due_ns - self._clock.now_ns())
            return found

        return wait_for(lambda: self._call(look))[0]  # in the lab's thread: nothing comes between look and jump

    @property
    def _jumping(self) -> JumpingClock:
        assert isinstance(self._clock, JumpingClock)
        return self._clock

    def _printed(self, text: str) -> list[int]:
        return [event.t_ns for event in self.events if event.kind == "printed" and event.text.endswith(text)]


def wait_for(holds: Callable[[], T]) -> T:
    """Wait until ``holds`` returns something true, and return that. Blocks this thread."""
    end = time.monotonic() + PATIENCE_S
    while not (found := holds()):
        assert time.monotonic() < end, "it does not come to it"
        time.sleep(LOOK_S)
    return found
