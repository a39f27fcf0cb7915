"""Nonconforming canisters differ from the CDK only in what they stand for."""

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


def encoded(text: str) -> bytes:
    return encode([TEXT], [text])


class TestWithoutTimers:
    @pytest.mark.parametrize("config", [None, CdkConfig(flavour="motoko", send_ack_interval_ms=100_000)])
    def test_opens_and_answers_but_sends_no_acks_and_checks_no_keep_alives(self, config):
        bench = CanisterBench.of(WithoutTimers("echo", TEXT, on_message=echo), config)
        side = bench.opened("ada")
        bench.ok(bench.message(side, encoded("a")))
        bench.advance_ms(3_600_000)
        assert bench.received(side) == [OpenMessage(side.key), encoded("a")]
        bench.ok(bench.message(side, encoded("b")))  # it is still registered, and read messages are deleted
        assert bench.received(side) == [encoded("b")]

    def test_calls_no_handler_in_rust(self):
        bench = CanisterBench.of(WithoutTimers("echo", TEXT, on_message=echo), QUICK)
        side = bench.opened("ada")
        bench.ok(bench.message(side, encoded("a")))
        bench.advance_ms(3_600_000)
        assert bench.received(side) == [OpenMessage(side.key)]


class TestAcksAhead:
    def test_acks_more_than_it_received(self):
        bench = CanisterBench.of(AcksAhead("echo", TEXT, on_message=echo, ahead=3), QUICK)
        side = bench.opened("ada")
        bench.ok(bench.message(side, encoded("a")))
        bench.ok(bench.message(side, encoded("b")))
        bench.advance_ms(100_000)
        assert bench.received(side) == [OpenMessage(side.key), encoded("a"), encoded("b"), AckMessage(5)]


class TestListsGateways:
    def test_serves_a_listed_gateway(self):
        bench = CanisterBench.of(ListsGateways("echo", TEXT, on_message=echo, listed=(GATEWAY,)))
        side = bench.opened("ada")
        bench.ok(bench.message(side, encoded("a")))
        assert bench.received(side) == [OpenMessage(side.key), encoded("a")]

    def test_refuses_clients_and_polls_of_another_gateway(self):
        bench = CanisterBench.of(ListsGateways("echo", TEXT, on_message=echo, listed=(GATEWAY,)))
        assert bench.error(bench.open(client_key("bob"), OTHER_GATEWAY)) == NOT_AUTHORIZED
        outcome = bench.host.query("ws_get_messages", encode_poll_args(0), caller=OTHER_GATEWAY, now_ns=bench.now_ns)
        assert isinstance(outcome, Reply)
        assert decode_poll_result(outcome.data) == NOT_AUTHORIZED
