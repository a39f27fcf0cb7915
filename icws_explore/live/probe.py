"""Is a gateway alive, and how quickly does it answer: connect, wait for its handshake, leave."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from websockets.exceptions import ConnectionClosed

from icws_explore.protocol.errors import ConnectError, DecodeError
from icws_explore.protocol.messages import Handshake
from icws_explore.protocol.principal import Principal

from .address import Address
from .connect import open_socket

PATIENCE_S: Final = 10.0  # real seconds for the handshake


@dataclass(frozen=True, slots=True)
class Probe:
    """What a gateway showed of itself. Latencies in real milliseconds."""

    gateway_url: str
    gateway_principal: Principal
    connect_ms: float
    handshake_ms: float


async def probe(gateway_url: str) -> Probe:
    """Connect to the gateway, take its handshake, and close.

    Raises ConnectError: nobody there, no WebSocket, or no gateway that says who it is.
    """
    url = Address.gateway(gateway_url).shown
    began = time.perf_counter()
    socket = await open_socket(gateway_url)
    connected = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_S):
            frame = await socket.recv()
        greeted = time.perf_counter()
        handshake = Handshake.decode(frame.encode() if isinstance(frame, str) else bytes(frame))
    except TimeoutError as error:
        raise ConnectError(
            f"{url} sent no handshake in {PATIENCE_S:g} s: not an IC WebSocket gateway, or one older than 1.1.0"
        ) from error
    except ConnectionClosed as error:
        raise ConnectError(f"{url} closed before its handshake: is it an IC WebSocket gateway?") from error
    except DecodeError as error:
        raise ConnectError(f"{url} is not an IC WebSocket gateway: {error}") from error
    finally:
        await socket.close()
    return Probe(url, handshake.gateway_principal, (connected - began) * 1000, (greeted - connected) * 1000)
