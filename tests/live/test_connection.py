"""The I/O around the machine: deadlines, order, and what is written when the socket ends."""

import asyncio
import os

import pytest
import websockets

from icws_explore.capture import Capture, SessionInfo
from icws_explore.live.clock import RealClock
from icws_explore.live.connect import connect
from icws_explore.live.connection import Connection
from icws_explore.protocol.client.events import SendFrame
from icws_explore.protocol.client.machine import ClientConfig, ClientMachine
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.messages import Handshake
from icws_explore.protocol.principal import Principal
from support.jumping_lab import JumpingClock
from support.servers import websocket_server

GATEWAY = Handshake(Principal.ANONYMOUS).encode()


def to(url, lab, **more):
    known = {"canister": lab.canister_id, "root_key": lab.root_key, "wait_open": False}
    return connect(url, **known | more)


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


class TestRecording:
    async def test_a_full_disk_does_not_end_the_session(self, lab, tmp_path):
        async with connect(lab, record=tmp_path / "s.icws") as session:
            session._connection._writer.close()
            await session.send({"text": "pong", "timestamp": 0})
            await session.receive(60)
            await session.receive(60)
            assert session.is_open
        assert any("recording stopped" in note for note in session.recording.notes)
