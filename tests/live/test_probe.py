"""Probing a gateway, and servers that are not gateways."""

import pytest

from icws_explore.live import probe as probe_module
from icws_explore.live.probe import probe
from icws_explore.protocol.errors import ConnectError
from support.servers import websocket_server


async def silent(connection):
    await connection.wait_closed()


async def chatty(connection):
    await connection.send("welcome")


async def brief(_connection):
    return


class TestProbe:
    async def test_of_a_gateway(self, lab):
        found = await probe(lab.gateway_url)
        assert found.gateway_principal == lab.gateway_principal
        assert found.connect_ms > 0
        assert found.handshake_ms >= 0

    @pytest.mark.parametrize(
        ("server", "said"),
        [(silent, "sent no handshake"), (chatty, "is not an IC WebSocket gateway"), (brief, "closed before")],
    )
    async def test_of_something_else(self, server, said, monkeypatch):
        if server is silent:
            monkeypatch.setattr(probe_module, "HANDSHAKE_TIMEOUT_S", 0.2)
        async with websocket_server(server) as url:
            with pytest.raises(ConnectError, match=said):
                await probe(url)
