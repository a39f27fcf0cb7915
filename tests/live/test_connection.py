"""The I/O around the machine: deadlines, order, and what is written when the socket ends."""

import asyncio
import contextlib
import os

import pytest
import websockets
from websockets.frames import Opcode
from websockets.utils import accept_key

from icws_explore.capture import Capture, SessionInfo, load
from icws_explore.live import connect as connect_module
from icws_explore.live import connection as connection_module
from icws_explore.live.clock import RealClock
from icws_explore.live.connect import connect, open_socket
from icws_explore.live.connection import CLOSE_PATIENCE_S, Connection
from icws_explore.protocol.client.events import SendFrame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.errors import SessionClosedError
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.messages import Handshake
from icws_explore.protocol.principal import Principal
from support.jumping_lab import JumpingClock
from support.raw_tcp import UPGRADE, frame, raw_server
from support.servers import websocket_server

GATEWAY = Handshake(Principal.ANONYMOUS).encode()


def to(url, lab, **more):
    known = {"canister": lab.canister_id, "root_key": lab.root_key, "wait_open": False}
    return connect(url, **known | more)


async def upgrade_with_key(reader, writer):
    """Switch to WebSocket as a client that looks accepts it."""
    head = await reader.readuntil(b"\r\n\r\n")
    key = next(line.partition(b": ")[2] for line in head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key"))
    writer.write(
        UPGRADE.replace(b"X-Odd", b"Sec-WebSocket-Accept: " + accept_key(key.decode()).encode() + b"\r\nX-Odd")
    )


class TestDeadlines:
    async def test_the_open_timeout_fires_after_sixty_protocol_seconds(self, lab):
        async def deaf(connection):
            await connection.send(GATEWAY)
            await connection.wait_closed()

        async with websocket_server(deaf) as url:
            clock = JumpingClock()
            session = await to(url, lab, clock=clock)
            async for frame in session.follow():
                if frame.direction == "out":
                    break
            assert session.is_open is False
            clock.jump(60 * NS_PER_S)
            await asyncio.wait_for(session.wait_closed(), 60)
        assert (session.close_code, session.close_reason) == (4000, "Open connection timeout")
        sent = next(frame.frame.t for frame in session.recording if frame.kind == "open_request")
        assert session.recording[-1].frame.t - sent >= 60
        assert session.failures == ["Open timeout expired before receiving the open message"]


class TestTheEnd:
    @pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4001, "why"), (3000, "grüße")])
    async def test_the_peers_close_is_recorded_as_it_came(self, lab, code, reason):
        async def brief(connection):
            await connection.send(GATEWAY)
            await connection.recv()
            await connection.close(code, reason)

        async with websocket_server(brief) as url:
            session = await to(url, lab)
            await asyncio.wait_for(session.wait_closed(), 60)
        last = session.recording[-1].frame
        assert (last.direction, last.op, last.code, last.reason) == ("in", "close", code, reason)

    async def test_a_lost_connection_is_1006(self, lab):
        async def dropping(connection):
            await connection.send(GATEWAY)
            await connection.recv()
            connection.transport.abort()

        async with websocket_server(dropping) as url:
            session = await to(url, lab)
            await asyncio.wait_for(session.wait_closed(), 60)
        assert session.recording[-1].frame.code == 1006
        assert "lost" in session.recording[-1].summary

    async def test_a_text_frame_is_recorded_as_text_and_ends_it_as_the_sdk_does(self, lab):
        async def chatty(connection):
            await connection.send(GATEWAY)
            await connection.send("hello")
            await connection.wait_closed()

        async with websocket_server(chatty) as url:
            session = await to(url, lab)
            await asyncio.wait_for(session.wait_closed(), 60)
        assert [frame.frame.op for frame in session.recording if frame.frame.direction == "in"] == ["binary", "text"]
        assert (session.close_code, session.close_reason) == (4000, "Error receiving message")
        assert session.recording[-1].frame.direction == "out"


class Odd(ClientMachine):
    """Says things that the SDK never does, once the gateway has spoken."""

    def receive(self, data, now_ns):
        super().receive(data, now_ns)
        return [SendFrame("grüße".encode(), "text"), SendFrame(b"are you there", "ping"), SendFrame(b"\x00")]


class TestFramesThatTheSdkNeverSends:
    async def test_text_and_pings_go_out_as_such(self):
        heard = []

        async def listening(connection):
            connection.process_event = heard_by(connection.process_event)
            await connection.send(GATEWAY)
            async for _ in connection:
                pass

        def heard_by(process):
            def process_event(event):
                heard.append((event.opcode.name, bytes(event.data)))
                process(event)

            return process_event

        sent = await self._frames(listening)
        assert heard[:3] == [("TEXT", "grüße".encode()), ("PING", b"are you there"), ("BINARY", b"\x00")]
        assert [(frame.op, frame.data) for frame in sent] == [
            ("text", "grüße".encode()),
            ("ping", b"are you there"),
            ("binary", b"\x00"),
        ]

    async def _frames(self, handle):
        """What the recording has of such a client, against that server."""
        config = ClientConfig(Principal.from_text("bnz7o-iuaaa-aaaaa-qaaaa-cai"))
        machine = Odd(config, Ed25519Identity.generate(), entropy=os.urandom)
        capture = Capture(SessionInfo())
        heard = asyncio.Event()
        async with websocket_server(handle) as url, websockets.connect(url, ping_interval=None) as socket:
            connection = Connection(
                socket, machine, clock=RealClock(), capture=capture, writer=None, observe=lambda _event: heard.set()
            )
            running = asyncio.create_task(connection.run())
            await asyncio.wait_for(heard.wait(), 60)
            connection.close()  # goes out behind the rest
            await asyncio.wait_for(running, 60)
        return [frame for frame in capture.frames if frame.direction == "out" and frame.op != "close"]


class TestFaults:
    """A task of the session that fails ends it, and says so; none vanishes."""

    async def ended_by(self, lab, monkeypatch, method, broken, *, early=False):
        async def deaf(connection):
            await connection.send(GATEWAY)
            await connection.wait_closed()
            closed.append((connection.close_code, connection.close_reason))

        closed = []
        monkeypatch.setattr(ClientMachine if early else Connection, method, broken)
        async with websocket_server(deaf) as url:
            session = await to(url, lab)
            with pytest.raises(SessionClosedError, match="mine") as caught:
                await session.receive(60)
            await asyncio.wait_for(session.wait_closed(), 60)
        assert caught.value.code == session.close_code == 1011
        assert closed == [(1011, "internal error")]
        assert session.recording[-1].frame.code == 1011
        return session

    async def test_of_the_timer(self, lab, monkeypatch):
        async def broken(_self):
            raise RuntimeError("mine")

        session = await self.ended_by(lab, monkeypatch, "_fire_deadlines", broken)
        assert session.failures == session.recording.notes == ["the session's timer failed: RuntimeError: mine"]
        with pytest.raises(SessionClosedError, match="mine"):
            async for _ in session:
                pass

    async def test_of_the_sender(self, lab, monkeypatch):
        async def broken(_self, _frame):
            raise RuntimeError("mine")

        session = await self.ended_by(lab, monkeypatch, "_send_frame", broken)
        assert session.failures == ["the session's sender failed: RuntimeError: mine"]

    async def test_of_the_reader(self, lab, monkeypatch):
        def broken(_self, _data, _now_ns):
            raise RuntimeError("mine")

        session = await self.ended_by(lab, monkeypatch, "receive", broken, early=True)
        assert session.failures == ["the session's reader failed: RuntimeError: mine"]

    async def test_of_the_start(self, lab, monkeypatch):
        def broken(_self, _now_ns):
            raise RuntimeError("mine")

        session = await self.ended_by(lab, monkeypatch, "connected", broken, early=True)
        assert session.failures == ["the session's start failed: RuntimeError: mine"]

    async def test_of_the_end(self, lab, monkeypatch):
        def broken(*_):
            raise RuntimeError("mine")

        async def brief(connection):
            await connection.send(GATEWAY)
            await connection.close(4001, "why")

        monkeypatch.setattr(ClientMachine, "connection_lost", broken)
        async with websocket_server(brief) as url:
            session = await to(url, lab)
            await asyncio.wait_for(session.wait_closed(), 60)
        assert (session.close_code, session.failures[-1]) == (4001, "the session's end failed: RuntimeError: mine")

    async def test_are_in_the_file(self, lab, monkeypatch, tmp_path):
        async def broken(_self):
            raise RuntimeError("mine at http://me:s3cr3t@h")

        async def deaf(connection):
            await connection.wait_closed()

        monkeypatch.setattr(Connection, "_fire_deadlines", broken)
        async with websocket_server(deaf) as url:
            session = await to(url, lab, record=tmp_path / "s.icws")
            await asyncio.wait_for(session.wait_closed(), 60)
        assert load(tmp_path / "s.icws").notes == ["the session's timer failed: RuntimeError: mine at http://h"]


class TestClosing:
    async def test_a_peer_gets_a_second_to_answer(self):
        """websockets' own is ten, and no gateway ever answers."""

        async def deaf(connection):
            await connection.wait_closed()

        async with websocket_server(deaf) as url:
            socket = await open_socket(url)
            assert socket.close_timeout == CLOSE_PATIENCE_S <= 1.0
            await socket.close()

    async def test_one_that_never_answers_is_cut_off(self, lab, monkeypatch):
        monkeypatch.setattr(connect_module, "CLOSE_PATIENCE_S", 0.05)

        async def unanswering(reader, writer):
            await upgrade_with_key(reader, writer)
            writer.write(frame(Opcode.BINARY, GATEWAY))
            while await reader.read(2**16):
                pass
            writer.close()

        async with raw_server(unanswering) as url:
            session = await to(url, lab)
            await session.close()
        assert (session.close_code, session.recording[-1].frame.direction) == (1000, "out")

    async def test_so_is_one_that_reads_nothing(self, lab, monkeypatch):
        """A close frame cannot go out behind megabytes that the peer does not take."""
        monkeypatch.setattr(connection_module, "CLOSE_PATIENCE_S", 0.05)
        monkeypatch.setattr(ClientMachine, "send", lambda _self, content, _now_ns: [SendFrame(content)])

        async def unreading(reader, writer):
            await upgrade_with_key(reader, writer)
            await over.wait()
            writer.close()

        over = asyncio.Event()
        async with raw_server(unreading) as url:
            session = await to(url, lab)
            for _ in range(64):
                await session.send_bytes(bytes(2**20))
            await session.close()
            over.set()
        assert session.close_code == 1006

    async def test_what_a_peer_sends_after_our_close_is_bounded(self, lab, monkeypatch):
        monkeypatch.setattr(connection_module, "CLOSING_BYTES", 2**20)

        async def flooding(reader, writer):
            await upgrade_with_key(reader, writer)
            writer.write(frame(Opcode.BINARY, GATEWAY) + frame(Opcode.TEXT, b"this ends it"))
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(frame(Opcode.BINARY, bytes(2**16)))
                    await writer.drain()

        async with raw_server(flooding) as url:
            session = await to(url, lab)
            await asyncio.wait_for(session.wait_closed(), 60)
        received = sum(len(f.data) for f in session.recording.raw.frames if f.direction == "in")
        assert 2**20 <= received <= 2**20 + 2**18  # what one turn still reads
        assert session.close_code == 4000


class TestInFlight:
    async def test_unread_messages_are_three_at_most(self):
        """16 MiB each: with websockets' own 16 a peer that is read slowly held 272 MiB."""

        async def flooding(reader, writer):
            await upgrade_with_key(reader, writer)
            nonlocal sent
            with contextlib.suppress(ConnectionError):
                while sent < 64:
                    writer.write(frame(Opcode.BINARY, bytes(2**20)))
                    await writer.drain()
                    sent += 1

        sent = 0
        async with raw_server(flooding) as url:
            socket = await open_socket(url)
            before = -1
            while sent != before:  # nothing tells that something stands still
                before = sent
                await asyncio.sleep(0.3)
            assert len(socket.recv_messages.frames) <= 3
            assert sent < 64
            socket.transport.abort()


class TestRecording:
    async def test_a_full_disk_does_not_end_the_session(self, lab, tmp_path):
        async with connect(lab, record=tmp_path / "s.icws") as session:
            session._connection._writer.close()
            await session.send({"text": "pong", "timestamp": 0})
            await session.receive(60)
            await session.receive(60)
            assert session.is_open
        assert any("recording stopped" in note for note in session.recording.notes)
