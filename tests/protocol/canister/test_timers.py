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


def new_bench(flavour: Flavour = "rust") -> CanisterBench:
    return CanisterBench.of(App("silent", TEXT), CdkConfig(send_ack_interval_ms=INTERVAL_MS, flavour=flavour))


class TestAcks:
    def test_are_global_to_the_canister(self) -> None:
        """A client that opens late gets its first ack soon."""
        bench = new_bench()
        bench.advance_ms(INTERVAL_MS - 1)
        side = bench.opened("ada")
        bench.advance_ms(1)
        assert bench.received(side) == [OpenMessage(side.key), AckMessage(0)]

    def test_hold_the_last_number_received(self) -> None:
        bench = new_bench()
        side = bench.opened("ada")
        for _ in range(3):
            bench.ok(bench.keep_alive(side))
        bench.advance_ms(INTERVAL_MS)
        assert bench.received(side)[-1] == AckMessage(3)


class TestKeepAliveCheck:
    @pytest.mark.parametrize(("after_ms", "closed"), [(1, False), (TIMEOUT_MS - 1, False), (TIMEOUT_MS + 1, True)])
    def test_a_keep_alive_must_come_within_the_timeout(self, after_ms: int, closed: bool) -> None:
        bench = new_bench()
        side = bench.opened("ada")
        bench.advance_ms(INTERVAL_MS)
        bench.advance_ms(after_ms)
        if not closed:
            bench.ok(bench.keep_alive(side))
        bench.advance_ms(TIMEOUT_MS)
        assert (CLOSED in bench.received(side)) is closed

    def test_a_client_that_opened_after_the_ack_is_not_checked(self) -> None:
        bench = new_bench()
        bench.advance_ms(INTERVAL_MS + 1)
        side = bench.opened("ada")
        bench.advance_ms(INTERVAL_MS - 2)
        assert bench.received(side) == [OpenMessage(side.key)]

    @pytest.mark.parametrize("flavour", ["rust", "motoko"])
    def test_a_client_that_another_on_close_removed_is_skipped(self, flavour: Flavour) -> None:
        def close_all(context: AppContext, _client: Principal) -> None:
            for client in context.clients:
                context.close(client)

        config = CdkConfig(send_ack_interval_ms=INTERVAL_MS, flavour=flavour)
        bench = CanisterBench.of(App("domino", TEXT, on_close=close_all), config)
        sides = [bench.opened(name) for name in ("ada", "bob", "cyd")]
        bench.advance_ms(INTERVAL_MS + TIMEOUT_MS)
        last = [bench.received(side)[-1] for side in sides]
        assert last.count(CLOSED) == 1
        assert last.count(CloseMessage(CloseReason.CLOSED_BY_APPLICATION)) == 2
        # Bob and Cyd were already removed at their turn; the real Rust CDK prints about them anyway.
        told = [line for line in bench.prints if "has not sent a keep alive message" in line]
        assert len(told) == (3 if flavour == "rust" else 1)


class InitTwice(AppCanister):
    def init(self) -> None:
        super().init()
        super().init()


class TestInitAgain:
    def test_replaces_the_running_timer(self) -> None:
        config = CdkConfig(send_ack_interval_ms=INTERVAL_MS)
        bench = CanisterBench(lambda system: InitTwice(system, App("silent", TEXT), config))
        side = bench.opened("ada")
        bench.advance_ms(INTERVAL_MS)
        assert bench.received(side) == [OpenMessage(side.key), AckMessage(0)]

    def test_restarts_the_interval(self) -> None:
        bench = new_bench()
        bench.advance_ms(INTERVAL_MS - 1)
        bench.host.upgrade(bench.factory, now_ns=bench.now_ns)
        side = bench.opened("ada")
        bench.advance_ms(INTERVAL_MS - 1)
        assert bench.received(side) == [OpenMessage(side.key)]
        bench.advance_ms(1)
        assert bench.received(side) == [OpenMessage(side.key), AckMessage(0)]
