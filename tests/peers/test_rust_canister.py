"""A canister on the published Rust CDK, in the lab and beside our model of that CDK.

Played with the same seed in the simulator, both give the same bytes. Two things are not the model's to know: the order
in which the canister's hash map serves several clients in one tick (scenes with several clients end before the first),
and its Candid interface (the twin publishes the model's).
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass, field
from typing import Any

import pytest

import icws_explore as icws
from icws_explore.lab.faults import Faults
from icws_explore.lab.log import LabEvent
from icws_explore.lab.replica.management import Management
from icws_explore.lab.scenarios.faults import Upgrade
from icws_explore.lab.simulator import CanisterSettings, NetworkConditions, Population, Simulation
from icws_explore.lab.simulator.scripts import Script, ScriptedClient
from icws_explore.lab.wasm import wasm_app
from icws_explore.protocol.arguments import encode_open_args
from icws_explore.protocol.candid import BLOB, NAT64, decode, encode
from icws_explore.protocol.canister import App, CanisterHost, CdkConfig
from icws_explore.protocol.principal import Principal
from support import rust_peer
from support.canister_host import GATEWAY, START_NS, CanisterBench
from support.lab_requests import eventually
from support.wat import CALLER, CANISTER, reply_of

pytestmark = [pytest.mark.rust, pytest.mark.slow, pytest.mark.timeout(rust_peer.BUILD_TIMEOUT_S + 300)]

SCENES = int(os.environ.get("ICWS_SCENES", "20"))  # `make scenes` plays 200
OPEN_IS_LOST = 117  # the scene in which there is only a handshake and a time-out
TEXTS = ["hello"] * 6 + ["three", "three", "quiet", "trap", "close", "é" * 300]


class Talker(Script):
    """Sends one of TEXTS every few seconds, from the first message on."""

    def opened(self, client: ScriptedClient) -> None:
        client.after((100, 20_000), self._talk, client)

    def _talk(self, client: ScriptedClient) -> None:
        client.send({"text": client.rng.choice(TEXTS), "timestamp": client.now_ns})
        client.after((100, 20_000), self._talk, client)


@dataclass(frozen=True)
class Scene:
    """One simulation, drawn from its seed."""

    seed: int
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, seed: int) -> Scene:
        rng = random.Random(seed)
        ack_interval_ms = rng.choice([61_000, 120_000, 300_000])
        sessions = rng.choice([1, 1, 2, 4])
        within_s = ack_interval_ms / 1000 - 2 if sessions > 1 else 900.0
        faults: Faults = Upgrade(rng.uniform(5, within_s)) if rng.random() < 0.4 else Faults()
        conditions = NetworkConditions(
            client_latency_ms=(5, rng.choice([20, 300])),
            update_latency_ms=(50, rng.choice([100, 1500])),
            loss=rng.choice([0.0, 0.0, 0.03]),
            ordered=rng.random() < 0.7,
        )
        options = {
            "duration": within_s,
            "seed": seed,
            "population": Population(sessions, script=Talker(), arrivals="20s", gateways=rng.choice([1, sessions])),
            "conditions": conditions,
            "ack_interval_ms": ack_interval_ms,
            "canister": CanisterSettings(max_messages=rng.choice([1, 3, 50]), enforce_minimum=True),
            "faults": faults,
            "close_at_end": sessions == 1,
        }
        return cls(seed, options)

    @property
    def config(self) -> CdkConfig:
        settings: CanisterSettings = self.options["canister"]
        return CdkConfig(max_messages=settings.max_messages, send_ack_interval_ms=self.options["ack_interval_ms"])

    def play(self, app: App) -> Simulation:
        return icws.simulate(app, **self.options)


def received(bench: CanisterBench) -> Any:
    outcome = bench.host.query("received", b"DIDL\0\0", caller=CALLER, now_ns=bench.now_ns)
    return decode(reply_of(outcome), [NAT64])[0]


def what_was_said(simulation: Simulation) -> list[tuple[int, str, str]]:
    return [(event.t_ns, event.kind, event.text) for event in simulation.log]


@pytest.mark.parametrize("seed", range(1, SCENES + 1))
def test_model_and_real_canister_give_the_same_bytes(seed: int) -> None:
    scene = Scene.of(seed)
    model, real = scene.play(rust_peer.model()), scene.play(rust_peer.twin(scene.config))
    if seed == OPEN_IS_LOST:
        assert model.raw.frames[-1].reason == "Open connection timeout"
    else:
        assert len(model.raw.frames) > 4
    assert real.raw.frames == model.raw.frames
    assert real.counts == model.counts
    assert real.truth.messages == model.truth.messages
    assert what_was_said(real) == what_was_said(model)


def test_a_hundred_sessions_that_listen_for_20_minutes() -> None:
    """The bytes differ in the order of the sessions' acks: the CDK keeps its clients in a HashMap."""
    population = Population(100, script="listen")
    model, real = (
        icws.simulate(app, duration="20m", population=population, crypto="stand-in")
        for app in (rust_peer.model(), rust_peer.twin(CdkConfig()))
    )
    assert (real.counts.opened, real.counts.acks, real.counts.keep_alives) == (100, 300, 300)
    assert real.counts == model.counts


def test_scenes_hold_what_they_should() -> None:
    scenes = [Scene.of(seed) for seed in range(1, SCENES + 1)]
    assert sum(isinstance(scene.options["faults"], Upgrade) for scene in scenes) >= 4
    assert {scene.options["population"].sessions for scene in scenes} == {1, 2, 4}


@pytest.fixture
def bench() -> CanisterBench:
    return CanisterBench(rust_peer.canister().factory())


class TestCanister:
    def test_its_own_candid_interface_is_found_in_the_module(self) -> None:
        app = rust_peer.canister()
        assert app.message_type == rust_peer.MESSAGE
        assert "service : (InitArgs)" in app.did

    def test_init_takes_candid_text(self) -> None:
        text = "(record { send_ack_interval_ms = 300_000 : nat64; max_messages = 50 })"
        assert wasm_app(rust_peer.compiled(), init=text).init_arg == rust_peer.init_arg(CdkConfig())

    def test_an_ack_interval_that_the_cdk_refuses_is_a_trap_with_its_text(self) -> None:
        app = rust_peer.canister(CdkConfig(send_ack_interval_ms=1000, enforce_minimum=False))
        installed = CanisterBench(app.factory()).installed
        assert "send_ack_interval_ms must be greater than" in str(installed)

    def test_stable_memory_outlives_an_upgrade_and_sessions_do_not(self, bench: CanisterBench) -> None:
        side = bench.opened("one")
        for _ in range(3):
            bench.ok(bench.message(side, encode([rust_peer.MESSAGE], [{"text": "x", "timestamp": 0}])))
        assert decode(
            reply_of(bench.host.query("received", b"DIDL\0\0", caller=CALLER, now_ns=bench.now_ns)), [NAT64]
        ) == [3]
        bench.host.upgrade(bench.factory, now_ns=bench.now_ns)
        assert decode(
            reply_of(bench.host.query("received", b"DIDL\0\0", caller=CALLER, now_ns=bench.now_ns)), [NAT64]
        ) == [3]
        assert not bench.poll(GATEWAY).messages

    def test_randomness_comes_from_the_management_canister(self) -> None:
        management = Management(b"secret")
        host = CanisterHost(CANISTER, on_call=lambda _callee, method, _arg, _is_query: management.call(method))
        host.install(rust_peer.canister().factory(), now_ns=START_NS)
        drawn = [reply_of(host.update("randomness", b"DIDL\0\0", caller=CALLER, now_ns=START_NS)) for _ in range(2)]
        assert len({bytes(decode(each, [BLOB])[0]) for each in drawn}) == 2

    def test_a_client_opens_a_session_and_keeps_it_alive(self) -> None:
        async def main() -> tuple[icws.Recording, list[LabEvent]]:
            with icws.Lab(rust_peer.canister(), time_scale=60, seed=3) as lab:
                async with icws.connect(lab) as session:
                    first = await session.receive(timeout=20)
                    await session.send({"text": "hello", "timestamp": 0})
                    second = await session.receive(timeout=20)
                    assert [first["text"], second["text"]] == ["ping", "ping"]
                    assert lab.canister().queues
                    await eventually(lambda: session.recording.summary().keep_alives > 0)
                    recording = session.recording
                return recording, lab.events

        recording, events = asyncio.run(main())
        assert all(result.ok for result in recording.verify())
        assert any("Received message: hello" in event.text for event in events)


def test_a_call_by_nobody_is_no_session() -> None:
    bench = CanisterBench(rust_peer.canister().factory())
    outcome = bench.update("ws_open", encode_open_args(1, GATEWAY), Principal.ANONYMOUS)
    assert b"Anonymous principal is not allowed" in reply_of(outcome)
