from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from icws_explore.analysis.network_calls import network_calls
from icws_explore.lab import Faults, Lab
from icws_explore.lab.apps import APPS
from icws_explore.lab.faults import Stage
from icws_explore.lab.gateway.gateway import GatewayServer
from icws_explore.lab.watchdog import Watchdog
from icws_explore.live.connect import connect
from icws_explore.live.tap import Tap
from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import App, AppContext, Flavour
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import ArgumentTypeError, ArgumentValueError, ConnectError, LabError
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.messages import WebsocketMessage
from icws_explore.protocol.service_messages import (
    AckMessage,
    CloseMessage,
    KeepAliveMessage,
    OpenMessage,
    decode_service,
)
from support.cost import lines_of
from support.lab_requests import PATIENCE_S, BareClient, eventually
from support.servers import free_port

APP = """
MESSAGE_TYPE = "record { text : text; timestamp : nat64 }"

def on_message(context, client, message):
    context.state["heard"] = context.state.get("heard", 0) + 1
    if message["text"] == "trap":
        context.trap("on purpose")
"""


async def service(client: BareClient, kind: type) -> WebsocketMessage:
    """Read messages up to the next service message of that kind, and return it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message = await client.receive()
            if message.is_service_message and isinstance(decode_service(message.content), kind):
                return message


def lab_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("icws-lab")]


def listening_ports() -> set[int]:
    connections = psutil.Process().net_connections(kind="tcp")
    return {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}


class TestStartAndStop:
    def test_starts_with_little_work(self) -> None:
        """A start takes some milliseconds (`make bench`) once the modules are loaded."""
        Lab(app="pingpong").start().stop()
        lab = Lab(app="pingpong")
        lines_of(lab.start, most=100_000)
        lab.stop()

    def test_leaves_no_thread_and_no_socket(self) -> None:
        before = listening_ports()
        lab = Lab(app="pingpong", gateways=2).start()
        assert len(lab_threads()) == 1
        assert len(listening_ports() - before) == 3
        lab.stop()
        assert lab_threads() == []
        assert listening_ports() == before
        lab.stop()

    def test_leaves_nothing_behind_if_its_faults_cannot_begin(self) -> None:
        class CannotBegin(Faults):
            def begin(self, stage: Stage) -> None:
                raise ValueError("not today")

        before = listening_ports()
        with pytest.raises(ValueError, match="not today"):
            Lab(app="pingpong", faults=CannotBegin()).start()
        assert lab_threads() == []
        assert listening_ports() == before

    async def test_stops_during_sessions(self) -> None:
        an_hour_ms = 3_600_000  # a stop that waited for the calls would never end
        lab = Lab(app="echo", update_latency_ms=an_hour_ms).start()
        clients = [BareClient(lab) for _ in range(3)]
        for client in clients:
            await client.__aenter__()
            await client.ask_to_open()
        await eventually(lambda: [event.kind for event in lab.events].count("received") == 3)
        await asyncio.to_thread(lab.stop)
        assert lab_threads() == []
        for client in clients:
            await client.socket.wait_closed()

    async def test_a_stopped_lab_starts_again(self) -> None:
        lab = Lab(app="echo", seed=3)
        addresses = []
        for _ in range(2):
            with lab:
                addresses.append((lab.canister_id, lab.root_key, lab.gateway_principal))
                async with BareClient(lab) as client:
                    await client.open()
        assert addresses[0] == addresses[1]

    def test_a_failed_start_leaves_nothing_behind(self) -> None:
        with Lab(app="echo") as other:
            port = other.gateways[0].port
            with pytest.raises(LabError, match=f"cannot listen on port {port}"):
                Lab(app="echo", gateway_port=port).start()
            with pytest.raises(LabError, match="cannot listen on port"):
                Lab(app="echo", replica_port=port).start()
            assert len(lab_threads()) == 1

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"app": "no such app"}, "there is no app 'no such app'"),
            ({"ack_interval_ms": 0}, "ack_interval_ms must be at least 1"),
            ({"poll_interval_ms": -5}, "poll_interval_ms must be at least 1"),
            ({"gateways": -1}, "gateways must be 0 or more"),
            ({"gateway_port": 99_999}, "gateway_port must be from 0"),
            ({"replica_port": -1}, "replica_port must be from 0"),
            ({"time_scale": 0}, "time_scale must be a positive number"),
            ({"allow_origins": ["dapp.example"]}, "not a page's origin: write https://"),
            ({"allow_hosts": ["https://x"]}, "not a host's name"),
        ],
    )
    def test_wrong_options_raise(self, options: dict[str, object], text: str) -> None:
        with pytest.raises(ArgumentValueError, match=text):
            Lab(**options).start()  # type: ignore[arg-type]
        assert lab_threads() == []

    def test_a_canister_that_traps_in_its_init_raises(self) -> None:
        with pytest.raises(LabError, match="could not be installed"):
            Lab(enforce_minimum=True, ack_interval_ms=60_000).start()
        assert lab_threads() == []

    def test_wrong_types_raise(self) -> None:
        with pytest.raises(ArgumentTypeError, match="app must be the name of an example, the path .*, not an int"):
            Lab(app=5)  # type: ignore[arg-type]
        with pytest.raises(ArgumentValueError, match="time_scale must be a number, not nan"):
            Lab(time_scale=float("nan"))

    def test_a_stopped_lab_has_no_addresses(self) -> None:
        lab = Lab(app="echo")
        for ask in (lambda: lab.gateway_url, lambda: lab.canister_id, lambda: lab.root_key, lab.canister):
            with pytest.raises(LabError, match="not running"):
                ask()

    def test_ends_with_the_interpreter(self) -> None:
        script = "from icws_explore.lab import Lab; lab = Lab().start(); print(lab.gateway_url)"
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout.startswith("ws://127.0.0.1:")


class TestTime:
    async def test_a_scaled_clock_makes_acks_and_keep_alives_faster(self) -> None:
        a_minute_ms = 300 * 60_000  # real; a busy machine's keep-alive needs some of it
        with Lab(app="echo", time_scale=300, keep_alive_timeout_ms=a_minute_ms) as lab:
            async with BareClient(lab) as client:
                opened = await client.open()
                first = await service(client, AckMessage)
                await client.send_service(KeepAliveMessage(first.sequence_num))
                second = await service(client, AckMessage)
            assert decode_service(second.content) == AckMessage(1)
            assert second.timestamp_ns - first.timestamp_ns == 300 * NS_PER_S
            assert opened.timestamp_ns <= first.timestamp_ns <= opened.timestamp_ns + 300 * NS_PER_S

    async def test_a_client_without_keep_alives_is_closed(self) -> None:
        with Lab(app="echo", time_scale=300) as lab:
            async with BareClient(lab) as client:
                await client.open()
                ack = await service(client, AckMessage)
                closing = await service(client, CloseMessage)
            assert closing.timestamp_ns - ack.timestamp_ns == 60 * NS_PER_S

    async def test_a_busy_main_thread_does_not_stop_it(self) -> None:
        ticks: list[int] = []

        def on_init(context: AppContext) -> None:
            context.every(10_000, lambda context: ticks.append(context.now_ns))

        with Lab(app=App("ticks", parse_type("text"), on_init=on_init), time_scale=100) as lab:
            until_ns = lab.clock.now_ns() + 100 * NS_PER_S
            patience_ns = round(100 * PATIENCE_S * NS_PER_S)
            while len(ticks) < 8 and lab.clock.now_ns() < until_ns + patience_ns:
                sum(range(1000))  # like a notebook cell that computes and never lets its loop run
        assert len(ticks) >= 8
        assert {after - before for before, after in pairwise(ticks)} == {10 * NS_PER_S}


class TestSeveralGatewaysAndCanisters:
    async def test_a_client_can_come_back_through_another_gateway(self) -> None:
        identity = Ed25519Identity.generate()
        with Lab(app="echo", gateways=2) as lab:
            first, second = lab.gateways
            async with BareClient(lab, gateway_url=first.url, identity=identity) as client:
                await client.open()
                await client.send_text("over the first")
                assert b"over the first" in (await client.receive()).content
            async with BareClient(lab, gateway_url=second.url, identity=identity) as client:
                await client.open()
                await client.send_text("over the second")
                assert b"over the second" in (await client.receive()).content
                (registered,) = lab.canister().clients
                assert (registered.key, registered.gateway) == (client.key, second.principal)

    async def test_a_client_can_come_back_after_its_gateway_was_removed(self) -> None:
        identity = Ed25519Identity.generate()
        with Lab(app="echo", gateways=2) as lab:
            first, second = lab.gateways
            async with BareClient(lab, gateway_url=first.url, identity=identity) as client:
                await client.open()
                await asyncio.to_thread(lab.remove_gateway, first)
                await client.socket.wait_closed()
            assert [each.key for each in lab.canister().clients] == [client.key]  # ws_close was not called
            async with BareClient(lab, gateway_url=second.url, identity=identity) as client:
                await client.open()
                assert [each.key for each in lab.canister().clients] == [client.key]

    async def test_canisters_keep_their_sessions_apart(self) -> None:
        with Lab(app="echo") as lab:
            other = lab.add_canister("pingpong")
            assert str(other) == "bkyz2-fmaaa-aaaaa-qaaaq-cai"
            assert [each.app.name for each in lab.canisters] == ["echo", "pingpong"]
            async with BareClient(lab) as echo, BareClient(lab) as pingpong:
                pingpong.canister_id = other
                await echo.open()
                await pingpong.open()
                assert b"ping" in (await pingpong.receive()).content
                assert len(lab.canister(other).clients) == len(lab.canister().clients) == 1

    async def test_two_labs_run_side_by_side(self) -> None:
        with Lab(app="echo", seed=1) as one, Lab(app="echo", seed=2, time_scale=60) as two:
            assert one.canister_id == two.canister_id
            assert one.root_key != two.root_key
            async with BareClient(one) as first, BareClient(two) as second:
                await asyncio.gather(first.open(), second.open())
                await asyncio.gather(first.send_text("one"), second.send_text("two"))
                assert b"one" in (await first.receive()).content
                assert b"two" in (await second.receive()).content
        assert lab_threads() == []

    def test_a_new_gateway_has_its_own_number_and_principal(self) -> None:
        with Lab(app="echo", gateways=2) as lab:
            first, second = lab.gateways
            lab.remove_gateway(first)
            third = lab.add_gateway()
            assert third.principal != second.principal
            assert third.number != second.number

    async def test_a_gateway_can_reach_the_network_through_a_tap(self) -> None:
        with Lab(app="echo") as lab, Tap(lab.gateway_url, network=lab.network_url) as tap:
            assert tap.network_url is not None
            await asyncio.to_thread(lab.point_gateway, lab.gateways[0], tap.network_url)
            assert lab.gateways[0].network_url == tap.network_url
            async with BareClient(lab) as client:
                await client.open()
            assert [call.method_name for call in network_calls(tap.recording.raw)][:2] == [None, "ws_open"]

    async def test_a_gateway_stays_with_its_network_if_there_is_none_at_the_other_address(self) -> None:
        with Lab(app="echo") as lab:
            with pytest.raises(ConnectError):
                await asyncio.to_thread(lab.point_gateway, lab.gateways[0], f"http://127.0.0.1:{free_port()}")
            with pytest.raises(LabError, match="is not a gateway of this lab"):
                lab.point_gateway(GatewayServer(lab.network_url), lab.network_url)
            assert lab.gateways[0].network_url == lab.network_url
            async with BareClient(lab) as client:
                await client.open()

    def test_a_gateway_of_another_lab_cannot_be_removed(self) -> None:
        with Lab(app="echo") as lab, pytest.raises(LabError, match="is not a gateway of this lab"):
            lab.remove_gateway(GatewayServer(lab.network_url))


class TestApps:
    @pytest.mark.parametrize("flavour", ["rust", "motoko"])
    @pytest.mark.parametrize("app", sorted(APPS))
    async def test_each_opens_on_each_cdk(self, app: str, flavour: Flavour) -> None:
        with Lab(app=app, flavour=flavour, update_latency_ms=10, poll_interval_ms=10) as lab:
            async with BareClient(lab) as client:
                opened = await client.open()
                assert decode_service(opened.content) == OpenMessage(client.key)


class TestStateInside:
    async def test_a_trap_of_a_users_app_is_logged_and_rolled_back(self, tmp_path: Path) -> None:
        path = tmp_path / "listener.py"
        path.write_text(APP)
        with Lab(app=path) as lab:
            async with BareClient(lab) as client:
                await client.open()
                await client.send_text("hello")
                await client.send_text("trap")
                traps = await eventually(lambda: [event for event in lab.events if event.kind == "trapped"])
            assert "on purpose" in traps[0].text
            assert lab.canister().memory == {"heard": 1}  # the trap was rolled back

    async def test_shows_queues_and_sequence_numbers(self) -> None:
        with Lab(app="echo") as lab:
            async with BareClient(lab) as client:
                await client.open()
                await client.send_text("hello")
                await client.receive()
                view = lab.canister(str(lab.canister_id))
                (seen,) = view.clients
                assert (seen.sent, seen.expected) == (2, 2)
                assert view.queues == {lab.gateway_principal: 2}
                assert len(view.certified_data) == 32

    def test_an_unknown_canister_raises(self) -> None:
        with Lab(app="echo") as lab, pytest.raises(LabError, match="has no canister bkyz2"):
            lab.canister("bkyz2-fmaaa-aaaaa-qaaaq-cai")

    async def test_an_upgrade_removes_the_sessions(self) -> None:
        with Lab(app="echo") as lab:
            async with BareClient(lab) as client:
                await client.open()
                await asyncio.to_thread(lab.upgrade)
                assert lab.canister().clients == ()
                assert [event.kind for event in lab.events][-1] == "upgraded"

    def test_events_reach_a_listener_in_the_labs_thread(self) -> None:
        heard: list[tuple[str, str]] = []
        with Lab(app="echo") as lab:
            end = lab.listen(lambda event: heard.append((event.kind, threading.current_thread().name)))

            def peek() -> None:
                lab._log.write(
                    "replica", "note", f"{len(lab.canister().clients)} clients"
                )  # called in the lab's own thread

            lab._call(peek)
            end()
            lab._call(peek)
        assert heard == [("note", "icws-lab")]

    def test_a_call_that_would_wait_for_itself_raises(self) -> None:
        with Lab(app="echo") as lab, pytest.raises(LabError, match="lab's own thread"):
            lab._call(lab.add_gateway)


@pytest.fixture
def quick_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icws_explore.lab.network.Watchdog", lambda: Watchdog(limit_s=1.0))


@pytest.mark.usefixtures("quick_watchdog")
class TestEndlessCode:
    def test_in_a_handler_traps_and_the_lab_continues(self, tmp_path: Path) -> None:
        app = tmp_path / "loops.py"
        app.write_text(APP + """
    if message["text"] == "loop":
        while True:
            pass
""", encoding="utf-8")  # fmt: skip
        with Lab(app=app, time_scale=60) as lab:
            asyncio.run(self.say(lab, "loop", "still there?"))
            assert lab.canister().memory == {"heard": 1}  # the count of the endless call was rolled back
            trapped = [event.text for event in lab.events if event.kind == "trapped"]
        (said,) = trapped
        assert re.search(r"Overrun: ran for 1 s in on_message, line 1[01] of loops.py; on the real network", said)

    async def say(self, lab: Lab, *texts: str) -> None:
        """Send each text from another client: after a trap, the next message of the same one is out of order."""
        for text in texts:
            async with connect(lab) as session:
                await session.send({"text": text, "timestamp": 0})
                await eventually(lambda text=text: self.is_judged(lab, text))

    def is_judged(self, lab: Lab, text: str) -> bool:
        wanted = "trapped" if text == "loop" else "accepted"
        return any(event.kind == wanted and event.text.startswith("ws_message") for event in lab.events)

    def test_at_the_top_level_of_the_file_raises(self, tmp_path: Path) -> None:
        app = tmp_path / "loops.py"
        app.write_text("x = 1\nwhile True: x += 1\n", encoding="utf-8")
        with pytest.raises(LabError, match=r"loops.py, line 2: Overrun: ran for 1 s in <module>, line 2 of "):
            Lab(app=app).start()
        assert lab_threads() == []

    def test_that_blocks_in_the_system_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Python raises nothing in code that waits in the system, as here for another process to open the pipe."""
        app, pipe = tmp_path / "waits.py", tmp_path / "pipe"
        os.mkfifo(pipe)
        app.write_text(APP + f"    open({str(pipe)!r}).close()\n", encoding="utf-8")
        with Lab(app=app) as lab:
            asyncio.run(self.stuck(lab, pipe, monkeypatch))

    async def stuck(self, lab: Lab, pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        async with connect(lab) as session:
            await session.send({"text": "x", "timestamp": 0})
            await eventually(lambda: "on_message" in lab._running_network.watchdog.blocked_by)
            said = r"^the lab did not answer within 0.5 s: a canister's update has been running for \d+ s in on_message"
            with monkeypatch.context() as patched, pytest.raises(LabError, match=said):
                patched.setattr("icws_explore.lab.lab.START_TIMEOUT_S", 0.5)
                await asyncio.to_thread(lab.canister)
            await asyncio.to_thread(pipe.write_text, "")


class TestDescribe:
    def test_repr_has_all_of_it(self) -> None:
        lab = Lab(app="my_app.py", time_scale=60)
        for name, value in lab.describe():
            assert f"{name}={value}" in repr(lab)
        assert dict(lab.describe()) == {
            "app": "my_app.py",
            "running": "no: call start()",
            "clock": "scaled × 60: a minute of protocol time takes 1 s",
            "acks": "every 300 s",
            "keep-alives": "within 60 s of an ack",
        }

    def test_a_running_lab_has_its_addresses(self) -> None:
        with Lab(app="echo", gateways=2) as lab:
            facts = lab.describe()
            for gateway in lab.gateways:
                assert ("gateway", f"{gateway.url} ({gateway.principal})") in facts
            assert ("network", lab.network_url) in facts
            assert ("canister", f"{lab.canister_id} (echo)") in facts
