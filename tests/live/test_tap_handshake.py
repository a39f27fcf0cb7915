"""The opening handshake through the tap: RFC 6455 section 4, line by line, and the way to the gateway."""

import asyncio
import contextlib
import ssl

import pytest

from icws_explore.capture.websocket_stream import HeadError
from icws_explore.live import tap_handshake
from icws_explore.live.address import Address
from icws_explore.live.tap_handshake import UpgradeRequest, dial, own_answer, reason_of
from icws_explore.protocol.errors import ConnectError
from support.raw_tcp import raw_server
from support.servers import free_port, silent_server, tunnel
from support.tls import server_and_client

GATEWAY = Address.gateway("wss://gateway.example/base/")
REQUEST = (
    b"GET /chat?room=1 HTTP/1.1\r\nHost: 127.0.0.1:5\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Origin: http://localhost:3000\r\nSec-WebSocket-Key: abc\r\nsec-websocket-extensions: permessage-deflate\r\n"
    b"Sec-WebSocket-Protocol: a, b\r\nAuthorization: Bearer x\xe4\r\nX-Odd:   kept  \r\n\r\n"
)


def forwarded(head, gateway=GATEWAY):
    return UpgradeRequest.read(head).forwarded(gateway)


def with_line(line):
    return REQUEST.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n")


class TestRequest:
    def test_only_three_lines_change(self):
        before, after = REQUEST.split(b"\r\n"), forwarded(REQUEST).split(b"\r\n")
        assert [line for line in before if line not in after] == [
            b"GET /chat?room=1 HTTP/1.1",
            b"Host: 127.0.0.1:5",
            b"sec-websocket-extensions: permessage-deflate",
        ]
        assert [line for line in after if line not in before] == [
            b"GET /base/chat?room=1 HTTP/1.1",
            b"Host: gateway.example",
        ]
        assert after.index(b"Host: gateway.example") == 1

    def test_what_is_for_a_proxy_stays_here(self):
        for line in (b"Proxy-Authorization: Basic bWU6cHc=", b"proxy-connection: keep-alive"):
            assert forwarded(with_line(line)) == forwarded(REQUEST)

    def test_cookies_of_a_browser_are_for_the_taps_host(self):
        """Jupyter's, and every other server's on this machine: a browser sends them to each port of it."""
        cookie = b"Cookie: username-127-0-0-1-8888=s3cr3t"
        assert b"s3cr3t" not in forwarded(with_line(cookie))
        program = with_line(cookie).replace(b"Origin: http://localhost:3000\r\n", b"")
        assert cookie in forwarded(program)

    def test_the_gateways_user_is_added_unless_the_client_has_one(self):
        gateway = Address.gateway("ws://me:pw@gateway.example")
        assert b"\r\nAuthorization: Bearer x\xe4\r\n" in forwarded(REQUEST, gateway)
        assert b"Basic" not in forwarded(REQUEST, gateway)
        alone = REQUEST.replace(b"Authorization: Bearer x\xe4\r\n", b"")
        assert forwarded(alone, gateway).endswith(b"\r\nAuthorization: Basic bWU6cHc=\r\n\r\n")

    @pytest.mark.parametrize(
        "head",
        [
            b"\r\n\r\n",
            b"\x16\x03\x01\r\n\r\n",
            b"GET / HTTP/2\r\n\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
            b"POST / HTTP/1.1\r\n\r\n",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"GET /a b HTTP/1.1\r\n\r\n",
            b"GET /#fragment HTTP/1.1\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\n\r\n",
        ],
    )
    def test_what_is_no_request_for_a_path_is_refused(self, head):
        with pytest.raises(HeadError):
            forwarded(head)

    @pytest.mark.parametrize(
        "target",
        [b"http://evil.example/", b"ws://evil.example", b"evil.example:443", b"*", b".evil.example/", b"@evil.example/",
         b":1@evil.example/", b"", b"\\evil.example", b"//evil.example/"],
    )  # fmt: skip
    def test_no_target_names_another_host(self, target):
        with pytest.raises(HeadError):
            forwarded(b"GET " + target + b" HTTP/1.1\r\nHost: evil.example\r\n\r\n")

    @pytest.mark.parametrize(
        "line",
        [
            b"X: a\nHost: evil.example",  # a bare line feed ends a line to some servers
            b"X: a\rHost: evil.example",
            b" Sec-WebSocket-Extensions: permessage-deflate",  # a folded line belongs to the one before
            b"\tx",
            b"Host : evil.example",
            b"X\x00: a",
            b"X: \x00",
            b"no colon",
            b": no name",
            b"Transfer-Encoding: chunked",
            b"Content-Length: 5",
            b"Content-Length: 0, 5",
        ],
    )
    def test_what_two_readers_read_differently_is_refused(self, line):
        with pytest.raises(HeadError):
            forwarded(with_line(line))

    def test_an_empty_body_gives_none(self):
        assert b"Content-Length: 0" in forwarded(with_line(b"Content-Length: 0"))

    def test_an_upgrade_is_to_a_websocket(self):
        assert UpgradeRequest.read(REQUEST).is_upgrade
        assert not UpgradeRequest.read(REQUEST.replace(b"Upgrade: websocket", b"Upgrade: h2c")).is_upgrade
        assert not UpgradeRequest.read(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").is_upgrade


class TestAnswer:
    def test_our_own_is_whole(self):
        head, body = own_answer("502 Bad Gateway", "näh").split(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        assert b"Upgrade" not in head
        assert body.decode() == "icws tap: näh\n"

    def test_one_that_asks_for_an_upgrade_says_to_what(self):
        """RFC 9110, section 15.5.22."""
        assert b"\r\nUpgrade: websocket\r\n" in own_answer("426 Upgrade Required", "x")


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
    await dial(Address.gateway(url), lambda: protocol, context)
    try:
        return await asyncio.wait_for(protocol.greeted, 5)
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
    async def test_no_server(self):
        with pytest.raises(ConnectError, match="no connection to .*: Connection refused"):
            await dialled(f"ws://127.0.0.1:{free_port()}")

    async def test_silence(self, monkeypatch):
        monkeypatch.setattr(tap_handshake, "CONNECT_PATIENCE_S", 0.1)
        async with silent_server() as address:
            with pytest.raises(ConnectError, match="does not answer"):
                await dialled(f"wss://{address}")

    async def test_a_proxy_is_named_without_its_password_even_in_the_cause(self, monkeypatch):
        monkeypatch.setenv("https_proxy", f"http://me:s3cr3t@127.0.0.1:{free_port()}")
        with pytest.raises(ConnectError, match="through the proxy http://127") as caught:
            await dialled("ws://you:s3cr3t@gateway.example/?token=s3cr3t")
        assert "s3cr3t" not in str(caught.value)
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)

    async def test_nor_what_a_proxy_quotes_of_it(self, monkeypatch):
        async def refuse(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"Proxy-Authorization: Basic bWU6czNjcjN0" in head
            writer.write(b"HTTP/1.1 407 No bWU6czNjcjN0 of me:s3cr3t@here\r\n\r\n")
            writer.close()

        async with raw_server(refuse) as url:
            monkeypatch.setenv("https_proxy", url.replace("ws://", "http://me:s3cr3t@"))
            with pytest.raises(ConnectError, match="407") as caught:
                await dialled("ws://gateway.example")
        assert "s3cr3t" not in str(caught.value)
        assert "bWU6" not in str(caught.value)

    def test_reasons_are_one_line(self):
        assert reason_of(ConnectionRefusedError(111, "x")) == "Connection refused"
        assert reason_of(OSError("Multiple\nlines")) == "Multiple lines"
        assert reason_of(OSError()) == "OSError"
        assert "wrong version" in reason_of(ssl.SSLError(1, "[SSL] wrong version number"))
