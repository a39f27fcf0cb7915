"""Acks and keep-alive checks at their times (timers.rs); the golden traces cover the rarer cases."""

from __future__ import annotations

import pytest

from icws_explore.protocol.candid import TEXT
from icws_explore.protocol.canister import App, AppCanister, AppContext, CdkConfig, Flavour
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.service_messages import AckMessage, CloseMessage, CloseReason, OpenMessage
from support.canister_host import CanisterBench

INTERVAL_MS = 120_000
TIMEOUT_MS = 60_000
CLOSED = CloseMessage(CloseReason.KEEP_ALIVE_TIMEOUT)


def bench(flavour: Flavour = "rust") -> CanisterBench:
    return CanisterBench.of(App("silent", TEXT), CdkConfig(send_ack_interval_ms=INTERVAL_MS, flavour=flavour))


class TestAcks:
    def test_are_global_to_the_canister(self) -> None:
        """A client that opens late gets its first ack soon."""
        it = bench()
        it.advance_ms(INTERVAL_MS - 1)
        side = it.opened("ada")
        it.advance_ms(1)
        assert it.received(side) == [OpenMessage(side.key), AckMessage(0)]

    def test_hold_the_last_number_received(self) -> None:
        it = bench()
        side = it.opened("ada")
        for _ in range(3):
            it.ok(it.keep_alive(side))
        it.advance_ms(INTERVAL_MS)
        assert it.received(side)[-1] == AckMessage(3)


class TestKeepAliveCheck:
    @pytest.mark.parametrize(("after_ms", "closed"), [(1, False), (TIMEOUT_MS - 1, False), (TIMEOUT_MS + 1, True)])
    def test_a_keep_alive_must_come_within_the_timeout(self, after_ms: int, closed: bool) -> None:
        it = bench()
        side = it.opened("ada")
        it.advance_ms(INTERVAL_MS)
        it.advance_ms(after_ms)
        if not closed:
            it.ok(it.keep_alive(side))
        it.advance_ms(TIMEOUT_MS)
        assert (CLOSED in it.received(side)) is closed

    def test_a_client_that_opened_after_the_ack_is_not_checked(self) -> None:
        it = bench()
        it.advance_ms(INTERVAL_MS + 1)
        side = it.opened("ada")
        it.advance_ms(INTERVAL_MS - 2)
        assert it.received(side) == [OpenMessage(side.key)]

    @pytest.mark.parametrize("flavour", ["rust", "motoko"])
    def test_a_client_that_another_on_close_removed_is_skipped(self, flavour: Flavour) -> None:
        def close_all(context: AppContext, _client: Principal) -> None:
            for client in context.clients:
                context.close(client)

        config = CdkConfig(send_ack_interval_ms=INTERVAL_MS, flavour=flavour)
        it = CanisterBench.of(App("domino", TEXT, on_close=close_all), config)
        sides = [it.opened(name) for name in ("ada", "bob", "cyd")]
        it.advance_ms(INTERVAL_MS + TIMEOUT_MS)
        last = [it.received(side)[-1] for side in sides]
        assert last.count(CLOSED) == 1
        assert last.count(CloseMessage(CloseReason.CLOSED_BY_APPLICATION)) == 2
        # Bob and Cyd were already removed at their turn; the real Rust CDK prints about them anyway.
        told = [line for line in it.prints if "has not sent a keep alive message" in line]
        assert len(told) == (3 if flavour == "rust" else 1)


class InitTwice(AppCanister):
    def init(self) -> None:
        super().init()
        super().init()


class TestInitAgain:
    def test_replaces_the_running_timer(self) -> None:
        config = CdkConfig(send_ack_interval_ms=INTERVAL_MS)
        it = CanisterBench(lambda system: InitTwice(system, App("silent", TEXT), config))
        side = it.opened("ada")
        it.advance_ms(INTERVAL_MS)
        assert it.received(side) == [OpenMessage(side.key), AckMessage(0)]

    def test_restarts_the_interval(self) -> None:
        it = bench()
        it.advance_ms(INTERVAL_MS - 1)
        it.host.upgrade(it.factory, now_ns=it.now_ns)
        side = it.opened("ada")
        it.advance_ms(INTERVAL_MS - 1)
        assert it.received(side) == [OpenMessage(side.key)]
        it.advance_ms(1)
        assert it.received(side) == [OpenMessage(side.key), AckMessage(0)]
