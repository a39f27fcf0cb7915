"""Each odd canister errs in its one way, and is a canister otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from icws_explore.lab.scenarios.nonconforming_canisters import NOT_AUTHORIZED, AcksAhead, ListsGateways, WithoutTimers
from icws_explore.protocol.arguments import decode_poll_result, encode_poll_args
from icws_explore.protocol.candid import encode, parse_type
from icws_explore.protocol.canister import AppContext, CdkConfig, Reply
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, OpenMessage
from support.canister_host import GATEWAY, OTHER_GATEWAY, CanisterBench, client_key

TEXT = parse_type("text")
QUICK = CdkConfig(send_ack_interval_ms=100_000)


def echo(context: AppContext, client: Principal, message: Any) -> None:
    context.send(client, message)


def said(text: str) -> bytes:
    return encode([TEXT], [text])


class TestWithoutTimers:
    @pytest.mark.parametrize("config", [None, CdkConfig(flavour="motoko", send_ack_interval_ms=100_000)])
    def test_opens_and_answers_but_never_acks_nor_asks_for_keep_alives(self, config):
        it = CanisterBench.of(WithoutTimers("echo", TEXT, on_message=echo), config)
        side = it.opened("ada")
        it.ok(it.message(side, said("a")))
        it.advance_ms(3_600_000)
        assert it.received(side) == [OpenMessage(side.key), said("a")]
        it.ok(it.message(side, said("b")))  # it is still there, and old messages go
        assert it.received(side) == [said("b")]

    def test_in_rust_no_handler_is_called_either(self):
        it = CanisterBench.of(WithoutTimers("echo", TEXT, on_message=echo), QUICK)
        side = it.opened("ada")
        it.ok(it.message(side, said("a")))
        it.advance_ms(3_600_000)
        assert it.received(side) == [OpenMessage(side.key)]


class TestAcksAhead:
    def test_is_ahead_of_what_came(self):
        it = CanisterBench.of(AcksAhead("echo", TEXT, on_message=echo, ahead=3), QUICK)
        side = it.opened("ada")
        it.ok(it.message(side, said("a")))
        it.ok(it.message(side, said("b")))
        it.advance_ms(100_000)
        assert it.received(side) == [OpenMessage(side.key), said("a"), said("b"), AckMessage(5)]


class TestListsGateways:
    def test_serves_a_listed_one(self):
        it = CanisterBench.of(ListsGateways("echo", TEXT, on_message=echo, listed=(GATEWAY,)))
        side = it.opened("ada")
        it.ok(it.message(side, said("a")))
        assert it.received(side) == [OpenMessage(side.key), said("a")]

    def test_refuses_another_ones_client_and_polls(self):
        it = CanisterBench.of(ListsGateways("echo", TEXT, on_message=echo, listed=(GATEWAY,)))
        assert it.error(it.open(client_key("bob"), OTHER_GATEWAY)) == NOT_AUTHORIZED
        outcome = it.host.query("ws_get_messages", encode_poll_args(0), caller=OTHER_GATEWAY, now_ns=it.now_ns)
        assert isinstance(outcome, Reply)
        assert decode_poll_result(outcome.data) == NOT_AUTHORIZED
