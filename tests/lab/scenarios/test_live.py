"""Plans over real sockets: they give what the simulator gives, and leave nothing running."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from icws_explore.analysis.network_calls import network_calls
from icws_explore.analysis.recording import Recording
from icws_explore.lab import Faults, Lab
from icws_explore.lab.clocks import MachineClock
from icws_explore.lab.faults import Delivery, Stage
from icws_explore.lab.scenarios import ClientPlan, Plan, scenario
from icws_explore.lab.scenarios.live import LiveClient, LiveSetup, play
from icws_explore.lab.scenarios.scripts import texts
from icws_explore.lab.scenarios.simulated import run_simulated
from icws_explore.lab.simulator import Script, ScriptedClient
from icws_explore.live.scheduler import ClockScheduler
from icws_explore.protocol import cbor
from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.errors import LabError, ValueMismatchError
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.principal import Principal
from support.lab_requests import eventually
from support.machine import ROOT
from support.servers import free_port

PATIENCE_S = 60.0


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("icws")}


def kinds(recording: Recording, session: str, direction: str) -> list[str]:
    return [d.kind for d in recording.session(session) if (d.frame.op, d.frame.direction) == ("binary", direction)]


def opener(recording: Recording, session: str) -> tuple[Principal | None, int]:
    """The principal and the nonce of that session's ws_open."""
    opening = next(d for d in recording.session(session) if d.open_args is not None)
    assert opening.envelope is not None
    assert opening.open_args is not None
    return opening.envelope.sender, opening.open_args.client_nonce


class TestScenarios:
    """A few of each kind. `make scenarios` runs all of them."""

    @pytest.mark.parametrize(
        "name",
        [
            "NO_HANDSHAKE",  # a gateway
            "SEQUENCE_GAP_DOWN",
            "REORDERED_RELAY",  # the network
            "ON_OPEN_TRAP",  # a canister
            "CERTIFIED_DATA_CLASH",
            "POLLER_DEAD",
            "INGRESS_EXPIRY",  # a clock
            "RAW_CLIENT",  # a client
            "PROXY_IDLE",  # between them
            "ROOT_KEY",
        ],
    )
    def test_are_named_by_their_rule(self, name):
        recording = scenario(name).play(seed=1)
        first, *more = recording.doctor()
        assert first.id == name
        assert all(finding.severity == "info" for finding in more)
        assert (recording.info.origin, recording.info.clock.kind) == ("tap", "scaled")


class TestRecording:
    def test_has_the_same_messages_as_a_simulation(self):
        def plan() -> Plan:
            clients = (
                ClientPlan(script=texts((5, "one"), (20, "two"))),
                ClientPlan(at_s=10, gateway=1, script=texts((5, "three"))),
                ClientPlan(at_s=15, leaves_s=30),
            )
            return Plan("echo", 40, clients=clients, gateways=2, recorded={"ack_interval_ms": 77})

        played, run = play(plan(), seed=4, time_scale=20), run_simulated(plan(), 4)
        assert played.raw.session_ids == run.raw.session_ids == ["1", "2", "3"]
        for name in ("canister_id", "root_key", "app_type", "ack_interval_ms"):
            assert getattr(played.info, name) == getattr(run.info, name), name
        for session in ("1", "2", "3"):
            for direction in ("in", "out"):  # on a busy machine frames of both directions may cross
                found = [kinds(each, session, direction) for each in (played, run)]
                assert found[0] == found[1], (session, direction)
            openers = [opener(each, session) for each in (played, run)]
            assert openers[0] == openers[1], session  # keys and nonces depend only on the seed
        times = [frame.t for frame in played.raw.frames]
        assert times == sorted(times)
        assert played.doctor().ids == ()

    def test_of_one_client_has_no_session_name_but_its_principal(self):
        played = play(Plan("ticker", 5), seed=4)
        assert played.raw.session_ids == [None]
        assert played.info.client_principal == run_simulated(Plan("ticker", 5), 4).info.client_principal

    def test_begins_with_the_network_s_status_if_the_plan_asks_for_it(self):
        played = play(Plan("ticker", 5, asks_status=True, recorded={"root_key": b"another"}))
        (call,) = network_calls(played.raw)
        assert (call.target, call.outcome, call.request) == ("GET /api/v2/status", "replied", 0)
        assert cbor.loads(played.raw.http[1].data)["root_key"] != played.info.root_key == b"another"

    def test_progress_goes_up_to_1(self):
        seen: list[float] = []
        play(Plan("ticker", 30), progress=seen.append)
        assert seen == sorted(seen)
        assert seen[-1] == 1


class TestTimeScale:
    @pytest.mark.parametrize(
        ("of_the_plan", "given", "scale"), [(None, None, 60), (30.0, None, 30), (30.0, 120.0, 120)]
    )
    def test_is_the_plan_s_unless_given(self, of_the_plan, given, scale):
        played = play(Plan("ticker", 5, time_scale=of_the_plan), time_scale=given)
        assert played.info.clock.scale == scale


class Sabotage(Faults):
    """Plans an action that raises."""

    def begin(self, stage: Stage) -> None:
        stage.at(1, lambda: {}["nothing"])


class Breaks(Faults):
    """A hook of it raises."""

    def gateway_frame(self, session: int, data: bytes) -> list[Delivery]:
        raise KeyError("nothing")


class SendsWrongType(Script):
    def opened(self, client: ScriptedClient) -> None:
        client.send({"wrong": "type"})


class TestNothingIsLeftRunning:
    def test_after_a_play(self):
        play(Plan("ticker", 5, gateways=2))
        assert threads() == set()

    @pytest.mark.parametrize(
        ("plan", "error", "why"),
        [
            (lambda: Plan("echo", 3_600, clients=(ClientPlan(script=SendsWrongType()),)), ValueMismatchError, "text"),
            (lambda: Plan("echo", 10, faults=Sabotage()), LabError, "a fault failed: KeyError: 'nothing'"),
            (lambda: Plan("echo", 10, faults=Breaks()), LabError, "a fault failed: KeyError: 'nothing'"),
        ],
        ids=["a script", "an action of a fault", "a hook of a fault"],
    )
    def test_when_a_part_of_the_plan_raises(self, plan: Any, error: type[Exception], why: str):
        parts: list[float] = []
        with pytest.raises(error, match=why):
            play(plan(), progress=parts.append)
        assert plan().duration_s < 100 or max(parts, default=0) < 0.9  # what a script raises ends it at once
        assert threads() == set()

    def test_when_it_is_interrupted(self):
        code = (
            "from icws_explore.lab.scenarios import Plan\n"
            "from icws_explore.lab.scenarios.live import play\n"
            "import threading\n"
            "try:\n"
            "    play(Plan('ticker', 6000), progress=lambda part: print(part, flush=True))\n"
            "except KeyboardInterrupt:\n"
            "    left = [t.name for t in threading.enumerate() if t.name.startswith('icws')]\n"
            "    print('interrupted', left, flush=True)\n"
        )
        command = [sys.executable, "-c", code]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE_S)
        assert out.splitlines()[-1] == "interrupted []"
        assert err == ""

    def test_a_client_that_cannot_connect_is_noted_in_the_recording(self):
        class Vanishes(Faults):
            """The gateways stop listening before the second client connects."""

            def begin(self, stage: Stage) -> None:
                network: Any = stage
                stage.at(40, lambda: network._network.gateways[0]._server.close(close_connections=False))

        clients = (ClientPlan(), ClientPlan(at_s=60))
        played = play(Plan("ticker", 80, clients=clients, faults=Vanishes()))
        assert played.raw.session_ids == ["1"]
        assert any(note.startswith("client 2: ") for note in played.notes)


TEXT = parse_type("record { text : text }")


@dataclass
class Noting(Script):
    values: list[Any] = field(default_factory=list)

    def opened(self, client: ScriptedClient) -> None:
        client.memory["opened_ns"] = client.now_ns
        client.after(2_000, client.send, {"text": "hello"})
        client.after(600_000, self.values.append, "too late")

    def received(self, client: ScriptedClient, value: Any) -> None:
        self.values.append(value)
        client.close()


class Scene:
    def __init__(self, lab: Lab, script: Script, *, url: str | None = None) -> None:
        config = ClientConfig(lab.canister_id, lab.root_key, lab.ack_interval_ms, application_type=TEXT)
        machine = ClientMachine(config, Ed25519Identity.generate(), entropy=random.randbytes)
        clock = MachineClock(lab.clock, Faults(), "client", 0)
        self.errors: list[Exception] = []
        self.scheduler = ClockScheduler(lab.clock, self.errors.append)
        setup = LiveSetup(machine, script, clock, random.Random(1), TEXT, url or lab.gateway_url)
        self.client = LiveClient(0, setup, self.scheduler, self.errors.append)

    async def play(self) -> None:
        await self.client.connect()
        await self.client.run()
        self.scheduler.clear()


@pytest.fixture(scope="module")
def lab():
    with Lab("echo", time_scale=60) as running:
        yield running


class TestLiveClient:
    async def test_follows_its_script(self, lab):
        script = Noting()
        scene = Scene(lab, script)
        await scene.play()
        assert script.values == [{"text": "hello"}]
        assert scene.errors == []
        assert not scene.client.is_open
        assert scene.client.memory["opened_ns"] <= lab.clock.now_ns()

    async def test_reports_what_its_script_raises_and_continues(self, lab):
        class Fails(Noting):
            def opened(self, client: ScriptedClient) -> None:
                super().opened(client)
                client.send({"wrong": "type"})

        scene = Scene(lab, Fails())
        await scene.play()
        assert [type(error).__name__ for error in scene.errors] == ["ValueMismatchError"]
        assert scene.client.failures == []

    async def test_reports_what_a_planned_action_raises(self, lab):
        class Fails(Noting):
            def opened(self, client: ScriptedClient) -> None:
                super().opened(client)
                client.after(0, client.send, 5)

        scene = Scene(lab, Fails())
        await scene.play()
        await eventually(lambda: scene.errors)

    async def test_sends_and_closes_nothing_before_it_connects(self, lab):
        client = Scene(lab, Script()).client
        client.send({"text": "early"})
        client.send_bytes(b"early")
        client.close()
        await client.run()
        assert not client.is_open

    async def test_notes_that_it_cannot_connect(self, lab):
        scene = Scene(lab, Script(), url=f"ws://127.0.0.1:{free_port()}")
        await scene.play()
        assert "nobody listens" in scene.client.failures[0]
