"""The parts of a lab together on the test's own event loop, without a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from icws_explore.lab import network as network_module
from icws_explore.lab.log import LabLog
from icws_explore.lab.network import LabNetwork, LabOptions
from icws_explore.lab.replica.subnet import FIRST_CANISTER
from icws_explore.live.clock import RealClock
from icws_explore.protocol.errors import LabError
from support.lab_requests import ask, eventually


def make_network(**options: object) -> LabNetwork:
    clock = RealClock()
    return LabNetwork(LabOptions(**options), clock, LabLog(clock.now_ns))  # type: ignore[arg-type]


@pytest.fixture
async def network() -> AsyncIterator[LabNetwork]:
    network = make_network(seed=1)
    await network.start("echo")
    yield network
    await network.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}


class TestParts:
    async def test_listen_at_their_urls(self, network: LabNetwork) -> None:
        answer = await ask(f"{network.url}/api/v2/status", verb="GET")
        assert answer.cbor["root_key"] == network.replica.root_key
        assert network.gateways[0].url.startswith("ws://127.0.0.1:")

    async def test_each_gateway_has_its_own_identity(self, network: LabNetwork) -> None:
        second = await network.add_gateway()
        assert second.principal != network.gateways[0].principal
        again = make_network(seed=1, gateways=2)
        await again.start("echo")
        assert [gateway.principal for gateway in again.gateways] == [each.principal for each in network.gateways]
        await again.stop()

    async def test_a_lab_may_have_no_gateway(self) -> None:
        network = make_network(gateways=0)
        await network.start("echo")
        assert network.gateways == []
        await network.stop()


class TestCanisters:
    async def test_can_have_their_own_settings(self, network: LabNetwork) -> None:
        canister = network.add_canister("chat", max_messages=3)
        assert (canister.config.max_messages, canister.config.flavour) == (3, "motoko")
        assert canister.config.send_ack_interval_ms == network.options.ack_interval_ms

    async def test_a_canister_that_cannot_be_installed_is_removed(self, network: LabNetwork) -> None:
        before = dict(network.canisters)
        with pytest.raises(LabError, match="could not be installed"):
            network.add_canister("echo", enforce_minimum=True, send_ack_interval_ms=1)
        assert network.canisters == before
        assert set(network.replica.canisters) == set(before)

    async def test_a_subnet_without_free_ids_raises(self, network: LabNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(network_module, "LAST_CANISTER", FIRST_CANISTER)
        with pytest.raises(LabError, match="no canister id left"):
            network.add_canister("echo")


class TestFailure:
    async def test_the_end_of_the_replica_loop_is_logged(
        self, network: LabNetwork, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken() -> int | None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(network.replica, "next_due_ns", broken)
        network._replica_loop.wake()
        stopped = "the replica has stopped: RuntimeError: a bug"
        await eventually(lambda: network._log.events and network._log.events[-1].text == stopped)
