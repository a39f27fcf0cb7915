"""Clients by principal, and the order in which a tick visits them: Motoko's hash table is followed step by step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from icws_explore.protocol.canister.state import Clients, text_hash
from icws_explore.protocol.messages import ClientKey
from icws_explore.protocol.principal import Principal

GATEWAY = Principal(b"gateway")


def key(number: int, nonce: int = 7) -> ClientKey:
    return ClientKey(Principal(bytes([number])), nonce)


class HashTable:
    """HashMap of mo:base 0.13.2 with its buckets, as the traces' order_notes describe it."""

    def __init__(self) -> None:
        self.buckets: list[list[ClientKey]] = []

    def insert(self, key: ClientKey) -> None:
        if len(self.keys()) >= len(self.buckets):
            walked = self.keys()
            self.buckets = [[] for _ in range(2 * len(self.buckets) if walked else 1)]
            for each in walked:
                self._push(each)
        self._push(key)

    def remove(self, key: ClientKey) -> None:
        for bucket in self.buckets:
            if key in bucket:
                bucket.remove(key)

    def keys(self) -> list[ClientKey]:
        return [key for bucket in self.buckets for key in bucket]

    def _push(self, key: ClientKey) -> None:
        self.buckets[text_hash(str(key)) % len(self.buckets)].insert(0, key)


class TestTextHash:
    def test_is_djb2(self) -> None:
        assert text_hash("") == 5381
        assert text_hash("a") == 5381 * 33 + 97
        assert text_hash("a" * 100) < 2**32


class TestOrderOfMotoko:
    @given(st.lists(st.integers(0, 30), max_size=80))
    def test_acks_go_out_in_the_order_of_the_hash_table(self, numbers: list[int]) -> None:
        """Each number removes the client with that number, or adds it if it is absent."""
        clients, table = Clients(order_of_motoko=True), HashTable()
        for number in numbers:
            if clients.get(key(number)) is None:
                clients.add(key(number), GATEWAY, 0)
                table.insert(key(number))
            else:
                clients.remove(key(number))
                table.remove(key(number))
            assert [client.key for client in clients.in_ack_order()] == table.keys()

    def test_the_keep_alive_check_goes_backwards_through_the_last_acks(self) -> None:
        clients = Clients(order_of_motoko=True)
        for number in (1, 2, 3):
            clients.add(key(number), GATEWAY, 0)
        for number in (1, 3, 2):
            clients.acked(key(number))
        assert [client.key for client in clients.waiting()] == [key(2), key(3), key(1)]


class TestOrderOfRust:
    def test_is_the_order_of_opening(self) -> None:
        clients = Clients(order_of_motoko=False)
        for number in (3, 1, 2):
            clients.add(key(number), GATEWAY, 0)
        for client in clients.in_ack_order():
            clients.acked(client.key)
        assert [client.key for client in clients] == [key(3), key(1), key(2)]
        assert [client.key for client in clients.waiting()] == [key(3), key(1), key(2)]


class TestWaiting:
    def test_only_clients_that_got_an_ack(self) -> None:
        clients = Clients(order_of_motoko=False)
        clients.add(key(1), GATEWAY, 0)
        clients.add(key(2), GATEWAY, 0)
        clients.acked(key(1))
        assert [client.key for client in clients.waiting()] == [key(1)]


class TestKeys:
    def test_another_nonce_of_the_same_principal_is_not_found(self) -> None:
        clients = Clients(order_of_motoko=False)
        clients.add(key(1, nonce=1), GATEWAY, 0)
        assert clients.get(key(1, nonce=2)) is None
        found = clients.of(Principal(bytes([1])))
        assert found is not None
        assert found.key == key(1, nonce=1)


class TestCopy:
    def test_is_independent(self) -> None:
        clients = Clients(order_of_motoko=True)
        first = clients.add(key(1), GATEWAY, 0)
        copy = clients.copy()
        clients.change(first, sent_sequence_num=5)
        clients.add(key(2), GATEWAY, 0)
        copied = copy.get(key(1))
        assert copied is not None
        assert copied.sent_sequence_num == 0
        assert len(copy) == 1
        copy.add(key(3), GATEWAY, 0)
        assert [client.key for client in copy.in_ack_order()] != []
        assert clients.get(key(3)) is None
