"""The I/O around the machine: deadlines, order, and what is written when the socket ends."""

import asyncio

import pytest

from icws_explore.live.clock import ScaledClock
from icws_explore.live.connect import connect
from icws_explore.protocol.messages import Handshake
from icws_explore.protocol.principal import Principal
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
            session = await to(url, lab, clock=ScaledClock(200))
            await asyncio.wait_for(session.wait_closed(), 10)
        assert (session.close_code, session.close_reason) == (4000, "Open connection timeout")
        sent = next(frame.frame.t for frame in session.capture if frame.kind == "open_request")
        assert 60 <= session.capture[-1].frame.t - sent < 75
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
            await asyncio.wait_for(session.wait_closed(), 10)
        last = session.capture[-1].frame
        assert (last.direction, last.op, last.code, last.reason) == ("in", "close", code, reason)

    async def test_a_lost_connection_is_1006(self, lab):
        async def dropping(connection):
            await connection.send(GATEWAY)
            await connection.recv()
            connection.transport.abort()

        async with websocket_server(dropping) as url:
            session = await to(url, lab)
            await asyncio.wait_for(session.wait_closed(), 10)
        assert session.capture[-1].frame.code == 1006
        assert "lost" in session.capture[-1].summary

    async def test_a_text_frame_is_recorded_as_text_and_ends_it_as_the_sdk_does(self, lab):
        async def chatty(connection):
            await connection.send(GATEWAY)
            await connection.send("hello")
            await connection.wait_closed()

        async with websocket_server(chatty) as url:
            session = await to(url, lab)
            await asyncio.wait_for(session.wait_closed(), 10)
        assert [frame.frame.op for frame in session.capture if frame.frame.direction == "in"] == ["binary", "text"]
        assert (session.close_code, session.close_reason) == (4000, "Error receiving message")
        assert session.capture[-1].frame.direction == "out"


class TestRecording:
    async def test_a_full_disk_does_not_end_the_session(self, lab, tmp_path):
        async with connect(lab, record=tmp_path / "s.icws") as session:
            session._connection._writer.close()
            await session.send({"text": "pong", "timestamp": 0})
            await session.receive(10)
            await session.receive(10)
            assert session.is_open
        assert any("recording stopped" in note for note in session.capture.notes)
