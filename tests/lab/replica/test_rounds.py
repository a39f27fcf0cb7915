from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from icws_explore.lab.apps import load
from icws_explore.lab.canister import LabCanister
from icws_explore.lab.log import LabLog
from icws_explore.lab.replica import replica as rounds_module
from icws_explore.lab.replica.admission import Refused
from icws_explore.lab.replica.replica import Replica, Rounds
from icws_explore.lab.replica.subnet import LabKeys, canister_principal
from icws_explore.live.clock import RealClock
from icws_explore.protocol.canister import CdkConfig
from icws_explore.protocol.keys import Ed25519Identity
from support.lab_requests import PATIENCE_S, Requests, eventually

CANISTER = canister_principal(0x8000000000100000)
GATEWAY = Ed25519Identity.from_secret(b"g" * 32).principal


def make_rounds(latency_ms: float) -> Rounds:
    clock = RealClock()
    replica = Replica(LabKeys(1), clock.now_ns, LabLog(clock.now_ns), update_latency_ms=latency_ms)
    canister = LabCanister(replica.add_canister(CANISTER), load("echo"), CdkConfig(), clock.now_ns)
    canister.install()
    return Rounds(replica, clock)


@pytest.fixture
async def rounds() -> AsyncIterator[Rounds]:
    rounds = make_rounds(20)
    running = asyncio.create_task(rounds.run())
    yield rounds
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def open_call() -> bytes:
    return Requests(CANISTER, RealClock().now_ns()).open(GATEWAY)


class TestWaiting:
    async def test_ends_with_the_call(self, rounds: Rounds) -> None:
        submission = rounds.submit(open_call(), CANISTER)
        assert await rounds.wait_for(submission) is None
        assert rounds.replica.has_finished(submission.request_id)

    async def test_a_second_one_is_told_not_to(self, rounds: Rounds) -> None:
        body = open_call()
        first = asyncio.create_task(rounds.wait_for(rounds.submit(body, CANISTER)))
        await asyncio.sleep(0)
        assert "Duplicate request" in (await rounds.wait_for(rounds.submit(body, CANISTER)) or "")
        assert await first is None

    async def test_not_at_all_for_what_has_ended(self, rounds: Rounds) -> None:
        body = open_call()
        await rounds.wait_for(rounds.submit(body, CANISTER))
        assert await rounds.wait_for(rounds.submit(body, CANISTER)) is None

    async def test_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rounds_module, "CALL_TIMEOUT_S", 0.01)
        monkeypatch.setattr(rounds_module, "_MIN_CALL_TIMEOUT_S", 0.0)
        rounds = make_rounds(60_000)
        reason = await rounds.wait_for(rounds.submit(open_call(), CANISTER))
        assert reason is not None
        assert reason.startswith("Message did not complete execution")

    async def test_ends_when_the_rounds_do(self) -> None:
        rounds = make_rounds(60_000)
        running = asyncio.create_task(rounds.run())
        waiting = asyncio.create_task(rounds.wait_for(rounds.submit(open_call(), CANISTER)))
        await asyncio.sleep(0)
        running.cancel()
        async with asyncio.timeout(PATIENCE_S):
            assert await waiting is not None


class TestTimers:
    async def test_are_seen_when_a_canister_is_installed_later(self, rounds: Rounds) -> None:
        other = canister_principal(0x8000000000100001)
        config = CdkConfig(send_ack_interval_ms=20, keep_alive_timeout_ms=10, enforce_minimum=False)
        host = rounds.replica.add_canister(other)
        LabCanister(host, load("echo"), config, RealClock().now_ns).install()
        due_ns = host.next_timer_ns
        rounds.wake()
        await eventually(lambda: host.next_timer_ns != due_ns)


class TestFailure:
    async def test_a_replica_that_has_stopped_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rounds = make_rounds(0)

        def broken() -> list[bytes]:
            raise RuntimeError("a bug")

        monkeypatch.setattr(rounds.replica, "execute", broken)
        rounds.submit(open_call(), CANISTER)
        with pytest.raises(RuntimeError):
            await rounds.run()
        with pytest.raises(Refused, match="RuntimeError: a bug") as refusal:
            rounds.submit(open_call(), CANISTER)
        assert refusal.value.status == 503
