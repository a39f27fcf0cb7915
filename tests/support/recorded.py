"""A real session to look at: recorded from the lab, over sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

from icws_explore.lab import Lab
from icws_explore.live.connect import connect


def record(path: Path) -> Path:
    """Two rounds of ping-pong, an ack and its keep-alive, closed by the client."""
    with Lab(app="pingpong", time_scale=100, seed=3) as lab:
        asyncio.run(_play(lab, path))
    return path


async def _play(lab: Lab, path: Path) -> None:
    async with connect(lab, record=path) as session:
        for _ in range(2):
            ping = await session.receive(60)
            await session.send({"text": "pong", "timestamp": ping["timestamp"]})
        async with asyncio.timeout(60):
            async for _ in session.follow():
                if any(frame.kind == "keep_alive" for frame in session.recording):
                    return
