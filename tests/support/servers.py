"""Small servers on loopback that misbehave in one way each, for the errors a user would meet."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import websockets
from aiohttp import web
from websockets.asyncio.server import ServerConnection

Handler = Callable[[ServerConnection], Awaitable[None]]


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def websocket_server(handle: Handler) -> AsyncIterator[str]:
    """A WebSocket server; gives its ws:// URL."""
    async with websockets.serve(handle, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}"


@asynccontextmanager
async def http_server(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """An HTTP server that answers every request with ``handle``; gives its http:// URL."""
    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Accepts TCP connections and says nothing; gives host:port."""

    kept: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: kept.append(writer), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        for writer in kept:
            writer.close()
        server.close()


@asynccontextmanager
async def tunnel(
    target: str, *, tls: ssl.SSLContext | None = None, is_proxy: bool = False
) -> AsyncIterator[tuple[str, list[str]]]:
    """Passes bytes on to ``target`` (host:port): behind TLS, or as an HTTP proxy that answers CONNECT.

    Gives its own host:port and the CONNECT lines it has seen.
    """
    seen: list[str] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if is_proxy:
            head = await reader.readuntil(b"\r\n\r\n")
            seen.append(head.split(b"\r\n")[0].decode())
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host, _, port = target.rpartition(":")
        upstream = await asyncio.open_connection(host, int(port))
        await asyncio.gather(copy(reader, upstream[1]), copy(upstream[0], writer), return_exceptions=True)
        for end in (writer, upstream[1]):
            end.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}", seen
    finally:
        server.close()
