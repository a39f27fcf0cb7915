"""The two lanes of a tapped connection while breakpoints, faults or scripts are set: frames instead of bytes.

A relay passes bytes on as they came. While somebody may act on frames, it takes each direction apart into messages,
sends each through a lane (`live.breakpoints`), and puts what comes out together as new frames: unfragmented, and masked
towards the gateway. It changes over between two messages.

The recording shows the client's side. A client's frame is recorded when it comes, and what is done to it is added to
it afterwards. A frame for the client is recorded when it leaves, as the client gets it; one that never leaves,
as a note.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from websockets.frames import Frame as Packed
from websockets.frames import Opcode

from icws_explore.analysis.decode import decode_frame
from icws_explore.capture import Direction, Frame, Op
from icws_explore.protocol.close_codes import CloseCode

from .breakpoints import ControlledLane, PathControl
from .path import Outcome
from .tap_recorder import Recorder

_OPCODES: Final[dict[Op, Opcode]] = {
    "text": Opcode.TEXT,
    "binary": Opcode.BINARY,
    "ping": Opcode.PING,
    "pong": Opcode.PONG,
    "close": Opcode.CLOSE,
}


def packed(frame: Frame, *, masked: bool) -> bytes:
    """Return a WebSocket frame with this content."""
    data = frame.data
    if frame.op == "close" and not data and frame.code not in (None, CloseCode.NO_STATUS_RCVD):
        data = struct.pack("!H", frame.code) + (frame.reason or "").encode()
    return Packed(_OPCODES[frame.op], data).serialize(mask=masked)


class FrameLane:
    """One direction of a connection. ``write`` sends bytes to the receiver, ``moved`` is called after each outcome."""

    def __init__(
        self,
        control: PathControl,
        direction: Direction,
        recorder: Recorder,
        *,
        write: Callable[[bytes], None],
        moved: Callable[[], None],
    ) -> None:
        self._direction = direction
        self._recorder = recorder
        self._write = write
        self._moved = moved
        self._is_recorded = True
        self.has_recorded = False  # whether a frame has passed that is in the recording
        self._lane: ControlledLane = control.lane(direction, self._carry)

    @property
    def is_empty(self) -> bool:
        return self._lane.is_empty

    @property
    def is_full(self) -> bool:
        """Whether nothing more may be read from the sender."""
        return self._lane.is_full

    def take(self, frame: Frame, *, is_recorded: bool) -> None:
        """Take a message. ``is_recorded`` False: the session is over its budget."""
        number = None
        if self._direction == "out" and is_recorded:
            number = self._recorder.count
            self._recorder.record(frame)
        self._is_recorded = is_recorded
        self._lane.take(frame, number)

    def end(self, why: str) -> None:
        """Drop what is in it, because of ``why``."""
        self._lane.end(why)

    def _carry(self, outcome: Outcome) -> None:
        if self._direction == "out":
            self._carry_out(outcome)
        else:
            self._carry_in(outcome)
        self._moved()

    def _carry_out(self, outcome: Outcome) -> None:
        if outcome.did and outcome.number is not None:
            first = outcome.data[0] if outcome.data else None
            far = None if first == outcome.frame.data else first
            self._recorder.amend(outcome.number, replace(outcome.frame, did=outcome.did, far=far))
        for frame in outcome.sent:
            self._write(packed(frame, masked=True))

    def _carry_in(self, outcome: Outcome) -> None:
        if not outcome.data:
            came = decode_frame(outcome.frame)
            size = f"{came.size} bytes"
            self._recorder.note(f"session {came.frame.session}: from the gateway, {came.kind} ({size}): {outcome.did}")
        for sent in outcome.sent:
            far = None if sent.data == outcome.frame.data else outcome.frame.data
            if self._is_recorded:
                t = self._recorder.clock.now_s()
                self.has_recorded = True
                self._recorder.record(replace(sent, t=t, did=outcome.did or None, far=far))
            self._write(packed(sent, masked=False))
