"""Both ends of a connection as bare TCP: every byte and every kind of end is the test's own."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from websockets.frames import Frame, Opcode

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Odd:  kept \r\n\r\n"
ASK = (
    b"GET /path?q=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@asynccontextmanager
async def raw_server(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A TCP server; gives its ws:// URL. A failing ``handle`` fails the test."""
    tasks: list[asyncio.Task[None]] = []

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await handle(reader, writer)

    server = await asyncio.start_server(run, "127.0.0.1", 0, limit=2**16)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.wait_for(asyncio.gather(*tasks), 60)
    finally:
        for task in tasks:
            task.cancel()
        server.close()


async def upgrade_as_server(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes = UPGRADE
) -> bytes:
    """Take the client's head and switch to WebSocket; gives the head."""
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(answer)
    return head


async def upgraded(url: str, ask: bytes = ASK) -> Streams:
    """A raw client behind the upgrade."""
    host, _, port = url.removeprefix("ws://").partition("/")[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(ask)
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def frame(opcode: Opcode, data: bytes = b"", *, fin: bool = True, masked: bool = False) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=masked)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a TCP connection with RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Wait for ``true()``, which becomes so on another thread."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  # the other thread knows nothing of this loop's events
            await asyncio.sleep(0.005)
