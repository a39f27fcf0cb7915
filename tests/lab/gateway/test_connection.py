from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode

from icws_explore.lab.gateway import connection as connection_module
from icws_explore.lab.gateway.connection import GatewayConnection
from icws_explore.live.network import turns
from icws_explore.protocol.gateway.events import FrameKind
from support.lab_requests import PATIENCE_S, eventually
from support.raw_tcp import ASK, frame


class Listener:
    """A server that keeps the frames it receives once ``listens`` is set, and ends the connection at a close frame."""

    def __init__(self) -> None:
        self.heard: list[tuple[FrameKind, bytes]] = []
        self.connection: GatewayConnection | None = None
        self.answer: int | None = 1006  # the code for `drop` at a close frame
        self.listens = asyncio.Event()
        self.listens.set()

    async def serve(self, connection: ServerConnection) -> None:
        assert isinstance(connection, GatewayConnection)
        self.connection = connection
        await self.listens.wait()
        connection.listen(self.hear)
        await connection.wait_closed()

    def hear(self, kind: FrameKind, data: bytes) -> None:
        self.heard.append((kind, data))
        if kind == "close":
            self.open.drop(self.answer)

    @property
    def open(self) -> GatewayConnection:
        assert self.connection is not None
        return self.connection


@pytest.fixture
async def listener() -> Listener:
    return Listener()


@pytest.fixture
async def server(listener: Listener) -> AsyncIterator[Server]:
    async with serve(
        listener.serve, "127.0.0.1", 0, create_connection=GatewayConnection, compression=None, ping_interval=None
    ) as server:
        yield server


def url(server: Server) -> str:
    return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def closed_with(socket: object) -> int | None:
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(PATIENCE_S):
            await socket.recv()  # type: ignore[attr-defined]
    return closed.value.rcvd.code if closed.value.rcvd is not None else None


class TestReceive:
    async def test_every_kind_of_frame_is_reported_in_order(self, server: Server, listener: Listener) -> None:
        async with connect(url(server), proxy=None, ping_interval=None) as socket:
            await socket.send(b"one")
            await socket.ping(b"two")
            await socket.send("three")
            await socket.pong(b"four")
            await socket.send([b"fi", b"ve"])
            await eventually(lambda: len(listener.heard) == 5)
        assert listener.heard[:5] == [
            ("binary", b"one"),
            ("ping", b"two"),
            ("text", b"three"),
            ("pong", b"four"),
            ("binary", b"five"),
        ]

    async def test_frames_that_arrived_before_listen_are_reported(self, server: Server, listener: Listener) -> None:
        listener.listens.clear()
        async with connect(url(server), proxy=None, ping_interval=None) as socket:
            await socket.send(b"early")
            await eventually(lambda: listener.connection is not None and listener.connection._early)
            listener.listens.set()
            await eventually(lambda: listener.heard == [("binary", b"early")])


class TestBehindTheRequest:
    """What a client sends before it has the answer to its request for a WebSocket."""

    async def sent(self, server: Server, data: bytes) -> bytes:
        """Send ``data`` and nothing more; return what comes until the other side closes."""
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            try:
                writer.write(data)
                return await reader.read()
            except ConnectionResetError:
                return b""
            finally:
                writer.close()

    async def test_frames_are_heard_after_the_answer(self, server: Server, listener: Listener) -> None:
        early = frame(Opcode.BINARY, b"early", masked=True) + frame(Opcode.BINARY, b"x" * 2 * turns.PIECE, masked=True)
        answer = await self.sent(server, ASK + early + frame(Opcode.CLOSE, masked=True))
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert listener.heard == [("binary", b"early"), ("binary", b"x" * 2 * turns.PIECE), ("close", b"")]

    @pytest.mark.parametrize("request_", [ASK, b"GET / HTTP/1.1\r\n\r\n"], ids=["upgrade", "other"])
    @pytest.mark.parametrize("garbage", [b"\xff" * 20, b"\xff" * 2 * turns.PIECE], ids=len)
    async def test_garbage_is_no_internal_error(
        self, server: Server, request_: bytes, garbage: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        await self.sent(server, request_ + garbage)
        assert [record for record in caplog.records if record.exc_info and "internal error" in record.message] == []


class TestFloods:
    FIRST, PART = b"\x02\x80\0\0\0\0", b"\x00\x80\0\0\0\0"  # empty fragments

    async def test_of_fragments_is_parsed_in_turns(
        self, server: Server, listener: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(turns, "TURN_S", -1.0)  # each turn is over after its first piece
        async with connect(url(server)):
            await eventually(lambda: listener.connection is not None and listener.open.on_frame is not None)
            listener.open.data_received(self.FIRST + self.PART * 999 + b"\x80\x80\0\0\0\0")
            assert len(listener.open._parts) == turns.PIECE // len(self.PART)
            assert not listener.open.transport.is_reading()
            await eventually(lambda: listener.heard == [("binary", b"")])
            await eventually(listener.open.transport.is_reading)

    async def test_of_fragments_that_never_end_the_message_ends_the_connection(
        self, server: Server, listener: Listener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connection_module, "MAX_PARTS", 100)
        async with connect(url(server)) as client:
            await eventually(lambda: listener.connection is not None and listener.open.on_frame is not None)
            listener.open.data_received(self.FIRST + self.PART * 99)
            assert not listener.open.transport.is_closing()
            listener.open.data_received(self.PART)
            assert listener.open.transport.is_closing()
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(client.recv(), PATIENCE_S)


class TestEnd:
    async def test_a_close_frame_is_answered_if_the_gateway_answers(self, server: Server, listener: Listener) -> None:
        listener.answer = 1000
        async with connect(url(server), proxy=None, ping_interval=None) as socket:
            await socket.close(1000, "bye")
            assert socket.close_code == 1000

    async def test_a_close_frame_is_reported_and_not_answered(self, server: Server, listener: Listener) -> None:
        async with connect(url(server), proxy=None, ping_interval=None) as socket:
            await socket.close(1000, "bye")
            assert socket.close_code == 1006
        assert listener.heard == [("close", b"\x03\xe8bye")]

    async def test_a_ping_is_reported_and_not_answered(self, server: Server, listener: Listener) -> None:
        """The real gateway 1.4.6 sends no pong, either; it ends the session."""
        async with connect(url(server), proxy=None, ping_interval=None) as socket:
            pong = await socket.ping(b"are you there")
            await eventually(lambda: listener.heard == [("ping", b"are you there")])
            listener.open.write(b"behind it")
            assert await socket.recv() == b"behind it"
            assert not pong.done()

    async def test_without_a_close_frame(self, server: Server, listener: Listener) -> None:
        async with connect(url(server), proxy=None, ping_interval=None) as socket:
            await eventually(lambda: listener.connection)
            listener.open.write(b"last words")
            listener.open.drop(1006)
            assert await socket.recv() == b"last words"
            assert await closed_with(socket) is None

    @pytest.mark.parametrize(("code", "seen"), [(None, 1005), (1001, 1001)])
    async def test_with_a_close_frame(self, server: Server, listener: Listener, code: int | None, seen: int) -> None:
        async with connect(url(server), proxy=None, ping_interval=None) as socket:
            await eventually(lambda: listener.connection)
            listener.open.drop(code)
            listener.open.write(b"too late")
            listener.open.drop(1006)
            assert await closed_with(socket) == seen
