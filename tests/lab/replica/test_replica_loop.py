from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from icws_explore.lab.apps import load
from icws_explore.lab.canister import LabCanister
from icws_explore.lab.log import LabLog
from icws_explore.lab.replica import replica as replica_module
from icws_explore.lab.replica.admission import Refused
from icws_explore.lab.replica.replica import Replica, ReplicaLoop
from icws_explore.lab.replica.subnet import LabKeys, canister_principal
from icws_explore.live.clock import RealClock
from icws_explore.protocol.canister import CdkConfig
from icws_explore.protocol.keys import Ed25519Identity
from support.lab_requests import PATIENCE_S, Requests, eventually

CANISTER = canister_principal(0x8000000000100000)
GATEWAY = Ed25519Identity.from_secret(b"g" * 32).principal


def make_loop(latency_ms: float) -> ReplicaLoop:
    clock = RealClock()
    replica = Replica(LabKeys(1), clock.now_ns, LabLog(clock.now_ns), update_latency_ms=latency_ms)
    canister = LabCanister(replica.add_canister(CANISTER), load("echo"), CdkConfig(), clock.now_ns)
    canister.install()
    return ReplicaLoop(replica, clock)


@pytest.fixture
async def replica_loop() -> AsyncIterator[ReplicaLoop]:
    replica_loop = make_loop(20)
    running = asyncio.create_task(replica_loop.run())
    yield replica_loop
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def open_call() -> bytes:
    return Requests(CANISTER, RealClock().now_ns()).open(GATEWAY)


class TestWaitFor:
    async def test_returns_when_the_call_has_been_executed(self, replica_loop: ReplicaLoop) -> None:
        submission = replica_loop.submit(open_call(), CANISTER)
        assert await replica_loop.wait_for(submission) is None
        assert replica_loop.replica.has_finished(submission.request_id)

    async def test_a_second_caller_is_sent_to_read_state(self, replica_loop: ReplicaLoop) -> None:
        body = open_call()
        first = asyncio.create_task(replica_loop.wait_for(replica_loop.submit(body, CANISTER)))
        await asyncio.sleep(0)
        assert "Duplicate request" in (await replica_loop.wait_for(replica_loop.submit(body, CANISTER)) or "")
        assert await first is None

    async def test_returns_at_once_for_an_executed_call(self, replica_loop: ReplicaLoop) -> None:
        body = open_call()
        await replica_loop.wait_for(replica_loop.submit(body, CANISTER))
        assert await replica_loop.wait_for(replica_loop.submit(body, CANISTER)) is None

    async def test_times_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(replica_module, "CALL_TIMEOUT_S", 0.01)
        monkeypatch.setattr(replica_module, "_MIN_CALL_TIMEOUT_S", 0.0)
        replica_loop = make_loop(60_000)
        reason = await replica_loop.wait_for(replica_loop.submit(open_call(), CANISTER))
        assert reason is not None
        assert reason.startswith("Message did not complete execution")

    async def test_returns_when_the_loop_ends(self) -> None:
        replica_loop = make_loop(60_000)
        running = asyncio.create_task(replica_loop.run())
        waiting = asyncio.create_task(replica_loop.wait_for(replica_loop.submit(open_call(), CANISTER)))
        await asyncio.sleep(0)
        running.cancel()
        async with asyncio.timeout(PATIENCE_S):
            assert await waiting is not None


class TestTimers:
    async def test_of_a_canister_that_is_installed_later_fire(self, replica_loop: ReplicaLoop) -> None:
        other = canister_principal(0x8000000000100001)
        config = CdkConfig(send_ack_interval_ms=20, keep_alive_timeout_ms=10, enforce_minimum=False)
        host = replica_loop.replica.add_canister(other)
        LabCanister(host, load("echo"), config, RealClock().now_ns).install()
        due_ns = host.next_timer_ns
        replica_loop.wake()
        await eventually(lambda: host.next_timer_ns != due_ns)


class TestFailure:
    async def test_a_failed_loop_refuses_calls_with_its_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        replica_loop = make_loop(0)

        def broken() -> list[bytes]:
            raise RuntimeError("a bug")

        monkeypatch.setattr(replica_loop.replica, "execute", broken)
        replica_loop.submit(open_call(), CANISTER)
        with pytest.raises(RuntimeError):
            await replica_loop.run()
        with pytest.raises(Refused, match="RuntimeError: a bug") as refusal:
            replica_loop.submit(open_call(), CANISTER)
        assert refusal.value.status == 503
