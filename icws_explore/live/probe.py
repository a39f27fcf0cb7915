"""Probe a gateway: connect, wait for its handshake, measure both, and close."""

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

HANDSHAKE_TIMEOUT_S: Final = 10.0  # real seconds


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of a probe. ``connect_ms`` and ``handshake_ms`` are real milliseconds.

    ``connect_ms`` is the time to open the WebSocket, ``handshake_ms`` the time from then to the gateway's handshake.
    """

    gateway_url: str
    gateway_principal: Principal
    connect_ms: float
    handshake_ms: float


async def probe(gateway_url: str) -> Probe:
    """Connect to the gateway, receive its handshake, and close.

    Raises ConnectError if nothing listens at the URL, or if it is not a WebSocket or not an IC WebSocket gateway.
    """
    url = Address.gateway(gateway_url).shown
    began = time.perf_counter()
    socket = await open_socket(gateway_url)
    connected = time.perf_counter()
    try:
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            frame = await socket.recv()
        greeted = time.perf_counter()
        handshake = Handshake.decode(frame.encode() if isinstance(frame, str) else bytes(frame))
    except TimeoutError as error:
        raise ConnectError(
            f"{url} sent no handshake in {HANDSHAKE_TIMEOUT_S:g} s: "
            "it is not an IC WebSocket gateway, or it is older than 1.1.0"
        ) from error
    except ConnectionClosed as error:
        raise ConnectError(f"{url} closed before its handshake: is it an IC WebSocket gateway?") from error
    except DecodeError as error:
        raise ConnectError(f"{url} is not an IC WebSocket gateway: {error}") from error
    finally:
        await socket.close()
    return Probe(url, handshake.gateway_principal, (connected - began) * 1000, (greeted - connected) * 1000)
