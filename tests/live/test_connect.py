"""Every mistake in an argument is reported in one line that says what to do, and leaves nothing running."""

import asyncio
import threading

import pytest
from aiohttp import web

from icws_explore.lab.gateway.gateway import GatewayServer
from icws_explore.live import connect as connect_module
from icws_explore.live.connect import connect
from icws_explore.live.listen import Visitors
from icws_explore.protocol import cbor
from icws_explore.protocol.errors import (
    ArgumentValueError,
    CaptureError,
    ConnectError,
    DidError,
    IdentityError,
    PrincipalError,
)
from icws_explore.protocol.keys import AnonymousIdentity, Ed25519Identity, Secp256k1Identity
from icws_explore.protocol.messages import Handshake
from icws_explore.protocol.principal import Principal
from support.raw_tcp import raw_server
from support.servers import free_port, http_server, tunnel, websocket_server
from support.tls import server_and_client

NOWHERE = "bkyz2-fmaaa-aaaaa-qaaaq-cai"


@pytest.fixture(autouse=True)
def nothing_left():
    before = set(threading.enumerate())
    yield
    assert {thread.name for thread in set(threading.enumerate()) - before} <= {"asyncio_0", "icws-lab"}


async def fails(expected, *args, error=ConnectError, **kwargs):
    with pytest.raises(error, match=expected) as caught:
        await connect(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return caught.value


def to(lab, **changes):
    """Return the lab's own addresses as arguments, with changes."""
    known = {"network": lab.network_url, "canister": lab.canister_id, "root_key": lab.root_key, "clock": lab.clock}
    return known | changes


async def refused(expected, *args, **kwargs):
    return await fails(expected, *args, error=ArgumentValueError, **kwargs)


class TestArguments:
    @pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:8080", "ws://", "", "ws://host:99999", "ws://[::1"])
    async def test_a_wrong_gateway_url(self, lab, url):
        await refused("is not a gateway URL: write ws://", url, **to(lab))

    @pytest.mark.parametrize("url", ["ws://127.0.0.1", "ftp://x", "nonsense"])
    async def test_a_wrong_network_url(self, lab, url):
        await refused("is not a network URL: write http", lab.gateway_url, **to(lab, network=url))

    async def test_a_wrong_gateway_url_is_reported_before_what_is_missing(self):
        await refused("'localhost:8080' is not a gateway URL: write ws://", "localhost:8080")

    async def test_no_canister_and_no_network(self, lab):
        await refused("no canister: pass its id", lab.gateway_url, network=lab.network_url)
        await refused("no network: pass its URL", lab.gateway_url, canister=lab.canister_id)

    async def test_wrong_values(self, lab):
        await refused("is not the root key of a network", lab.gateway_url, **to(lab, root_key=b"\x00"))
        await refused("ack_interval_ms must be more than 0, not -5", lab, ack_interval_ms=-5)
        await fails("management canister", lab.gateway_url, **to(lab, canister="aaaaa-aa"))

    async def test_an_error_does_not_show_the_password(self, lab):
        error = await fails("nobody listens", f"ws://me:secret@127.0.0.1:{free_port()}", **to(lab))
        assert "secret" not in str(error)

    async def test_passwords_and_tokens_are_in_no_repr(self, lab):
        secret = connect("ws://me:s3cr3t@h/?token=s3cr3t", **to(lab, network="http://me:s3cr3t@n/?key=s3cr3t"))
        assert "s3cr3t" not in f"{secret!r} {secret._target!r}"

    async def test_a_mistyped_canister(self, lab):
        await fails(
            "checksum", lab.gateway_url, error=PrincipalError, **to(lab, canister="bkyz3-fmaaa-aaaaa-qaaaq-cai")
        )

    async def test_a_broken_did(self, lab, tmp_path):
        broken = tmp_path / "broken.did"
        broken.write_text("service : {\n  ws_message : (record {}, opt nat -> ();\n}")
        error = await fails("broken.did", lab.gateway_url, error=DidError, **to(lab, app_type=broken))
        assert (error.line, error.column is not None) == (2, True)
        await fails("cannot read", lab.gateway_url, error=DidError, **to(lab, app_type="missing.did"))

    async def test_an_anonymous_identity(self, lab):
        await fails("anonymous identity", lab, error=IdentityError, identity=AnonymousIdentity())

    async def test_a_file_without_a_key(self, lab, tmp_path):
        path = tmp_path / "key.pem"
        path.write_text("not a key")
        await fails("identity", lab, error=IdentityError, identity=path)


class TestWrongNetwork:
    async def test_nothing_listens(self, lab):
        await fails(
            "no network at .*: start a replica", lab.gateway_url, **to(lab, network=f"http://127.0.0.1:{free_port()}")
        )

    async def test_a_web_server(self, lab):
        async def page(_request):
            return web.Response(text="<html>hello")

        async with http_server(page) as url:
            await fails("is not a replica", lab.gateway_url, **to(lab, network=url, root_key=None))

    async def test_a_status_without_a_root_key(self, lab):
        async def status(_request):
            return web.Response(body=cbor.dumps({"replica_health_status": "healthy"}))

        async with http_server(status) as url:
            await fails("has no root key", lab.gateway_url, **to(lab, network=url, root_key=None))

    async def test_a_canister_that_does_not_exist(self, lab):
        await fails(f"canister {NOWHERE} does not exist on", lab.gateway_url, **to(lab, canister=NOWHERE))

    async def test_the_root_key_is_fetched(self, lab):
        async with connect(
            lab.gateway_url, network=lab.network_url, canister=str(lab.canister_id), clock=lab.clock
        ) as s:
            assert s.recording.info.root_key == lab.root_key
            assert (await s.receive(60))["text"] == "ping"  # the type came from the canister's metadata


class TestWrongGateway:
    async def test_nothing_listens(self, lab):
        await fails("nobody listens at .*: start a gateway", f"ws://127.0.0.1:{free_port()}", **to(lab))

    async def test_a_web_server(self, lab):
        async def page(_request):
            return web.Response(text="hello")

        async with http_server(page) as url:
            await fails("answers HTTP 200, not a WebSocket", url.replace("http", "ws"), **to(lab))

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_a_redirect_is_not_followed(self, lab, status):
        reached = []

        async def other(connection):
            reached.append(connection)

        async with websocket_server(other) as elsewhere:

            async def redirect(_request):
                return web.Response(status=status, headers={"Location": f"{elsewhere}/?token=s3cr3t"})

            async with http_server(redirect) as url:
                error = await fails(f"redirects .* to {elsewhere}.*{status}", url.replace("http", "ws"), **to(lab))
        assert reached == []
        assert "s3cr3t" not in str(error)

    async def test_an_error_quotes_one_short_line_without_secrets(self, lab):
        async def odd(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"GET /?token=t0k3n HTTP" in head
            assert b"Authorization: Basic bWU6czNjcjN0" in head
            writer.write(b"HTTP/1.1 101 OK\r\nUpgrade: s3cr3t t0k3n bWU6czNjcjN0 " + b"x" * 5000 + b"\r\n\r\n")
            writer.close()

        async with raw_server(odd) as url:
            secret = url.replace("ws://", "ws://me:s3cr3t@") + "/?token=t0k3n"
            error = await fails("is not a WebSocket server", secret, **to(lab))
        assert len(str(error)) < 300
        assert not [secret for secret in ("s3cr3t", "t0k3n", "bWU6") if secret in str(error)]
        assert (error.__cause__, error.__context__) == (None, None)

    async def test_tls_to_a_server_without_tls(self, lab):
        await fails("TLS", lab.gateway_url.replace("ws://", "wss://"), **to(lab))

    async def test_a_websocket_server_that_sends_nothing(self, lab, monkeypatch):
        monkeypatch.setattr(connect_module, "HANDSHAKE_TIMEOUT_S", 0.2)

        async def silent(connection):
            await connection.wait_closed()

        async with websocket_server(silent) as url:
            await fails("sent no handshake in", url, **to(lab))

    async def test_a_websocket_server_of_another_protocol(self, lab):
        async def chatty(connection):
            await connection.send("welcome to the chat")
            await connection.wait_closed()

        async with websocket_server(chatty) as url:
            await fails("is not an IC WebSocket gateway", url, **to(lab))

    async def test_a_websocket_server_that_closes_at_once(self, lab):
        async def brief(_connection):
            return

        async with websocket_server(brief) as url:
            await fails("closed before its handshake", url, **to(lab))

    async def test_a_gateway_that_relays_nothing(self, lab):
        async def deaf(connection):
            await connection.send(Handshake(Principal.ANONYMOUS).encode())
            await connection.wait_closed()

        async with websocket_server(deaf) as url:
            await fails("did not open the session within 60 s", url, **to(lab))


class TestTlsAndProxies:
    async def test_tls(self, lab, tmp_path):
        server, client = server_and_client(tmp_path)
        async with tunnel(lab.gateway_url.removeprefix("ws://"), tls=server) as (address, _):
            async with connect(f"wss://{address}", ssl=client, **to(lab)) as session:
                assert (await session.receive(60))["text"] == "ping"
            await fails("certificate is not trusted", f"wss://{address}", **to(lab))

    async def test_a_proxy_from_the_environment(self, lab, monkeypatch):
        gateway = GatewayServer(lab.network_url, clock=lab.clock, visitors=Visitors.of(hosts=["gateway.example"]))
        await gateway.start()
        async with tunnel(gateway.url.removeprefix("ws://"), is_proxy=True) as (address, seen):
            monkeypatch.setenv("https_proxy", f"http://me:pw@{address}")
            monkeypatch.setenv("http_proxy", f"http://{address}")
            async with connect("ws://gateway.example:80", **to(lab, network=None)) as session:
                assert session.is_open
        await gateway.stop()
        assert seen == ["CONNECT gateway.example:80 HTTP/1.1"]

    @pytest.mark.parametrize("proxy", ["nonsense", "ftp://me:s3cr3t@127.0.0.1:1", "http://[::1", "me:s3cr3t@h:1"])
    async def test_a_wrong_proxy_url(self, lab, monkeypatch, proxy):
        monkeypatch.setenv("https_proxy", proxy)
        error = await fails("correct the proxy", "wss://gateway.invalid", **to(lab))
        assert "s3cr3t" not in str(error)

    async def test_the_password_of_a_proxy_is_in_no_error_and_in_no_cause(self, lab, monkeypatch):
        async def refuse(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\nX: me:s3cr3t@here\r\n\r\n")
            writer.close()

        async with raw_server(refuse) as url:
            monkeypatch.setenv("https_proxy", url.replace("ws://", "http://me:s3cr3t@"))
            error = await fails("not a WebSocket server", "wss://gateway.invalid", **to(lab))
        assert "s3cr3t" not in str(error)
        assert (error.__cause__, error.__context__) == (None, None)

    async def test_loopback_uses_no_proxy(self, lab, monkeypatch):
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
        async with connect(lab) as session:
            assert session.is_open


class TestIdentities:
    @pytest.mark.parametrize("make", [Ed25519Identity.generate, Secp256k1Identity.generate])
    async def test_every_kind_of_key_opens(self, lab, make):
        identity = make()
        async with connect(lab, identity=identity) as session:
            assert session.principal == identity.principal

    async def test_a_delegation_opens_as_its_root(self, lab):
        from icws_explore.protocol.keys import DelegatedIdentity, delegate

        root, key = Ed25519Identity.generate(), Ed25519Identity.generate()
        link = delegate(root, key.public_key_der, expiration_ns=lab.clock.now_ns() + 3600 * 10**9)
        async with connect(lab, identity=DelegatedIdentity(key, root.public_key_der, (link,))) as session:
            assert session.principal == root.principal

    async def test_a_pem_file(self, lab, tmp_path):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        path = tmp_path / "me.pem"
        path.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        async with connect(lab, identity=str(path)) as first:
            pass
        async with connect(lab, identity=path) as second:
            assert first.principal == second.principal


class TestMisuse:
    async def test_an_object_that_was_not_awaited_says_what_to_write(self, lab):
        waiting = connect(lab)
        assert "not open yet, write session = await" in repr(waiting)
        with pytest.raises(AttributeError, match="no session is open yet, so there is no 'send': .*await"):
            await waiting.send({"text": "hello", "timestamp": 0})


class TestRecording:
    async def test_a_file_that_cannot_be_written_ends_the_connection(self, lab, tmp_path):
        def sessions():
            return len(lab.gateways[0]._connections)

        before = sessions()
        await fails("cannot write", lab, record=tmp_path, error=CaptureError)
        async with asyncio.timeout(60):
            while sessions() > before:  # noqa: ASYNC110  # the lab has its own loop
                await asyncio.sleep(0.01)

    async def test_a_mistyped_url_does_not_empty_an_existing_recording(self, lab, tmp_path):
        older = tmp_path / "older.icws"
        older.write_text("frames")
        await fails("nobody listens", f"ws://127.0.0.1:{free_port()}", **to(lab), record=older)
        assert older.read_text() == "frames"


class TestCancelling:
    async def test_at_any_moment_leaves_nothing_running(self, lab):
        for step in range(12):
            opening = asyncio.ensure_future(connect(lab)._open())
            await asyncio.sleep(step * 0.004)
            opening.cancel()
            try:
                session = await opening
            except asyncio.CancelledError:
                continue
            await session.close()

    async def test_while_opening_leaves_nothing_running(self, lab):
        asked = asyncio.Event()

        async def deaf(connection):
            await connection.send(Handshake(Principal.ANONYMOUS).encode())
            await connection.recv()
            asked.set()
            await connection.wait_closed()

        async with websocket_server(deaf) as url:
            opening = asyncio.ensure_future(connect(url, **to(lab))._open())
            await asyncio.wait_for(asked.wait(), 60)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
