"""A live client is to its script what a simulation's is, and its clock is its own."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from icws_explore.lab import Faults, Lab
from icws_explore.lab.scenarios.live import ClientClock, LiveClient, LiveSetup
from icws_explore.lab.simulator import Script
from icws_explore.lab.simulator.client import SimClient
from icws_explore.lab.simulator.scripts import Player
from icws_explore.lab.stage import Agenda
from icws_explore.live.clock import ScaledClock
from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.constants import NS_PER_MS, NS_PER_S
from icws_explore.protocol.keys import Ed25519Identity
from support.lab_requests import eventually
from support.servers import free_port

TEXT = parse_type("record { text : text }")


@dataclass
class Noting(Script):
    said: list[Any] = field(default_factory=list)

    def opened(self, client: Player) -> None:
        client.memory["opened_ns"] = client.now_ns
        client.after(2_000, client.send, {"text": "hello"})
        client.after(600_000, self.said.append, "too late")

    def received(self, client: Player, value: Any) -> None:
        self.said.append(value)
        client.close()


class Scene:
    def __init__(self, lab: Lab, script: Script, *, url: str | None = None) -> None:
        config = ClientConfig(lab.canister_id, lab.root_key, lab.ack_interval_ms, application_type=TEXT)
        machine = ClientMachine(config, Ed25519Identity.generate(), entropy=random.randbytes)
        clock = ClientClock(lab.clock, skew_ns=0, faults=Faults(), number=0)
        self.errors: list[Exception] = []
        self.agenda = Agenda(lab.clock, self.errors.append)
        setup = LiveSetup(machine, script, clock, random.Random(1), TEXT, url or lab.gateway_url)
        self.client = LiveClient(0, setup, self.agenda, self.errors.append)

    async def play(self) -> None:
        await self.client.connect()
        await self.client.run()
        self.agenda.clear()


@pytest.fixture(scope="module")
def lab():
    with Lab("echo", time_scale=60) as running:
        yield running


class TestScript:
    async def test_is_acted_as_in_the_simulator(self, lab):
        script = Noting()
        scene = Scene(lab, script)
        await scene.play()
        assert script.said == [{"text": "hello"}]
        assert scene.errors == []
        assert not scene.client.is_open
        assert scene.client.memory["opened_ns"] <= lab.clock.now_ns()

    async def test_what_it_raises_is_told_and_ends_no_session(self, lab):
        class Fails(Noting):
            def opened(self, client: Player) -> None:
                super().opened(client)
                client.send({"wrong": "type"})

        scene = Scene(lab, Fails())
        await scene.play()
        assert [type(error).__name__ for error in scene.errors] == ["ValueMismatchError"]
        assert scene.client.failures == []

    async def test_an_action_that_fails_is_told_too(self, lab):
        class Fails(Noting):
            def opened(self, client: Player) -> None:
                super().opened(client)
                client.after(0, client.send, 5)

        scene = Scene(lab, Fails())
        await scene.play()
        await eventually(lambda: scene.errors)

    async def test_before_it_is_open_nothing_is_sent_and_nothing_closed(self, lab):
        client = Scene(lab, Script()).client
        client.send({"text": "early"})
        client.send_bytes(b"early")
        client.close()
        await client.run()
        assert not client.is_open

    async def test_nobody_there_is_a_failure_of_the_client_s(self, lab):
        scene = Scene(lab, Script(), url=f"ws://127.0.0.1:{free_port()}")
        await scene.play()
        assert "nobody listens" in scene.client.failures[0]

    def test_both_kinds_can_do_the_same(self):
        wanted = {name for name in vars(Player) if not name.startswith("_")}
        assert wanted
        for kind in (SimClient, LiveClient):
            assert wanted <= set(dir(kind)), kind


class TestClock:
    def test_is_skewed_and_as_wrong_as_the_faults_say(self):
        class Wrong(Faults):
            def clock_error_ns(self, clock: Any, number: int, now_ns: int) -> int:
                return 100 * NS_PER_S * number if clock == "client" else 0

        true = ScaledClock(60)
        clock = ClientClock(true, skew_ns=-5 * NS_PER_S, faults=Wrong(), number=2)
        before_ns, its_ns, after_ns = true.now_ns(), clock.now_ns(), true.now_ns()
        assert before_ns <= its_ns - 195 * NS_PER_S <= after_ns
        assert clock.info == true.info

    async def test_sleeps_as_long_as_the_true_one(self):
        true = ScaledClock(600)
        before_ns = true.now_ns()
        await ClientClock(true, skew_ns=NS_PER_MS, faults=Faults(), number=0).sleep(6)
        assert true.now_ns() - before_ns >= 6 * NS_PER_S
