from __future__ import annotations

import asyncio
import contextlib
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from queue import Queue
from urllib.parse import urlsplit

import psutil
import pytest

from icws_explore.lab import Lab, LabEvent, ProcessLab
from icws_explore.lab.faults import Faults, Stage
from icws_explore.live.clock import ScaledClock
from icws_explore.live.connect import connect
from icws_explore.live.tap import Tap
from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App, AppContext
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import ArgumentTypeError, ArgumentValueError, LabError
from icws_explore.protocol.principal import Principal
from support.lab_requests import PATIENCE_S, eventually
from support.wat import wasm


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


class CannotBegin(Faults):
    def begin(self, stage: Stage) -> None:
        raise RuntimeError(f"not today, {type(stage).__name__}")


class TestStartAndStop:
    async def test_a_session_plays_in_another_process(self) -> None:
        before = children()
        with Lab("echo", process=True, time_scale=60, seed=4) as lab:
            assert isinstance(lab, ProcessLab)
            assert lab.running
            assert len(children()) == len(before) + 1
            async with connect(lab) as session:
                await session.send({"text": "over there"})
                async with asyncio.timeout(PATIENCE_S):
                    assert (await session.receive())["text"] == "over there"
                    await session.wait_for("ack")
        assert not lab.running
        assert children() == before
        assert not [each for each in threading.enumerate() if each.name.startswith("icws-lab")]

    def test_has_the_keys_of_a_lab_here_with_the_same_seed(self) -> None:
        with Lab(seed=8) as here, Lab(seed=8, process=True) as there:
            assert there.root_key == here.root_key
            assert there.gateway_principal == here.gateway_principal
            assert there.canister_id == here.canister_id
            assert there.app_did == here.app_did

    def test_starts_again_and_twice_is_once(self) -> None:
        lab = Lab(process=True)
        lab.stop()
        assert lab.start() is lab.start()
        first = lab.root_key
        lab.stop()
        lab.stop()
        with pytest.raises(LabError, match="not running"):
            _ = lab.gateway_url
        with lab:
            assert lab.root_key != first

    def test_ends_with_its_parent_however_that_ends(self) -> None:
        script = (
            "import os, psutil, signal; from icws_explore.lab import Lab; Lab(process=True).start()\n"
            "print(psutil.Process().children()[0].pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
        )
        run = subprocess.run(
            [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert run.returncode < 0
        with contextlib.suppress(psutil.NoSuchProcess):  # it has already ended
            psutil.Process(int(run.stdout)).wait(PATIENCE_S)

    async def test_says_so_when_it_was_killed(self) -> None:
        with Lab(process=True) as lab:
            told: Queue[LabEvent] = Queue()
            lab.listen(told.put)
            children()[-1].kill()
            event = told.get(timeout=PATIENCE_S)
            assert (event.part, event.kind) == ("lab", "lost")
            assert event.text.startswith("the lab's process was killed by SIGKILL")
            with pytest.raises(LabError, match="process has ended"):
                while True:
                    _ = lab.events
            with pytest.raises(LabError, match="process has ended"):
                lab.upgrade()

    @pytest.mark.parametrize(
        ("options", "kind", "text"),
        [
            ({"paused": True}, ArgumentValueError, "cannot be paused"),
            ({"time_scale": 0}, ArgumentValueError, "time_scale"),
            ({"gateways": "two"}, ArgumentTypeError, "gateways"),
        ],
    )
    def test_wrong_options_raise_before_it_starts(self, options: dict[str, object], kind: type, text: str) -> None:
        with pytest.raises(kind, match=text):
            Lab(process=True, **options)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("app", "faults", "text"),
        [
            ("no_such_app.py", None, "no_such_app"),
            ("echo", CannotBegin(), "not today, LabStage"),
        ],
    )
    def test_a_failed_start_says_why_and_leaves_nothing(self, app: str, faults: Faults | None, text: str) -> None:
        before = children()
        with pytest.raises(Exception, match=text):
            Lab(app, process=True, faults=faults).start()
        assert children() == before

    def test_what_cannot_be_sent_is_said(self) -> None:
        def on_message(context: AppContext, client: Principal, message: object) -> None:
            lock.acquire()

        lock = threading.Lock()
        app = App("locked", parse_type("record { text : text }"), on_message=on_message)
        with pytest.raises(LabError, match="cannot be sent"):
            Lab(app, process=True).start()


class TestUse:
    async def test_an_app_of_a_notebook_runs_there(self) -> None:
        def on_message(context: AppContext, client: Principal, message: dict[str, object]) -> None:
            context.state["heard"] = message["text"]
            context.send(client, {"text": f"not {message['text']}"})

        app = App("contrary", parse_type("record { text : text }"), on_message=on_message)
        with Lab(app, process=True) as lab:
            async with connect(lab) as session, asyncio.timeout(PATIENCE_S):
                await session.send({"text": "here"})
                assert await session.receive() == {"text": "not here"}
            assert lab.canister().memory == {"heard": "here"}

    async def test_an_upgrade_loses_its_sessions(self) -> None:
        with Lab("echo", process=True) as lab:
            async with connect(lab):
                assert len(lab.canister().clients) == 1
                lab.upgrade(lab.canister_id)
                assert lab.canister().clients == ()
            with pytest.raises(LabError, match="no canister"):
                lab.upgrade("aaaaa-aa")

    async def test_events_reach_listeners_until_they_end(self) -> None:
        heard: list[LabEvent] = []
        with Lab("echo", process=True) as lab:
            end = lab.listen(heard.append)
            lab.listen(lambda _event: None)
            async with connect(lab):
                await eventually(lambda: any(event.part == "gateway" for event in heard))
            end()
            number = len(heard)
            lab.upgrade()
            assert lab.events[-1] not in heard[number:]

    def test_both_processes_have_one_clock(self) -> None:
        with Lab(process=True, time_scale=500) as lab:
            before = lab.clock.now_ns()
            t_ns = lab.begin()  # by the clock over there
            assert before <= t_ns <= lab.clock.now_ns()
            assert lab.clock.now_ns() - before < 500 * PATIENCE_S * NS_PER_S

    async def test_a_tap_records_it(self) -> None:
        with Lab("echo", process=True) as lab, Tap(lab) as tap:
            async with connect(tap.url, network=lab.network_url, canister=lab.canister_id) as session:
                await session.send({"text": "seen"})
                async with asyncio.timeout(PATIENCE_S):
                    assert (await session.receive())["text"] == "seen"
            assert "app" in [frame.kind for frame in tap.recording]

    @pytest.mark.parametrize("name", ["faults", "gateways", "hold", "step", "control", "canisters", "pause"])
    def test_what_needs_its_objects_raises(self, name: str) -> None:
        with pytest.raises(LabError, match=f"{name} needs a lab in this process"):
            getattr(Lab(process=True), name)

    def test_describes_itself(self) -> None:
        lab = Lab("chat", process=True)
        assert ("process", "its own") in lab.describe()
        with lab:
            assert lab.gateway_url in repr(lab)
            assert "app=chat" in repr(lab)

    def test_a_compiled_canister_runs_there(self, tmp_path: Path) -> None:
        (tmp_path / "own.wasm").write_bytes(wasm('(func (export "canister_init"))'))
        did = "service : { ws_message : (record {}, opt record { text : text }) -> () }"
        with Lab(wasm=tmp_path / "own.wasm", did=did, process=True) as lab:
            assert lab.app_did == did
            lab.upgrade()


async def test_labs_share_a_port() -> None:
    with Lab("echo", process=True, seed=1, reuse_port=True) as one:
        port = urlsplit(one.gateway_url).port
        assert port is not None
        with Lab("echo", seed=1, reuse_port=True, gateway_port=port) as other:
            assert (other.gateway_url, other.root_key) == (one.gateway_url, one.root_key)
            async with asyncio.timeout(PATIENCE_S):
                while not (one.events and any(event.part == "gateway" for event in other.events)):
                    async with connect(one):
                        pass


def test_a_clock_that_was_sent_tells_the_same_time() -> None:
    clock = ScaledClock(60)
    copy = pickle.loads(pickle.dumps(clock))
    before = clock.now_ns()
    assert before <= copy.now_ns() <= clock.now_ns()
