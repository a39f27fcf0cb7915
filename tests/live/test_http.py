"""The HTTP side: what is asked, and what is made of nonsense answers."""

import pytest
from aiohttp import web

from icws_explore.live import http
from icws_explore.live.http import Network, is_loopback, is_mainnet
from icws_explore.protocol import cbor
from icws_explore.protocol.arguments import decode_poll_result, encode_poll_args
from icws_explore.protocol.certificate import check_certificate
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import ConnectError
from icws_explore.protocol.keys import Ed25519Identity
from icws_explore.protocol.principal import Principal
from support.servers import http_server, silent_server

SOMEONE = Principal.from_text("bkyz2-fmaaa-aaaaa-qaaaq-cai")


def answering(status, body):
    async def handle(_request):
        return web.Response(status=status, body=body)

    return handle


class TestMainnet:
    @pytest.mark.parametrize(
        "url", ["https://icp-api.io", "https://icp0.io/", "https://a.b.ic0.app", "https://ic0.app:443"]
    )
    async def test_its_key_is_pinned_and_never_asked_for(self, url):
        assert is_mainnet(url)
        async with Network(url) as network:
            assert await network.root_key() == MAINNET_ROOT_KEY

    @pytest.mark.parametrize("url", ["https://evil-ic0.app", "https://ic0.app.evil.example", "http://127.0.0.1:4943"])
    def test_look_alikes_are_not_mainnet(self, url):
        assert not is_mainnet(url)


class TestLoopback:
    def test_is_told_from_the_world(self):
        assert all(map(is_loopback, ["http://127.0.0.1:1", "ws://localhost", "http://[::1]:80", "http://x.localhost"]))
        assert not any(map(is_loopback, ["https://icp-api.io", "http://127.example.org", "http://10.0.0.1"]))


class TestLab:
    async def test_status_query_call_and_read_state(self, lab):
        async with Network(lab.network_url, identity=Ed25519Identity.generate(), clock=lab.clock) as network:
            assert await network.root_key() == lab.root_key
            reply = await network.query(lab.canister_id, "ws_get_messages", encode_poll_args(0))
            assert decode_poll_result(reply.reply).messages == ()
            rejected = await network.query(lab.canister_id, "nothing", b"DIDL\0\0")
            assert (rejected.reply, rejected.reject_code) == (None, 5)
            called = await network.call(lab.canister_id, "ws_close", b"DIDL\0\0")
            assert called["status"] in ("replied", "non_replicated_rejection")
            certificate = await network.read_state(lab.canister_id, [[b"time"]])
            _, steps = check_certificate(
                certificate, canister_id=lab.canister_id, root_key=lab.root_key, now_ns=lab.clock.now_ns()
            )
            assert all(step.ok for step in steps)


class TestNonsense:
    @pytest.mark.parametrize(
        ("status", "body", "said"),
        [
            (500, b"oh\nno", "answered HTTP 500: oh no"),
            (404, b"", "answered HTTP 404"),
            (200, b"<html>", "is not a replica"),
            (200, cbor.dumps([1]), "not a map"),
            (200, cbor.dumps({"root_key": "text"}), "no root key"),
            (200, cbor.dumps({"root_key": b"short"}), "unusable root key"),
        ],
    )
    async def test_to_a_status_request(self, status, body, said):
        async with http_server(answering(status, body)) as url, Network(url) as network:
            with pytest.raises(ConnectError, match=said) as caught:
                await network.root_key()
        assert "\n" not in str(caught.value)

    async def test_to_a_query(self):
        async with http_server(answering(200, cbor.dumps({"status": "maybe"}))) as url, Network(url) as network:
            with pytest.raises(ConnectError, match="neither a reply nor a rejection"):
                await network.query(SOMEONE, "m", b"")

    async def test_to_a_read_state(self):
        async with http_server(answering(200, cbor.dumps({}))) as url, Network(url) as network:
            with pytest.raises(ConnectError, match="without a certificate"):
                await network.read_state(SOMEONE, [[b"time"]])

    async def test_a_flood_is_not_read_to_its_end(self, monkeypatch):
        monkeypatch.setattr(http, "MAX_BODY", 1000)
        async with http_server(answering(200, b"\x00" * 100_000)) as url, Network(url) as network:
            with pytest.raises(ConnectError, match="1001 bytes are more than the 1000 allowed"):
                await network.status()

    async def test_silence(self, monkeypatch):
        monkeypatch.setattr(http, "REQUEST_TIMEOUT_S", 0.1)
        async with silent_server() as address, Network(f"http://{address}") as network:
            with pytest.raises(ConnectError, match="did not answer within"):
                await network.status()


class TestUse:
    @pytest.mark.parametrize("url", ["", "ws://h", "http://", "http://[::1", "http://h:70000", "http://a..b"])
    def test_only_with_a_url(self, url):
        with pytest.raises(ConnectError, match="write http://"):
            Network(url)

    @pytest.mark.parametrize("proxy", ["http://[::1", "nonsense"])
    async def test_a_proxy_that_is_none(self, monkeypatch, proxy):
        monkeypatch.setenv("http_proxy", proxy)
        async with Network("http://somewhere.invalid") as network:
            with pytest.raises(ConnectError):
                await network.status()

    async def test_only_as_a_context(self):
        with pytest.raises(ConnectError, match="context manager"):
            await Network("http://127.0.0.1:1").status()
