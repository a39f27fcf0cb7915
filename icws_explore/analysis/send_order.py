"""The order in which a recorded client sent its numbers, held against the SDK's own ack queue.

A keep-alive of ic-websocket-js 0.5.0 bypasses the queue of messages, and signing is asynchronous: the two
can leave the other way round (misbehaviours: KEEPALIVE_RACE). The SDK notices when it notes down the
lower number behind the higher one, and closes. The client's machine signs at once and never comes to that.
"""

from __future__ import annotations

from icws_explore.protocol.ack_queue import AckQueue
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import StateError
from icws_explore.protocol.service_messages import AckMessage

from .decode import DecodedFrame

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
