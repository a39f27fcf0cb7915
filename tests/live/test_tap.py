"""The tap between real clients and the lab: what passes is recorded, nothing is changed or held up."""

import asyncio
import contextlib
import gc
import socket
import threading

import pytest
from websockets.asyncio.client import connect as open_websocket
from websockets.sync.client import connect as connect_in_this_thread

from icws_explore.analysis.network_calls import network_calls
from icws_explore.analysis.replay.replay import replay
from icws_explore.capture import load
from icws_explore.lab.gateway.gateway import GatewayServer
from icws_explore.live.connect import connect
from icws_explore.live.tap import Tap
from icws_explore.live.tap_relay import Stage
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import ArgumentValueError, CaptureError, ConnectError
from support.cost import lines_of
from support.jumping_lab import wait_for
from support.raw_tcp import ASK, until
from support.servers import free_port, silent_server, tunnel, websocket_server
from support.tls import server_and_client


def through(tap, lab, **more):
    known = {"canister": lab.canister_id, "root_key": lab.root_key, "clock": lab.clock, "app_type": lab.app_did}
    return connect(tap.url, **known | more)


class TestSessions:
    async def test_is_recorded_as_the_client_saw_it(self, lab, tmp_path):
        path = tmp_path / "tap.icws"
        with Tap(lab, record=path) as tap:
            async with through(tap, lab) as session:
                for _ in range(3):
                    await session.receive(60)
                    await session.send({"text": "pong", "timestamp": 0})
                await session.receive(60)
            await until(lambda: tap.open_connections == 0)
            verdicts = tap.recording.verify()
        theirs = [(f.direction, f.op, f.data) for f in session.recording.raw.frames if f.op == "binary"]
        assert [(f.direction, f.op, f.data) for f in tap.recording.raw.frames if f.op == "binary"] == theirs
        assert len(verdicts) >= 5
        assert all(verdict.ok for verdict in verdicts)
        written = load(path)
        assert written.frames == tap.recording.raw.frames
        assert (written.info.origin, written.info.canister_id) == ("tap", str(lab.canister_id))
        assert written.info.clock == lab.clock.info
        assert written.info.started_at is not None

    async def test_many_at_once_are_distinguished(self, lab):
        with Tap(lab) as tap:

            async def play():
                async with through(tap, lab) as session:
                    await session.receive(60)
                    await session.send({"text": "pong", "timestamp": 0})
                    await session.receive(60)
                    return session.recording.raw.frames

            played = await asyncio.gather(*(play() for _ in range(8)))
            await until(lambda: tap.open_connections == 0)
        sessions = [tap.recording.session(name) for name in tap.recording.raw.session_ids]
        assert len(sessions) == 8
        assert sorted([f.data for f in s.raw.frames if f.op == "binary"] for s in sessions) == sorted(
            [f.data for f in frames if f.op == "binary"] for frames in played
        )

    async def test_a_busy_loop_on_this_side_holds_nothing_up(self):
        async def echo(connection):
            async for message in connection:
                await connection.send(message)

        async with websocket_server(echo) as url:
            with Tap(url) as tap:
                sums = await asyncio.to_thread(_sums_in_a_round_trip, tap.url)
                await until(lambda: tap.open_connections == 0)
        assert sums < 5_000  # half a second on a machine that has nothing else to do

    async def test_subprotocol_origin_and_path_reach_the_gateway(self):
        seen = {}

        async def gateway(connection):
            seen["path"] = connection.request.path
            seen["origin"] = connection.request.headers["Origin"]
            seen["extensions"] = connection.request.headers.get("Sec-WebSocket-Extensions")
            await connection.close(4000, "done")

        import websockets

        async with websockets.serve(gateway, "127.0.0.1", 0, subprotocols=["ic", "other"]) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            with Tap(f"ws://127.0.0.1:{port}/gateway", allow_origins=["https://dapp.example"]) as tap:
                assert tap.url.endswith("/gateway")
                url = tap.url.removesuffix("/gateway") + "/room?x=1"
                async with open_websocket(url, origin="https://dapp.example", subprotocols=["nope", "ic"]) as socket:
                    assert socket.subprotocol == "ic"
                    await socket.wait_closed()
                    assert (socket.close_code, socket.close_reason) == (4000, "done")
                assert seen == {"path": "/gateway/room?x=1", "origin": "https://dapp.example", "extensions": None}
                async with open_websocket(tap.url, origin="http://localhost:3000", subprotocols=["ic"]) as socket:
                    await socket.wait_closed()
                await until(lambda: tap.open_connections == 0)
        assert seen == {"path": "/gateway", "origin": "http://localhost:3000", "extensions": None}

    async def test_a_gateway_behind_tls(self, lab, tmp_path):
        server, client = server_and_client(tmp_path)
        async with tunnel(lab.gateway_url.removeprefix("ws://"), tls=server) as (address, _):
            with Tap(f"wss://{address}", ssl=client) as tap:
                async with through(tap, lab) as session:
                    await session.receive(60)
                await until(lambda: tap.open_connections == 0)
        assert [frame.kind for frame in tap.recording][:3] == ["handshake", "open_request", "open"]


def _sums_in_a_round_trip(url):
    """What another thread gets computed during the slowest of some round trips: the measure of its being held up."""
    done, is_busy = 0, True

    def compute():
        nonlocal done
        while is_busy:
            sum(range(10_000))
            done += 1

    async def ask():
        most = 0
        async with open_websocket(url) as socket:
            for _ in range(20):
                before = done
                await socket.send(b"x")
                await socket.recv()
                most = max(most, done - before)
        return most

    computing = threading.Thread(target=compute)
    computing.start()
    try:
        return asyncio.run(ask())
    finally:
        is_busy = False
        computing.join()


class TestNetwork:
    async def test_the_root_key_is_in_the_capture(self, lab):
        with Tap(lab.gateway_url, network=lab.network_url) as tap:
            assert tap.recording.info.root_key == lab.root_key
            assert tap.recording.info.network_url == lab.network_url

    async def test_a_missing_network_is_a_note(self, lab):
        with Tap(lab.gateway_url, network=f"http://127.0.0.1:{free_port()}") as tap:
            assert "root key" in tap.notes[0]
            assert tap.recording.info.root_key is None


class TestLife:
    def test_leaves_nothing_behind(self, lab):
        before = set(threading.enumerate())
        tap = Tap(lab)
        for _ in range(2):
            with tap:
                tap.start()
            tap.stop()
        assert set(threading.enumerate()) <= before
        assert "stopped" in repr(tap)

    def test_an_address_that_is_taken(self, lab):
        with Tap(lab) as tap:
            taken = tap.url.rpartition(":")[2]
            with pytest.raises(ConnectError, match="choose another address"):
                Tap(lab, listen=f"127.0.0.1:{taken}").start()
            with pytest.raises(ConnectError, match="choose another address"):
                Tap(lab, network=lab.network_url, network_listen=f"127.0.0.1:{taken}").start()
        assert all(thread.name != "icws-tap" for thread in threading.enumerate())

    def test_a_file_that_cannot_be_written(self, lab, tmp_path):
        with pytest.raises(CaptureError, match="cannot write"):
            Tap(lab, record=tmp_path / "missing" / "s.icws").start()

    @pytest.mark.parametrize(
        "more",
        [{"listen": "nowhere"}, {"network": "ws://x"}, {"allow_origins": ["dapp.example"]}, {"allow_hosts": ["a:1"]}],
    )
    def test_what_cannot_be_is_refused_at_once(self, lab, more):
        with pytest.raises(ArgumentValueError):
            Tap(lab, **more)

    def test_says_who_can_connect(self, lab):
        assert not Tap(lab).is_public
        assert Tap(lab, listen="0.0.0.0:0").is_public
        assert not Tap(lab, network_listen="0.0.0.0:0").is_public
        assert Tap(lab, network=lab.network_url, network_listen="0.0.0.0:0").is_public

    def test_a_stopped_one_has_no_address(self, lab):
        with pytest.raises(ConnectError, match="not running"):
            _ = Tap(lab).url

    async def test_watchers_see_frames_and_notes(self, lab):
        frames, notes = [], []
        tap = Tap(lab.gateway_url, network=f"http://127.0.0.1:{free_port()}")
        tap.watch(frames.append, notes=notes.append)
        with tap:
            async with through(tap, lab) as session:
                await session.receive(60)
            await until(lambda: tap.open_connections == 0)
        assert frames == tap.recording.raw.frames
        assert len(notes) == 1


class TestFaults:
    async def test_of_the_loop_are_reported_once_a_minute_and_not_printed(self, caplog, capfd):
        """Descriptors that are used up: asyncio reports each connection that it cannot accept, a hundred at a time."""
        with Tap("ws://127.0.0.1:1") as tap:
            loop = tap._thread.loop
            error = OSError(24, "Too many open files")
            for _ in range(100):
                context = {"message": "socket.accept() out of system resource", "exception": error}
                loop.call_soon_threadsafe(loop.call_exception_handler, context)
            await until(lambda: tap.notes)
        assert len(tap.notes) == 1
        assert "Too many open files" in tap.notes[0]
        assert "Traceback" not in caplog.text + capfd.readouterr().err

    async def test_a_tap_ends_while_a_gateway_is_dialled(self, monkeypatch):
        async with silent_server() as address:
            with Tap(f"wss://{address}") as tap:
                _, writer = await upgraded_or_waiting(tap.url)
                await until(lambda: any(relay.stage is Stage.DIALLING for relay in tap._running.relays))
            writer.close()
        assert tap.open_connections == 0

    @pytest.mark.parametrize("turns", range(5))
    def test_a_socket_that_is_accepted_while_a_tap_ends_is_closed(self, turns):
        """asyncio hands it over some turns of the loop later. ResourceWarning is an error in this suite."""
        clients = []

        async def stop_in_the_middle(tap):
            clients.append(socket.create_connection(("127.0.0.1", tap._running.port)))
            for _ in range(turns):
                await asyncio.sleep(0)
            await tap._running.stop()

        with Tap("ws://127.0.0.1:1") as tap:
            tap._thread.submit(stop_in_the_middle(tap)).result(60)
            assert tap.open_connections == 0
        for client in clients:
            with client, contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
        gc.collect()


async def upgraded_or_waiting(url):
    host, _, port = url.removeprefix("ws://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(ASK)
    return reader, writer


class TestCost:
    @pytest.mark.parametrize("size", [100, 2_000, 100_000])
    def test_of_a_frame_is_some_hundred_lines(self, size, tmp_path):
        """A direct connection to the same server is the peer; bench/tap.py has both in milliseconds."""
        from bench.tap import ECHO, round_trips, running

        count = 20

        def talk(url, frames):
            with connect_in_this_thread(url, compression=None, proxy=None, max_size=None) as socket:
                round_trips(socket, bytes(size), frames // 2)

        def talk_through_a_tap(url, frames):
            with Tap(url, record=tmp_path / f"{frames}.icws", keep=False) as tap:
                talk(tap.url, frames)
                wait_for(lambda: tap.open_connections == 0)

        def lines_for_each(way, url):
            few, many = (lines_of(lambda n=n: way(url, n), most=1_000_000) for n in (2, 2 + count))
            return (many - few) / count

        with running(ECHO) as url:
            assert 0 < lines_for_each(talk_through_a_tap, url) - lines_for_each(talk, url) < 1_000


class TestNetworkByName:
    def test_url_root_key_and_canister_come_from_the_file(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "icws.toml").write_text(
            '[networks.staging]\nurl = "http://127.0.0.1:9"\n'
            f'root_key = "{MAINNET_ROOT_KEY.hex()}"\ncanister = "bkyz2-fmaaa-aaaaa-qaaaq-cai"\n'
        )
        with Tap("ws://127.0.0.1:9", network="staging") as tap:
            info = tap.recording.info
            assert tap.network_url is not None
        assert (info.network_url, info.root_key) == ("http://127.0.0.1:9", MAINNET_ROOT_KEY)
        assert info.canister_id == "bkyz2-fmaaa-aaaaa-qaaaq-cai"


class TestBothSides:
    async def test_a_clients_frame_is_followed_to_the_canister(self, lab):
        """Gateway between two taps' faces: each relayed call names the frame that it carries."""
        port = free_port()
        with Tap(f"ws://127.0.0.1:{port}", network=lab.network_url, clock=lab.clock, canister=lab.canister_id) as tap:
            gateway = GatewayServer(tap.network_url, port=port, clock=lab.clock, ordered=False)
            await gateway.start()
            async with through(tap, lab) as session:
                await session.receive(60)
                await session.send({"text": "pong", "timestamp": 0})
                await session.receive(60)
            await until(lambda: any(call.method_name == "ws_close" for call in network_calls(tap.recording.raw)))
            await gateway.stop()
        calls = [call for call in network_calls(tap.recording.raw) if call.request_type == "call"]
        relayed = [
            (call.method_name, tap.recording[call.frame].kind, call.outcome) for call in calls if call.frame is not None
        ]
        assert relayed[:2] == [("ws_open", "open_request", "replied"), ("ws_message", "message", "replied")]
        assert [call.method_name for call in calls if call.frame is None] == ["ws_close"]
        assert tap.recording.raw.session_ids == ["1"]
        assert all(verdict.ok for verdict in tap.recording.verify())
        assert replay(tap.recording.raw).agrees
