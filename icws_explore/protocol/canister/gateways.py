"""The gateways a canister knows, each with its queue of messages to poll.

A gateway is registered by its first client and forgotten at the first keep-alive check that comes
more than an ack interval after its last client left; one that is forgotten starts at nonce 0 again.
Source: RegisteredGateway in types.rs and Types.mo, the gateway functions of state.rs and State.mo.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..arguments import PollMessage
from ..constants import FIRST_GATEWAY_NONCE, MESSAGES_DELETED_PER_SEND
from ..principal import Principal
from .queue import Queue


@dataclass(frozen=True, slots=True)
class Gateway:
    """``next_nonce`` names the next message; the queue holds the last ones without a gap. Times are ns."""

    queue: Queue[tuple[PollMessage, int]] = field(default_factory=Queue)
    next_nonce: int = FIRST_GATEWAY_NONCE
    clients: int = 0

    def with_message(self, message: PollMessage, now_ns: int) -> Gateway:
        return replace(self, queue=self.queue.append((message, now_ns)), next_nonce=self.next_nonce + 1)

    def drop_oldest(self, count: int) -> Gateway:
        return replace(self, queue=self.queue.drop(count))

    def old_keys(self, now_ns: int, max_age_ns: int) -> list[str]:
        """Keys of the messages that a send deletes: the first few, if older than ``max_age_ns``."""
        oldest = self.queue.slice(0, MESSAGES_DELETED_PER_SEND)
        return [message.key for message, timestamp_ns in oldest if now_ns - timestamp_ns > max_age_ns]

    def poll(self, nonce: int, limit: int) -> tuple[list[PollMessage], bool]:
        """Up to ``limit`` messages from ``nonce`` on, and whether these are the last ones."""
        first_nonce = self.next_nonce - len(self.queue)
        start = min(max(nonce - first_nonce, 0), len(self.queue))
        messages = [message for message, _ in self.queue.slice(start, start + limit)]
        # An empty answer always says that the queue ends here, a limit of 0 included (state.rs, get_cert_messages).
        return messages, not messages or len(self.queue) - start <= limit


class Gateways:
    """Mutable; copy() is shallow, because every Gateway is a value."""

    __slots__ = ("_emptied_at_ns", "_registered")

    def __init__(self) -> None:
        self._registered: dict[Principal, Gateway] = {}
        self._emptied_at_ns: dict[Principal, int] = {}

    def __len__(self) -> int:
        return len(self._registered)

    def copy(self) -> Gateways:
        other = Gateways()
        other._registered = dict(self._registered)
        other._emptied_at_ns = dict(self._emptied_at_ns)
        return other

    def get(self, principal: Principal) -> Gateway | None:
        return self._registered.get(principal)

    def registered(self, principal: Principal) -> Gateway:
        """A gateway that is known to be there: it is as long as it has clients."""
        return self._registered[principal]

    def put(self, principal: Principal, gateway: Gateway) -> None:
        self._registered[principal] = gateway

    def client_came(self, principal: Principal) -> None:
        """Count a client; the first one registers the gateway."""
        self._emptied_at_ns.pop(principal, None)
        gateway = self._registered.get(principal, Gateway())
        self._registered[principal] = replace(gateway, clients=gateway.clients + 1)

    def client_left(self, principal: Principal, now_ns: int) -> None:
        gateway = self._registered[principal]
        self._registered[principal] = replace(gateway, clients=gateway.clients - 1)
        if gateway.clients == 1:
            self._emptied_at_ns[principal] = now_ns

    def remove_expired(self, now_ns: int, max_age_ns: int) -> list[str] | None:
        """Forget gateways empty for longer than ``max_age_ns``: their messages' keys, None if there was none."""
        expired = [gateway for gateway, at_ns in self._emptied_at_ns.items() if now_ns - at_ns > max_age_ns]
        if not expired:
            return None
        keys: list[str] = []
        for principal in expired:
            del self._emptied_at_ns[principal]
            keys += [message.key for message, _ in self._registered.pop(principal).queue]
        return keys
