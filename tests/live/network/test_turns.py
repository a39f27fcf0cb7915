"""Received bytes are parsed in turns, so that a flood of tiny frames leaves the loop to others."""

import asyncio

import pytest
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from icws_explore.live.network import turns
from icws_explore.live.network.turns import PIECE, ClientInTurns

PING = Frame(Opcode.PING, b"").serialize(mask=False)


class Wire(asyncio.Transport):
    """A transport in a test's hand: what is written stays here."""

    def __init__(self):
        super().__init__()
        self.sent = b""
        self.is_read = True

    def write(self, data):
        self.sent += data

    def write_eof(self):
        self.sent += b"(end)"

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def is_closing(self):
        return False

    def pause_reading(self):
        self.is_read = False

    def resume_reading(self):
        self.is_read = True


@pytest.fixture
async def connection():
    protocol = ClientProtocol(parse_uri("ws://h"), state=OPEN, max_size=2**20)
    connection = ClientInTurns(protocol, ping_interval=None, max_queue=1)
    connection.connection_made(Wire())
    connection.response = Response(101, "Switching Protocols", Headers())  # the handshake is over
    return connection


@pytest.fixture
def short_turns(monkeypatch):
    """Each turn is over after its first piece."""
    monkeypatch.setattr(turns, "TURN_S", -1.0)


def pongs(connection):
    """The pongs sent so far: a head of two bytes and a random mask of four, which may look like a head."""
    sent = connection.transport.sent
    return sum(sent[at : at + 2] == b"\x8a\x80" for at in range(0, len(sent), 6))


def binary(data):
    return Frame(Opcode.BINARY, data).serialize(mask=False)


async def read_on(connection):
    """Let the loop run until everything is parsed. Returns the number of turns."""
    count = 0
    while not connection.transport.is_read:
        await asyncio.sleep(0)
        count += 1
        assert count < 1000
    return count


@pytest.mark.usefixtures("short_turns")
class TestAFlood:
    async def test_is_parsed_in_pieces_and_not_read_meanwhile(self, connection):
        each = PIECE // len(PING)
        connection.data_received(PING * (10 * each))
        assert (pongs(connection), connection.transport.is_read) == (each, False)
        await asyncio.sleep(0)
        assert (pongs(connection), connection.transport.is_read) == (2 * each, False)
        assert await read_on(connection) == 8
        assert pongs(connection) == 10 * each

    async def test_that_reads_no_answers_waits(self, connection):
        connection.pause_writing()
        assert not connection.transport.is_read
        connection.data_received(PING * PIECE)
        before = pongs(connection)
        for _ in range(10):
            await asyncio.sleep(0)
        assert pongs(connection) == before
        connection.resume_writing()
        await read_on(connection)
        assert pongs(connection) == PIECE

    async def test_that_is_lost_is_parsed_no_further(self, connection):
        connection.data_received(PING * (10 * PIECE))
        before = pongs(connection)
        connection.connection_lost(ConnectionResetError())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert pongs(connection) == before
        with pytest.raises(ConnectionClosed):
            await connection.recv()

    async def test_keeps_the_order_of_what_comes_behind(self, connection):
        connection.data_received(PING * PIECE + binary(b"one"))
        connection.data_received(binary(b"two"))
        assert [await connection.recv(), await connection.recv()] == [b"one", b"two"]


class TestMessages:
    @pytest.mark.parametrize("turn_s", [-1.0, 3600.0])
    @pytest.mark.parametrize("size", [0, PIECE - 4, PIECE, 100_000])
    async def test_of_any_size_are_whole(self, connection, size, turn_s, monkeypatch):
        monkeypatch.setattr(turns, "TURN_S", turn_s)
        sent = [bytes([number]) * size for number in range(3)]
        connection.data_received(b"".join(map(binary, sent)))
        assert [await connection.recv() for _ in sent] == sent
        await read_on(connection)

    async def test_that_nobody_takes_stop_the_reading(self, connection):
        connection.data_received(binary(b"a") * 5)
        assert not connection.transport.is_read
        connection.pause_writing()
        connection.resume_writing()
        assert not connection.transport.is_read
        for _ in range(5):
            await connection.recv()
        assert connection.transport.is_read
