"""The tap's way to the gateway."""

import asyncio
import contextlib
import ssl

import pytest

from icws_explore.live import tap_dial
from icws_explore.live.tap_dial import dial, proxy_for, reason_of
from icws_explore.live.tap_http import Upstream
from icws_explore.protocol.errors import ConnectError
from support.raw_tcp import raw_server
from support.servers import free_port, silent_server, tunnel
from support.tls import server_and_client

VARIABLES = ("ws_proxy", "wss_proxy", "http_proxy", "https_proxy", "socks_proxy", "all_proxy", "no_proxy")


class Greeter(asyncio.Protocol):
    def __init__(self):
        self.greeted = asyncio.get_running_loop().create_future()
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.greeted.set_result(data)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def greeting(reader, writer):
    writer.write(b"hello")
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


async def dialled(url, context=None):
    protocol = Greeter()
    await dial(Upstream.parse(url), lambda: protocol, context)
    try:
        return await asyncio.wait_for(protocol.greeted, 60)
    finally:
        protocol.transport.close()


class TestWays:
    async def test_plain(self):
        async with raw_server(greeting) as url:
            assert await dialled(url) == b"hello"

    async def test_tls_whose_certificate_counts(self, tmp_path):
        server, client = server_and_client(tmp_path)
        async with raw_server(greeting) as url, tunnel(url.removeprefix("ws://"), tls=server) as (address, _):
            assert await dialled(f"wss://{address}", client) == b"hello"
        async with tunnel("127.0.0.1:1", tls=server) as (address, _):
            with pytest.raises(ConnectError, match="self-signed certificate"):
                await dialled(f"wss://{address}")

    async def test_through_a_proxy(self, monkeypatch):
        async with raw_server(greeting) as url, tunnel(url.removeprefix("ws://"), is_proxy=True) as (address, seen):
            monkeypatch.setenv("https_proxy", f"http://{address}")
            assert await dialled("ws://gateway.example:1234") == b"hello"
        assert seen == ["CONNECT gateway.example:1234 HTTP/1.1"]


class TestFailures:
    async def test_nobody_there(self):
        with pytest.raises(ConnectError, match="no connection to .*: Connection refused"):
            await dialled(f"ws://127.0.0.1:{free_port()}")

    async def test_silence(self, monkeypatch):
        monkeypatch.setattr(tap_dial, "CONNECT_PATIENCE_S", 0.1)
        async with silent_server() as address:
            with pytest.raises(ConnectError, match="does not answer"):
                await dialled(f"wss://{address}")

    @pytest.mark.parametrize("proxy", ["nonsense://x:1", "http://127.0.0.1:{port}"])
    async def test_a_bad_proxy_is_named(self, monkeypatch, proxy):
        monkeypatch.setenv("https_proxy", proxy.format(port=free_port()))
        with pytest.raises(ConnectError, match="through the proxy"):
            await dialled("ws://gateway.example")

    def test_reasons_are_one_line(self):
        assert reason_of(ConnectionRefusedError(111, "x")) == "Connection refused"
        assert reason_of(OSError("Multiple\nlines")) == "Multiple lines"
        assert reason_of(OSError()) == "OSError"
        assert "wrong version" in reason_of(ssl.SSLError(1, "[SSL] wrong version number"))


class TestProxyFor:
    def test_loopback_has_none(self, monkeypatch):
        monkeypatch.setenv("https_proxy", "http://proxy:1")
        assert proxy_for(Upstream.parse("ws://127.0.0.1:1")) is None
        assert proxy_for(Upstream.parse("wss://gateway.example")) == "http://proxy:1"

    def test_no_proxy_is_kept(self, monkeypatch):
        monkeypatch.setenv("https_proxy", "http://proxy:1")
        monkeypatch.setenv("no_proxy", "gateway.example")
        assert proxy_for(Upstream.parse("wss://gateway.example")) is None

    def test_http_proxies_are_not_for_tls(self, monkeypatch):
        monkeypatch.setenv("http_proxy", "http://proxy:1")
        assert proxy_for(Upstream.parse("wss://gateway.example")) is None
        assert proxy_for(Upstream.parse("ws://gateway.example")) == "http://proxy:1"
