"""The memory of a CDK: clients, gateways with their queues, and the certified map.

It is on the heap of a real canister, so an upgrade loses it. `CdkState.copy` is taken at every call. It
costs a shallow copy of each table, because clients, gateways, queues and the certified map are immutable.

`Queue` is a first-in first-out queue whose versions are immutable. A gateway's queue holds the messages of
an ack interval, 100 000 and more if many sessions are simulated. So versions share one growing list: the
newest appends to it in place; an older version that appends (after a trap was rolled back) copies its part.

`Clients` are the clients of a canister, in the order in which a timer serves them. A principal has at most
one session (ws_open evicts the old one), so the five maps of state.rs and State.mo are one map here, by
principal. Within one tick, the order of clients shows in the nonces of gateways. In Rust it is the order of a
HashMap, which is unspecified; here it is the order of opening. In Motoko it is known (mo:base 0.13.2): acks
go out in the order of a HashMap's buckets, keep-alive time-outs in the order of a TrieSet. For up to 8
clients that is the reverse order of their last acks. For more the set splits by hash bits, which is not
modelled here.

`Gateways` are the gateways of a canister. A gateway is registered by its first client. It is removed at the
first keep-alive check that comes more than an ack interval after its last client left. If it comes back, its
nonces start at 0 again. Source: RegisteredGateway in types.rs and Types.mo, the gateway functions of state.rs
and State.mo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from ..arguments import PollMessage
from ..constants import FIRST_GATEWAY_NONCE, FIRST_SEQUENCE_NUM, MESSAGES_DELETED_PER_SEND, NS_PER_MS
from ..messages import ClientKey, WebsocketMessage, message_key
from ..principal import Principal
from .certified_map import CertifiedMap
from .config import CdkConfig
from .red_black_map import RedBlackMap

T = TypeVar("T")

_KEEP = 32  # dropped items that stay in the list, because removing them would cost a copy


@dataclass(frozen=True, slots=True, eq=False)
class Queue(Generic[T]):
    """Immutable. append and drop cost O(1) amortized on the newest version, indexing costs O(1)."""

    _items: list[T] = field(default_factory=list)
    _start: int = 0
    _end: int = 0

    def __len__(self) -> int:
        return self._end - self._start

    def __getitem__(self, index: int) -> T:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._items[self._start + index]

    def __iter__(self) -> Iterator[T]:
        return iter(self.slice(0, len(self)))

    def slice(self, start: int, stop: int) -> list[T]:
        """The items from ``start`` up to, not including, ``stop``. Both are limited to the queue's length."""
        start = min(max(start, 0), len(self))
        stop = min(max(stop, start), len(self))
        return self._items[self._start + start : self._start + stop]

    def append(self, item: T) -> Queue[T]:
        if self._end != len(self._items):  # a newer version has already appended
            return Queue([*self, item], 0, len(self) + 1)
        self._items.append(item)
        return Queue(self._items, self._start, self._end + 1)

    def drop(self, count: int) -> Queue[T]:
        """Without the first ``count`` items."""
        start = min(self._start + count, self._end)
        if start > _KEEP and 2 * start > self._end:
            return Queue(self._items[start : self._end], 0, self._end - start)
        return Queue(self._items, start, self._end)


@dataclass(frozen=True, slots=True)
class Client:
    """One open session, seen from the canister.

    ``expected_sequence_num`` is the client's next number, ``sent_sequence_num`` the canister's last.
    ``last_keep_alive_ns`` (ns since the epoch) starts as the time of ws_open. ``ack_rank`` orders clients by
    their last ack. It is None before the first ack, and then no keep-alive is expected. ``hash`` and
    ``bucket_rank`` (newest first within a bucket) are the position in Motoko's hash table.
    """

    key: ClientKey
    gateway: Principal
    last_keep_alive_ns: int
    expected_sequence_num: int = FIRST_SEQUENCE_NUM
    sent_sequence_num: int = FIRST_SEQUENCE_NUM - 1
    ack_rank: int | None = None
    hash: int = 0
    bucket_rank: int = 0


class Clients:
    """The clients of a canister. copy() is shallow, because a Client is immutable."""

    __slots__ = ("_buckets", "_by_principal", "_next_rank", "_order_of_motoko")

    def __init__(self, *, order_of_motoko: bool) -> None:
        self._order_of_motoko = order_of_motoko
        self._by_principal: dict[Principal, Client] = {}
        self._buckets = 0
        self._next_rank = 0

    def __len__(self) -> int:
        return len(self._by_principal)

    def __iter__(self) -> Iterator[Client]:
        return iter(self._by_principal.values())

    def copy(self) -> Clients:
        other = Clients(order_of_motoko=self._order_of_motoko)
        other._by_principal = dict(self._by_principal)
        other._buckets = self._buckets
        other._next_rank = self._next_rank
        return other

    def of(self, principal: Principal) -> Client | None:
        return self._by_principal.get(principal)

    def get(self, key: ClientKey) -> Client | None:
        client = self._by_principal.get(key.client_principal)
        return client if client is not None and client.key == key else None

    def add(self, key: ClientKey, gateway: Principal, now_ns: int) -> Client:
        """Add a client. Its principal must not be registered yet."""
        client = Client(key, gateway, now_ns)
        if self._order_of_motoko:
            self._grow()
            client = replace(client, hash=text_hash(str(key)), bucket_rank=self._rank())
        self._by_principal[key.client_principal] = client
        return client

    def change(self, client: Client, **fields: Any) -> Client:
        """Change ``fields`` of a registered client, and return the new value."""
        changed = replace(client, **fields)
        self._by_principal[client.key.client_principal] = changed
        return changed

    def remove(self, key: ClientKey) -> None:
        del self._by_principal[key.client_principal]

    def acked(self, key: ClientKey) -> None:
        """Note that an ack was sent: from now on a keep-alive is expected."""
        self.change(self._by_principal[key.client_principal], ack_rank=self._rank())

    def in_ack_order(self) -> list[Client]:
        """All clients, in the order in which the ack timer serves them."""
        if not self._order_of_motoko:
            return list(self)
        return sorted(self, key=lambda client: (client.hash % self._buckets, -client.bucket_rank))

    def waiting(self) -> list[Client]:
        """The clients that got an ack, in the order in which the keep-alive check serves them."""
        ranked = [(client.ack_rank, client) for client in self if client.ack_rank is not None]
        ranked.sort(key=lambda pair: pair[0], reverse=self._order_of_motoko)
        return [client for _, client in ranked]

    def _rank(self) -> int:
        self._next_rank += 1
        return self._next_rank

    def _grow(self) -> None:
        # HashMap.replace: a full table is walked, and each entry is pushed to the front of its new bucket.
        if len(self) < self._buckets:
            return
        walked = self.in_ack_order()
        self._buckets = 2 * self._buckets if walked else 1
        for client in walked:
            self.change(client, bucket_rank=self._rank())


def text_hash(text: str) -> int:
    """mo:base Text.hash: djb2 modulo 2^32."""
    value = 5381
    for character in text:
        value = (value * 33 + ord(character)) & 0xFFFFFFFF
    return value


@dataclass(frozen=True, slots=True)
class Gateway:
    """``next_nonce`` is the nonce of the next message; the queue holds the messages before it without a gap.

    Times are ns since the epoch.
    """

    queue: Queue[tuple[PollMessage, int]] = field(default_factory=Queue)
    next_nonce: int = FIRST_GATEWAY_NONCE
    clients: int = 0

    def with_message(self, message: PollMessage, now_ns: int) -> Gateway:
        return replace(self, queue=self.queue.append((message, now_ns)), next_nonce=self.next_nonce + 1)

    def drop_oldest(self, count: int) -> Gateway:
        return replace(self, queue=self.queue.drop(count))

    def old_keys(self, now_ns: int, max_age_ns: int) -> list[str]:
        """The keys of the messages that a send deletes: those of the first few that are older than ``max_age_ns``."""
        oldest = self.queue.slice(0, MESSAGES_DELETED_PER_SEND)
        return [message.key for message, timestamp_ns in oldest if now_ns - timestamp_ns > max_age_ns]

    def poll(self, nonce: int, limit: int) -> tuple[list[PollMessage], bool]:
        """Up to ``limit`` messages from ``nonce`` on, and whether the queue ends after them."""
        first_nonce = self.next_nonce - len(self.queue)
        start = min(max(nonce - first_nonce, 0), len(self.queue))
        messages = [message for message, _ in self.queue.slice(start, start + limit)]
        # With no messages it is always the end of the queue, also for a limit of 0 (state.rs, get_cert_messages).
        return messages, not messages or len(self.queue) - start <= limit


class Gateways:
    """The gateways of a canister. copy() is shallow, because a Gateway is immutable."""

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
        """A gateway that must be registered, as it is while it has clients."""
        return self._registered[principal]

    def put(self, principal: Principal, gateway: Gateway) -> None:
        self._registered[principal] = gateway

    def client_came(self, principal: Principal) -> None:
        """Add a client to the count. The first one registers the gateway."""
        self._emptied_at_ns.pop(principal, None)
        gateway = self._registered.get(principal, Gateway())
        self._registered[principal] = replace(gateway, clients=gateway.clients + 1)

    def client_left(self, principal: Principal, now_ns: int) -> None:
        gateway = self._registered[principal]
        self._registered[principal] = replace(gateway, clients=gateway.clients - 1)
        if gateway.clients == 1:
            self._emptied_at_ns[principal] = now_ns

    def remove_expired(self, now_ns: int, max_age_ns: int) -> list[str] | None:
        """Remove gateways without clients for longer than ``max_age_ns``; their messages' keys, None for no gateway."""
        expired = [gateway for gateway, at_ns in self._emptied_at_ns.items() if now_ns - at_ns > max_age_ns]
        if not expired:
            return None
        keys: list[str] = []
        for principal in expired:
            del self._emptied_at_ns[principal]
            keys += [message.key for message, _ in self._registered.pop(principal).queue]
        return keys


class CdkState:
    """The whole memory. ``ack_timer`` and ``keep_alive_timer`` are the replica's timer ids, None if not set."""

    __slots__ = ("ack_timer", "certified", "clients", "config", "gateways", "keep_alive_timer")

    def __init__(self, config: CdkConfig) -> None:
        self.config = config
        self.clients = Clients(order_of_motoko=config.flavour == "motoko")
        self.gateways = Gateways()
        # Each CDK certifies in the tree of its own library: the same keys and values, but other root hashes.
        self.certified: CertifiedMap | RedBlackMap = CertifiedMap() if config.flavour == "motoko" else RedBlackMap()
        self.ack_timer: int | None = None
        self.keep_alive_timer: int | None = None

    def copy(self) -> CdkState:
        other = CdkState.__new__(CdkState)
        other.config = self.config
        other.clients = self.clients.copy()
        other.gateways = self.gateways.copy()
        other.certified = self.certified
        other.ack_timer = self.ack_timer
        other.keep_alive_timer = self.keep_alive_timer
        return other

    def enqueue(self, client: Client, content: bytes, *, is_service_message: bool, now_ns: int) -> None:
        """Number, certify and queue a message for a registered client. Source: state.rs, _ws_send.

        It deletes old messages of the same gateway. The caller must set the new root hash as certified data.
        """
        gateway = self.gateways.registered(client.gateway)
        sequence_num = client.sent_sequence_num + 1
        self.clients.change(client, sent_sequence_num=sequence_num)

        key = message_key(client.gateway, gateway.next_nonce)
        message = WebsocketMessage(client.key, sequence_num, now_ns, is_service_message, content)
        encoded = message.encode(tagged=self.config.flavour == "rust")

        old_keys = gateway.old_keys(now_ns, self.config.send_ack_interval_ms * NS_PER_MS)
        self.delete(old_keys)
        self.certified = self.certified.insert(key.encode(), hashlib.sha256(encoded).digest())
        gateway = gateway.drop_oldest(len(old_keys)).with_message(PollMessage(client.key, key, encoded), now_ns)
        self.gateways.put(client.gateway, gateway)

    def delete(self, keys: list[str]) -> None:
        """Remove messages from the certified map."""
        for key in keys:
            self.certified = self.certified.remove(key.encode())
