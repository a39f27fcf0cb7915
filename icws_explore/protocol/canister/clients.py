"""The clients a canister knows, and the order in which a timer serves them.

A principal has at most one session (ws_open evicts the old one), so the five maps of state.rs and
State.mo are one here, by principal.

Within one tick the order of clients shows in gateways' nonces. Rust's is that of a HashMap, which
nothing specifies: here it is the order of opening. Motoko's can be known (mo:base 0.13.2): acks go
out in the order of a HashMap's buckets, keep-alive time-outs in that of a TrieSet, which for up to
eight clients is the reverse of the order of their last acks (beyond eight the set splits by hash
bits, which is not followed here).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..constants import FIRST_SEQUENCE_NUM
from ..messages import ClientKey
from ..principal import Principal


@dataclass(frozen=True, slots=True)
class Client:
    """One open session, seen from the canister.

    ``expected_sequence_num`` is the client's next, ``sent_sequence_num`` the canister's last.
    ``last_keep_alive_ns`` starts as the time of ws_open. ``ack_rank`` orders the clients by their
    last ack; None before the first, and then no keep-alive is waited for. ``hash`` and
    ``bucket_rank`` (newest first within a bucket) are the place in Motoko's hash table.
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
    """Mutable; copy() is shallow, because every Client is a value."""

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
        """``key`` must not be there, nor another one of its principal."""
        client = Client(key, gateway, now_ns)
        if self._order_of_motoko:
            self._grow()
            client = replace(client, hash=text_hash(str(key)), bucket_rank=self._rank())
        self._by_principal[key.client_principal] = client
        return client

    def change(self, client: Client, **fields: Any) -> Client:
        """Replace a client that is there by one with other ``fields``, and return that."""
        changed = replace(client, **fields)
        self._by_principal[client.key.client_principal] = changed
        return changed

    def remove(self, key: ClientKey) -> None:
        del self._by_principal[key.client_principal]

    def acked(self, key: ClientKey) -> None:
        """Note that an ack went out: from now on a keep-alive is waited for."""
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
        # HashMap.replace: a full table is walked, and each entry pushed to the front of its new bucket.
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
