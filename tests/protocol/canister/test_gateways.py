"""Gateways: the messages that a poll returns, those that a send deletes, and when a gateway is removed."""

from __future__ import annotations

import pytest

from icws_explore.protocol.arguments import PollMessage
from icws_explore.protocol.canister.state import Gateway, Gateways
from icws_explore.protocol.messages import ClientKey, message_key
from icws_explore.protocol.principal import Principal

GATEWAY = Principal(b"gateway")
CLIENT = ClientKey(Principal(b"client"), 1)


def filled(timestamps_ns: list[int]) -> Gateway:
    gateway = Gateway()
    for at_ns in timestamps_ns:
        message = PollMessage(CLIENT, message_key(GATEWAY, gateway.next_nonce), b"content")
        gateway = gateway.with_message(message, at_ns)
    return gateway


def nonces(messages: list[PollMessage]) -> list[int]:
    return [int(message.key[-20:]) for message in messages]


class TestPoll:
    @pytest.mark.parametrize(
        ("nonce", "limit", "expected", "is_end"),
        [
            (0, 50, [0, 1, 2, 3, 4], True),
            (3, 50, [3, 4], True),
            (0, 5, [0, 1, 2, 3, 4], True),
            (0, 4, [0, 1, 2, 3], False),
            (2, 2, [2, 3], False),
            (5, 50, [], True),
            (2**64 - 1, 50, [], True),
            (0, 0, [], True),
        ],
    )
    def test_from_a_nonce_up_to_the_limit(self, nonce: int, limit: int, expected: list[int], is_end: bool) -> None:
        messages, is_end_of_queue = filled([0] * 5).poll(nonce, limit)
        assert (nonces(messages), is_end_of_queue) == (expected, is_end)

    def test_from_a_deleted_nonce_returns_the_later_messages(self) -> None:
        messages, _ = filled([0] * 5).drop_oldest(3).poll(1, 50)
        assert nonces(messages) == [3, 4]


class TestDeletion:
    def test_at_most_five_that_are_older(self) -> None:
        assert len(filled([0] * 13).old_keys(101, 100)) == 5

    def test_exactly_as_old_is_not_older(self) -> None:
        assert filled([0, 1]).old_keys(100, 100) == []
        assert filled([0, 1]).old_keys(101, 100) == [message_key(GATEWAY, 0)]


class TestRemoval:
    def test_after_more_than_the_interval_without_clients(self) -> None:
        gateways = Gateways()
        gateways.client_came(GATEWAY)
        gateways.put(GATEWAY, filled([0, 0]))
        gateways.client_came(GATEWAY)
        gateways.client_left(GATEWAY, 10)
        assert gateways.remove_expired(110, 100) is None
        assert gateways.remove_expired(111, 100) == [message_key(GATEWAY, 0), message_key(GATEWAY, 1)]
        assert gateways.get(GATEWAY) is None

    def test_not_while_a_client_is_left(self) -> None:
        gateways = Gateways()
        gateways.client_came(GATEWAY)
        gateways.client_came(GATEWAY)
        gateways.client_left(GATEWAY, 0)
        assert gateways.remove_expired(10**9, 100) is None

    def test_a_client_that_comes_back_keeps_it(self) -> None:
        gateways = Gateways()
        gateways.client_came(GATEWAY)
        gateways.client_left(GATEWAY, 0)
        gateways.client_came(GATEWAY)
        assert gateways.remove_expired(10**9, 100) is None

    def test_a_copy_is_independent(self) -> None:
        gateways = Gateways()
        gateways.client_came(GATEWAY)
        copy = gateways.copy()
        gateways.client_left(GATEWAY, 0)
        assert gateways.remove_expired(10**9, 100) == []
        assert len(copy) == 1
        assert copy.remove_expired(10**9, 100) is None
