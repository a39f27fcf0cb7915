"""`QueueWatch`: when each message was queued for a gateway, and whether a poll may find any.

The CDK's model is looked into after each message of the canister. A compiled canister can only be polled, which costs
as much as the message did. If it has one gateway, that gateway's own polls are read instead:

- Certified data that has changed since a poll reached the end of the queue means that another poll may find something.
- The messages in the answers were queued at the time that they themselves state, which the CDK takes from the replica.
  Only a canister whose messages state a time at which it did not run gets a later one.

This class polls the canister itself where the gateway's polls do not tell: if none has shown the messages within
LONGEST_UNSEEN_NS, before the canister is upgraded or stopped, and always if a fault can move the canister's clock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from icws_explore.protocol.arguments import PollMessage, PollResult, decode_poll_cached
from icws_explore.protocol.canister import CanisterHost, Outcome, Reply
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.messages import WebsocketMessage
from icws_explore.protocol.principal import Principal

from ..faults import Faults
from ..queues import PolledQueues, Queues, nonce_of
from .event_log import EventLog

# A gateway polls ten times a second. A CDK keeps messages for an ack interval, in which its timers run at least once.
LONGEST_UNSEEN_NS: Final = NS_PER_S


class QueueWatch:
    """Notes in ``event_log`` the messages that ``host``'s canister queues for ``gateways``."""

    def __init__(self, host: CanisterHost, gateways: Sequence[Principal], event_log: EventLog, faults: Faults) -> None:
        self._host = host
        self._gateways = tuple(gateways)
        self._event_log = event_log
        self._has_one_gateway = len(self._gateways) == 1
        self._reads_polls = self._has_one_gateway and type(faults).clock_error_ns is Faults.clock_error_ns
        self._queues: Queues | None = None
        self._certified_data = b""  # after the last message
        self._end: tuple[bytes, int] | None = None  # certified data and nonce of a poll that finds nothing
        self._unseen_ns: list[int] = []  # when certified data changed, since all messages were last seen

    @property
    def clients(self) -> tuple[Principal, ...]:
        """The principals that the canister takes for connected; none if that cannot be seen."""
        return () if self._queues is None else self._queues.clients

    def installed(self, queues: Queues) -> None:
        """The canister has new code, with these queues."""
        self._queues, self._end = queues, None
        self._unseen_ns.clear()

    def may_have_news(self, gateway: Principal, nonce: int) -> bool:
        """Whether a poll from ``nonce`` on may return anything but an empty result. False: it would not."""
        if self._queues is None or self._queues.has_news(gateway, nonce):
            return True
        return self._has_one_gateway and self._end != (self._host.certified_data, nonce)

    def changed(self, now_ns: int) -> None:
        """The canister ran at ``now_ns`` (since the epoch)."""
        before, self._certified_data = self._certified_data, self._host.certified_data
        if not (self._reads_polls and isinstance(self._queues, PolledQueues)):
            self._unseen_ns = [now_ns]
            self.look()
            return
        if self._certified_data != before:
            self._unseen_ns.append(now_ns)
        if self._unseen_ns and now_ns - self._unseen_ns[0] > LONGEST_UNSEEN_NS:
            self.look()

    def polled(self, gateway: Principal, nonce: int, outcome: Outcome) -> None:
        """A poll of the gateway from ``nonce`` on had this outcome."""
        if not self._has_one_gateway:
            return
        self._end = None
        if (result := _result(outcome)) is None:
            return
        reaches_end = not result.messages or result.is_end_of_queue is True
        if reaches_end:
            following = nonce_of(result.messages[-1]) + 1 if result.messages else nonce
            self._end = self._host.certified_data, following
        if not self._unseen_ns or not isinstance(self._queues, PolledQueues):
            return
        messages = self._queues.polled(gateway, nonce, result.messages, reaches_end=reaches_end)
        if messages is not None:
            self._note(messages)
            if reaches_end:
                self._unseen_ns.clear()

    def look(self) -> None:
        """Note every message that is queued by now and was not seen."""
        if self._queues is None or not self._unseen_ns:
            return
        for gateway in self._gateways:
            self._note(self._queues.new_messages(gateway))
        self._unseen_ns.clear()

    def _note(self, messages: Sequence[PollMessage]) -> None:
        for message in messages:
            queued_ns = self._queued_ns(message)
            self._event_log.queued.append((queued_ns, message.key, message.client_key, message.content))

    def _queued_ns(self, message: PollMessage) -> int:
        if len(self._unseen_ns) == 1:
            return self._unseen_ns[0]
        try:
            stated_ns = WebsocketMessage.decode(message.content).timestamp_ns
        except DecodeError:
            return self._unseen_ns[-1]
        return self._unseen_ns[min(bisect_left(self._unseen_ns, stated_ns), len(self._unseen_ns) - 1)]


def _result(outcome: Outcome) -> PollResult | None:
    """The result of a poll; None if it has none."""
    if not isinstance(outcome, Reply):
        return None
    try:
        result = decode_poll_cached(outcome.data)
    except DecodeError:
        return None
    return None if isinstance(result, str) else result
