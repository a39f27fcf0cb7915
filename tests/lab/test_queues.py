"""The queues of a canister, seen through its model and through polls: both see the same."""

from __future__ import annotations

import random

import pytest

from icws_explore.lab.apps import load
from icws_explore.lab.queues import CdkQueues, PolledQueues
from icws_explore.protocol.canister import AppCanister, CanisterCode, CanisterHost, CdkConfig, SystemApi
from icws_explore.protocol.principal import Principal
from support.canister_host import CANISTER, GATEWAY, OTHER_GATEWAY, START_NS, CanisterBench
from support.wat import WatHost


def bench_and_queues() -> tuple[CanisterBench, CdkQueues, PolledQueues]:
    codes: list[AppCanister] = []
    make = load("echo").factory(CdkConfig(max_messages=3))

    def factory(system: SystemApi) -> CanisterCode:
        code = make(system)
        assert isinstance(code, AppCanister)
        codes.append(code)
        return code

    bench = CanisterBench(factory)
    return bench, CdkQueues(codes[0].cdk), PolledQueues(bench.host, lambda: bench.now_ns)


def test_both_see_the_same_messages_whatever_happens() -> None:
    rng = random.Random(3)
    bench, model, polled = bench_and_queues()
    seen = 0
    for number in range(150):
        gateway = rng.choice([GATEWAY, OTHER_GATEWAY])
        for _ in range(rng.randrange(4)):
            bench.opened(f"client {number}", gateway, nonce=rng.randrange(10**9))
        bench.advance_ms(rng.choice([0, 1000, 400_000]))
        for each in (GATEWAY, OTHER_GATEWAY):
            messages = model.new_messages(each)
            seen += len(messages)
            assert polled.new_messages(each) == messages
            for nonce in (0, 1, 5, number):
                assert polled.has_news(each, nonce) == model.has_news(each, nonce)
    assert seen > 200


def test_a_gateway_without_messages_has_no_news() -> None:
    bench, _, polled = bench_and_queues()
    assert polled.new_messages(GATEWAY) == []
    assert not polled.has_news(GATEWAY, 0)
    assert polled.clients == ()
    bench.opened("one")
    assert len(polled.new_messages(GATEWAY)) == 1
    assert polled.new_messages(GATEWAY) == []


@pytest.mark.parametrize("body", ["unreachable", "(call $ic0.msg_reply)"], ids=["a trap", "no Candid"])
def test_a_canister_that_answers_nonsense_has_no_messages(body: str) -> None:
    host = WatHost(f'(func (export "canister_query ws_get_messages") {body})').host
    assert PolledQueues(host, lambda: START_NS).messages_from(Principal(b"gateway"), 0) == []
    assert PolledQueues(CanisterHost(CANISTER), lambda: START_NS).messages_from(Principal(b"gateway"), 0) == []
