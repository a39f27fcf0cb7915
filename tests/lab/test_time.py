"""A lab whose time stands still: between two calls nothing happens, and a step lasts as long as it says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from icws_explore.lab import Lab
from icws_explore.live.connect import connect
from icws_explore.live.session import Session
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import ArgumentValueError, LabError, SessionClosedError

PATIENCE_S = 60
ACK_INTERVAL_S = 100


@pytest.fixture
def still() -> Iterator[Lab]:
    with Lab("pingpong", time_scale=60, paused=True, ack_interval_ms=ACK_INTERVAL_S * 1000) as lab:
        yield lab


def kinds(session: Session) -> list[str]:
    return [frame.kind for frame in session.recording]


class TestPaused:
    async def test_a_session_opens_and_its_messages_arrive(self, still: Lab) -> None:
        async with connect(still) as session:
            assert (await session.receive(PATIENCE_S))["text"] == "ping"
            await session.send({"text": "pong", "timestamp": 0})
            assert (await session.receive(PATIENCE_S))["text"] == "ping"

    async def test_nothing_happens_between_two_calls(self, still: Lab) -> None:
        async with connect(still) as session:
            await session.receive(PATIENCE_S)
            await session.send({"text": "pong", "timestamp": 0})  # on its way for as long as nobody waits
            at_ns, events = still.clock.now_ns(), len(still.canister().clients)
            for _ in range(20):
                await asyncio.to_thread(still.canister)
            assert still.clock.now_ns() == at_ns
            assert len(still.canister().clients) == events == 1
            assert kinds(session)[-1] == "message"

    async def test_it_can_be_paused_and_resumed_later(self) -> None:
        with Lab("pingpong", time_scale=600) as lab:
            lab.pause()
            at_ns = lab.clock.now_ns()
            assert lab.canister().clients == ()
            assert lab.clock.now_ns() == at_ns
            lab.resume()
            await lab.clock.sleep(1)
            assert lab.clock.now_ns() >= at_ns + NS_PER_S

    def test_a_lab_on_the_machines_clock_says_how_to_pause_it(self) -> None:
        with Lab("echo") as lab:
            for call in (lab.pause, lab.resume, lambda: lab.step(1), lambda: lab.run_until("ack")):
                with pytest.raises(LabError, match="start it with paused=True or with a time_scale"):
                    call()


class TestStep:
    async def test_the_time_passes_and_no_more(self, still: Lab) -> None:
        async with connect(still) as session:
            await session.receive(PATIENCE_S)
            start_ns = still.clock.now_ns()
            assert await asyncio.to_thread(still.step, "1m30s") == 90
            assert still.clock.now_ns() - start_ns == 90 * NS_PER_S
            assert await asyncio.to_thread(still.step, 15) == 15
            assert "ack" in kinds(session)

    def test_a_duration_must_be_one(self, still: Lab) -> None:
        with pytest.raises(ArgumentValueError, match="is not a duration"):
            still.step("soon")


class TestRunUntil:
    async def test_stops_when_a_frame_of_the_kind_passes(self, still: Lab) -> None:
        async with connect(still) as session:
            await session.receive(PATIENCE_S)
            passed_s = await asyncio.to_thread(still.run_until, "ack")
            assert 0 < passed_s <= ACK_INTERVAL_S + 5
            at_ns = still.clock.now_ns()
            await asyncio.to_thread(still.run_until, "keep_alive")
            assert still.clock.now_ns() >= at_ns

    async def test_says_that_no_such_frame_passed(self, still: Lab) -> None:
        with pytest.raises(LabError, match=r"^no frame of the kind ack passed a gateway within 2 s$"):
            await asyncio.to_thread(lambda: still.run_until("ack", within="2s"))

    def test_knows_the_kinds(self, still: Lab) -> None:
        with pytest.raises(ArgumentValueError, match="kind must be one of handshake, open_request, message"):
            still.run_until("acks")  # type: ignore[arg-type]  # the misuse under test


class TestWaitFor:
    async def test_gives_the_next_frame_of_the_kind(self, still: Lab) -> None:
        async with connect(still) as session:
            first = await session.wait_for("ack", PATIENCE_S)
            second = await session.wait_for("ack", PATIENCE_S)
            assert (first.kind, second.kind) == ("ack", "ack")
            assert second.frame.t - first.frame.t == pytest.approx(ACK_INTERVAL_S, abs=5)
            assert session.recording[second.number].frame is second.frame

    async def test_ends_with_the_session(self, still: Lab) -> None:
        async with connect(still) as session:
            waiting = asyncio.ensure_future(session.wait_for("handshake", PATIENCE_S))
            await asyncio.sleep(0)
            await session.close()
            with pytest.raises(SessionClosedError):
                await waiting

    async def test_gives_up_after_its_timeout(self, still: Lab) -> None:
        async with connect(still) as session:
            with pytest.raises(TimeoutError):
                await session.wait_for("handshake", timeout=0.05)
            with pytest.raises(ArgumentValueError, match="kind must be one of"):
                await session.wait_for("acks")  # type: ignore[arg-type]  # the misuse under test
