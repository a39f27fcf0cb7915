"""The queues of messages that a canister keeps for its gateways, seen from outside the protocol.

`CdkQueues` looks into the CDK's model. A compiled canister cannot be looked into: `PolledQueues` polls it, as a gateway
does, whenever its certified data has changed, for every message that a CDK queues is certified.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from icws_explore.protocol.arguments import PollMessage, decode_poll_result, encode_poll_args
from icws_explore.protocol.canister import CanisterHost, Reply, WebSocketCdk
from icws_explore.protocol.errors import DecodeError
from icws_explore.protocol.principal import Principal

MAX_POLLS: Final = 1_000  # of one look; a canister may answer every poll with the same messages


class Queues(Protocol):
    """The queues of one canister."""

    @property
    def clients(self) -> tuple[Principal, ...]:
        """The clients that the canister takes for connected; none if that cannot be seen."""

    def has_news(self, gateway: Principal, nonce: int) -> bool:
        """Whether a poll of this gateway from ``nonce`` on would return messages."""

    def new_messages(self, gateway: Principal) -> list[PollMessage]:
        """Return the messages queued for a gateway since the last call, or all if its nonces have started anew."""


class CdkQueues:
    """The queues of a canister that runs on the CDK's model."""

    def __init__(self, cdk: WebSocketCdk) -> None:
        self._cdk = cdk
        self._seen: dict[Principal, int] = {}  # by gateway: the nonce up to which messages were returned

    @property
    def clients(self) -> tuple[Principal, ...]:
        return self._cdk.clients

    def has_news(self, gateway: Principal, nonce: int) -> bool:
        return self._cdk.has_news(gateway, nonce)

    def new_messages(self, gateway: Principal) -> list[PollMessage]:
        following, seen = self._cdk.next_nonce(gateway), self._seen.get(gateway, 0)
        if following == seen:
            return []
        self._seen[gateway] = following
        # The nonces of a forgotten gateway start at 0 again.
        return self._cdk.messages_from(gateway, seen if following > seen else 0)


class PolledQueues:
    """The queues of any canister with ws_get_messages. ``now_ns`` is its clock, ns since the epoch."""

    def __init__(self, host: CanisterHost, now_ns: Callable[[], int]) -> None:
        self._host = host
        self._now_ns = now_ns
        self._next: dict[Principal, int] = {}  # by gateway: the nonce of its next message
        self._looked: dict[Principal, bytes] = {}  # by gateway: the certified data at the last look

    @property
    def clients(self) -> tuple[Principal, ...]:
        return ()

    def has_news(self, gateway: Principal, nonce: int) -> bool:
        return self._next.get(gateway, 0) > nonce

    def new_messages(self, gateway: Principal) -> list[PollMessage]:
        if self._looked.get(gateway) == self._host.certified_data:
            return []
        self._looked[gateway] = self._host.certified_data
        known = self._next.get(gateway, 0)
        messages = self.messages_from(gateway, known)
        if not messages and known:  # it may have forgotten the gateway, and begun anew
            messages = self.messages_from(gateway, 0)
            if messages and nonce_of(messages[-1]) == known - 1:
                return []
        self._next[gateway] = nonce_of(messages[-1]) + 1 if messages else 0
        return messages

    def polled(
        self, gateway: Principal, nonce: int, messages: Sequence[PollMessage], *, reaches_end: bool
    ) -> list[PollMessage] | None:
        """A poll of the gateway from ``nonce`` on has just returned these messages. Return those that are new.

        None: the poll does not show all that was queued before, as after an upgrade. `new_messages` does.
        """
        known = self._next.get(gateway, 0)
        following = nonce_of(messages[-1]) + 1 if messages else 0
        if nonce > known or following < known or not messages:
            return None
        self._next[gateway] = following
        if reaches_end:
            self._looked[gateway] = self._host.certified_data
        return [message for message in messages if nonce_of(message) >= known]

    def messages_from(self, gateway: Principal, nonce: int) -> list[PollMessage]:
        """Return the messages queued for a gateway from ``nonce`` on."""
        messages: list[PollMessage] = []
        for _ in range(MAX_POLLS):
            arg = encode_poll_args(nonce)
            outcome = self._host.look("ws_get_messages", arg, caller=gateway, now_ns=self._now_ns())
            if not isinstance(outcome, Reply):
                break
            try:
                result = decode_poll_result(outcome.data)
            except DecodeError:
                break
            if isinstance(result, str) or not result.messages or nonce_of(result.messages[-1]) < nonce:
                break
            messages += result.messages
            if result.is_end_of_queue is not False:
                break
            nonce = nonce_of(result.messages[-1]) + 1
        return messages


def nonce_of(message: PollMessage) -> int:
    """The nonce at the end of a message's key; -1 if it has none."""
    digits = message.key.rpartition("_")[2]
    return int(digits) if len(digits) <= 20 and digits.isascii() and digits.isdigit() else -1
