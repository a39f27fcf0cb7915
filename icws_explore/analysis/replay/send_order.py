"""The order in which a recorded client sent its numbers, held against the SDK's own ack queue.

A keep-alive of ic-websocket-js 0.5.0 bypasses the queue of messages, and signing is asynchronous: the two
can leave the other way round (misbehaviours: KEEPALIVE_RACE). The SDK notices when it notes down the
lower number behind the higher one, and closes. The client's machine signs at once and never comes to that.
"""

from __future__ import annotations

from icws_explore.protocol.client.ack_queue import AckQueue
from icws_explore.protocol.constants import FIRST_SEQUENCE_NUM, NS_PER_S
from icws_explore.protocol.errors import StateError
from icws_explore.protocol.service_messages import AckMessage

from ..decode import DecodedFrame

RACE_REASON = "Message sending failed"


class SendOrder:
    """Feed it the decoded frames of one session in their order. ``ack_timeout_ms`` as the client's machine has it."""

    def __init__(self, ack_timeout_ms: int) -> None:
        self._queue = AckQueue(ack_timeout_ms)
        self._last_kind = ""

    def feed(self, decoded: DecodedFrame) -> str | None:
        """The SDK's text for its user if it closes at this frame, because a keep-alive and a message raced."""
        now_ns = round(decoded.frame.t * NS_PER_S)
        if decoded.frame.direction == "in":
            if isinstance(decoded.service, AckMessage):
                number = decoded.service.last_incoming_sequence_num
                if self._queue.refusal(number) is None:
                    self._queue.ack(number, now_ns)
            return None
        if decoded.kind not in ("message", "keep_alive") or decoded.sequence_num is None:
            return None
        kinds = {decoded.kind, self._last_kind}
        try:
            self._queue.add(decoded.sequence_num, now_ns)
        except StateError as error:
            return f"{RACE_REASON}: Error: {error}" if kinds == {"message", "keep_alive"} else None
        self._last_kind = decoded.kind
        return None


class Numbering:
    """Counts what a client sends. A keep-alive and a message beside it may have changed places, as the SDK's do."""

    def __init__(self) -> None:
        self._next_number = FIRST_SEQUENCE_NUM
        self._ahead: DecodedFrame | None = None  # came one number too early

    def check(self, decoded: DecodedFrame) -> tuple[DecodedFrame, int] | None:
        """The frame that is out of order for a reason of its own, and the number that the SDK would have given it."""
        expected, self._next_number = self._next_number, self._next_number + 1
        number = decoded.sequence_num
        if (ahead := self._ahead) is not None:
            self._ahead = None
            is_race = number == expected - 1 and {ahead.kind, decoded.kind} == {"message", "keep_alive"}
            return None if is_race else (ahead, expected - 1)
        if number == expected + 1:
            self._ahead = decoded
            return None
        return None if number == expected else (decoded, expected)

    def end(self) -> tuple[DecodedFrame, int] | None:
        """As `check`, when nothing comes any more."""
        return None if self._ahead is None else (self._ahead, self._next_number - 1)
