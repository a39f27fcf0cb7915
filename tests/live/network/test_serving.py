"""Slow and greedy HTTP clients cost little, and hold up nobody else."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import pytest
from aiohttp import web

from icws_explore.live.network import serving
from icws_explore.live.network.serving import Bodies, BodyError, runner_of

MOST = 1_000_000


@asynccontextmanager
async def served() -> AsyncIterator[tuple[int, Bodies]]:
    """A server that answers a body's length, and the port."""
    bodies = Bodies()

    async def handle(request: web.Request) -> web.Response:
        try:
            async with bodies.of(request, MOST) as body:
                return web.Response(text=f"{len(body)} bytes")
        except BodyError as error:
            return web.Response(status=error.status, text=error.text)

    application = web.Application()
    application.router.add_post("/", handle)
    runner = runner_of(application, logging.Logger("test"), shutdown_s=0)  # noqa: LOG001
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1], bodies
    finally:
        await runner.cleanup()


class Client:
    """A connection that has announced a body and sent a part of it."""

    def __init__(self, port: int, size: int, part: bytes, *headers: str) -> None:
        self._port = port
        lines = ["POST / HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {size}", "Connection: close", *headers]
        self._sent = "\r\n".join([*lines, "", ""]).encode() + part

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.writer.write(self._sent)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def answer(self) -> str:
        """The status, and the body of the answer."""
        async with asyncio.timeout(60):
            head = await self.reader.readuntil(b"\r\n\r\n")
            lines = head.decode().lower().split("\r\n")
            size = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length"))
            return f"{lines[0].split()[1]} {(await self.reader.readexactly(size)).decode()}"


async def held(bodies: Bodies, size: int) -> None:
    """Until so many bytes count."""
    while bodies._held < size:  # noqa: ASYNC110
        await asyncio.sleep(0)


class TestBodies:
    async def test_are_read_whole(self) -> None:
        async with served() as (port, bodies):
            async with Client(port, MOST, bytes(MOST)) as client:
                assert await client.answer() == f"200 {MOST} bytes"
            assert bodies._held == 0

    async def test_that_are_too_large_are_413(self) -> None:
        async with served() as (port, _), Client(port, MOST + 1, bytes(MOST + 1)) as client:
            assert await client.answer() == f"413 The request body is bigger than {MOST} bytes."

    async def test_that_stop_coming_are_408(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(serving, "BODY_S", 0.01)
        async with served() as (port, bodies), Client(port, MOST, bytes(MOST // 2)) as client:
            assert (await client.answer()).startswith("408 the request's body was not complete")
            assert bodies._held == 0

    async def test_of_slow_clients_hold_up_large_ones_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(serving, "MOST", MOST // 2)
        async with served() as (port, bodies):
            slow = serving.SMALL + MOST // 2
            async with Client(port, MOST, bytes(slow)):
                await held(bodies, MOST // 2)
                async with Client(port, serving.SMALL, bytes(serving.SMALL)) as small:
                    assert await small.answer() == f"200 {serving.SMALL} bytes"
                async with Client(port, MOST, bytes(MOST)) as large:
                    assert (await large.answer()).startswith("503 ")

    async def test_stay_packed(self) -> None:
        """Of a bomb, only its own bytes are there."""
        packed = gzip.compress(bytes(10_000_000))
        async with served() as (port, _), Client(port, len(packed), packed, "Content-Encoding: gzip") as client:
            assert await client.answer() == f"200 {len(packed)} bytes"


class TestTurns:
    async def test_nobody_is_read_from_for_long_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A body of a million chunks would otherwise hold up the other connections for a second and more."""
        sizes: list[int] = []
        received = web.RequestHandler.data_received

        def count(handler: web.RequestHandler, data: bytes) -> None:
            sizes.append(len(data))
            received(handler, data)

        monkeypatch.setattr(web.RequestHandler, "data_received", count)
        async with served() as (port, _), Client(port, MOST, bytes(MOST)) as client:
            assert await client.answer() == f"200 {MOST} bytes"
        assert sum(sizes) > MOST
        assert max(sizes) == serving.TURN


class TestIdleConnections:
    @pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nX-Slow: "])
    async def test_are_closed(self, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
        monkeypatch.setattr(serving, "IDLE_S", 0.01)
        async with served() as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            async with asyncio.timeout(60):
                assert await reader.read() == b""
            writer.close()
