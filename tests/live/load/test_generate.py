"""A load over real sockets, on loopback: what it counts is what the lab has seen."""

import asyncio

import pytest

from icws_explore.lab import Lab
from icws_explore.live.load.generate import generate
from icws_explore.live.load.plan import LoadPlan
from icws_explore.live.load.result import FINISHED, LoadResult
from icws_explore.protocol import candid
from icws_explore.protocol.principal import Principal
from support.raw_tcp import until

TYPE = "record { text : text }"
CONTENT = candid.encode([candid.parse_type(TYPE)], [{"text": "hello"}])


def plan_for(lab, **numbers):
    settings = {"sessions": 3, "rate": 4.0, "duration_s": 1.0, "opens_per_s": 50.0} | numbers
    return LoadPlan(lab.gateway_url, Principal.of(lab.canister_id), lab.root_key, CONTENT, TYPE, **settings)


@pytest.fixture(scope="module")
def lab():
    with Lab(app="echo", seed=5) as lab:
        yield lab


class TestLoad:
    async def test_every_message_is_answered(self, lab):
        result = await generate(plan_for(lab))
        assert (result.opened, result.sent, result.answered) == (3, 12, 12)
        assert len(result.round_trip_s) == len(result.lag_s) == 12
        assert result.ended == {FINISHED: 3}
        assert not result.is_bad

    async def test_without_messages_the_sessions_are_only_open(self, lab):
        result = await generate(plan_for(lab, rate=0, duration_s=0.1))
        assert (result.opened, result.sent, result.ended) == (3, 0, {FINISHED: 3})

    async def test_a_cancelled_one_closes_its_sessions_and_tells_what_it_has(self, lab):
        result = LoadResult()
        playing = asyncio.create_task(generate(plan_for(lab, duration_s=3600.0), result))
        await until(lambda: result.answered >= 3)
        playing.cancel()
        assert await playing is result
        assert result.ended == {FINISHED: 3}

    async def test_a_cancelled_one_does_not_wait_for_sessions_that_are_to_open(self, lab):
        result = LoadResult()
        playing = asyncio.create_task(generate(plan_for(lab, sessions=50, opens_per_s=0.001), result))
        await until(lambda: result.opened)
        playing.cancel()
        await playing
        assert (result.opened, result.ended) == (1, {FINISHED: 1})


class TestFailures:
    async def test_of_the_opening_are_counted_by_reason(self):
        with Lab(app="echo") as lab:
            plan = plan_for(lab)
        result = await generate(plan)
        assert result.opened == 0
        ((reason, number),) = result.failed.items()
        assert number == 3
        assert reason.startswith("nobody listens at ws://127.0.0.1")

    async def test_ends_that_nobody_here_made_are_counted_by_reason(self):
        with Lab(app="echo") as lab:
            result = LoadResult()
            playing = asyncio.create_task(generate(plan_for(lab, duration_s=3600.0), result))
            await until(lambda: result.answered >= 3)
            lab.stop()
            await playing
        assert result.ended.total() == 3
        assert FINISHED not in result.ended
        assert result.is_bad
