"""Ten thousand connections that are no sessions, at a tap and at both ports of a lab."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from pathlib import Path

import pytest

import icws_explore as icws
from icws_explore.live import tap_recorder
from support.raw_tcp import ASK, until

CONNECTIONS, AT_ONCE = 10_000, 100
DESCRIPTORS = Path("/proc/self/fd")
WHAT = (
    b"",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"POST /api/v2/status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nhalf",
    ASK,
    ASK + b"\xff\xff\xff\xff",
)


def visit(dice: random.Random, port: int) -> None:
    """Open some connections, say something on each, and end them: half with a reset, without reading."""
    visitors = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(AT_ONCE)]
    for visitor in visitors:
        with contextlib.suppress(ConnectionError):
            visitor.sendall(dice.choice((*WHAT, dice.randbytes(200))))
    for visitor in visitors:
        if dice.random() < 0.5:
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        visitor.close()


def descriptors() -> int:
    """How many this process has open."""
    return sum(1 for _ in DESCRIPTORS.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not DESCRIPTORS.exists(), reason="needs Linux's /proc/self/fd")
async def test_ten_thousand_leave_nothing_and_a_session_opens() -> None:
    with icws.Lab("echo") as lab, icws.Tap(lab.gateway_url, network=lab.network_url) as tap:
        ports = [
            int(url.rpartition(":")[2]) for url in (tap.url, tap.network_url or "", lab.gateway_url, lab.network_url)
        ]
        before = descriptors()
        dice = random.Random(3)
        for number in range(CONNECTIONS // AT_ONCE):
            await asyncio.to_thread(visit, dice, ports[number % len(ports)])
        await until(lambda: tap.open_connections == 0)
        await until(lambda: descriptors() <= before + 2)  # two kept alive between tap and lab
        async with icws.connect(tap.url, network=tap.network_url, canister=lab.canister_id) as session:
            await session.send({"text": "still here"})
            assert await session.receive(timeout=60) == {"text": "still here"}
        assert len(tap.notes) < 10 * tap_recorder.MAX_KINDS
        assert len([event for event in lab.events if event.part == "lab"]) < 20
