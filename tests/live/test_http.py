"""Requests to a network, and its invalid answers."""

import pytest
from aiohttp import web

from icws_explore.live import http
from icws_explore.live.http import Network, is_mainnet
from icws_explore.protocol import cbor
from icws_explore.protocol.arguments import decode_poll_result, encode_poll_args
from icws_explore.protocol.certificate import check_certificate
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import ArgumentValueError, ConnectError
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
    async def test_its_root_key_is_built_in_and_never_fetched(self, url):
        assert is_mainnet(url)
        async with Network(url) as network:
            assert await network.root_key() == MAINNET_ROOT_KEY

    @pytest.mark.parametrize("url", ["https://evil-ic0.app", "https://ic0.app.evil.example", "http://127.0.0.1:4943"])
    def test_similar_names_are_not_mainnet(self, url):
        assert not is_mainnet(url)


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


class TestInvalidAnswers:
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

    async def test_too_long_an_answer_is_not_read_to_its_end(self, monkeypatch):
        monkeypatch.setattr(http, "MAX_BODY", 1000)
        async with http_server(answering(200, b"\x00" * 100_000)) as url, Network(url) as network:
            with pytest.raises(ConnectError, match="1001 bytes are more than the 1000 allowed"):
                await network.status()

    async def test_no_answer_at_all(self, monkeypatch):
        monkeypatch.setattr(http, "REQUEST_TIMEOUT_S", 0.1)
        async with silent_server() as address, Network(f"http://{address}") as network:
            with pytest.raises(ConnectError, match="did not answer within"):
                await network.status()


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_are_not_followed(self, status):
        """Otherwise the answer of an internal host could appear in an error under the name of the network."""
        asked = []

        async def internal(request):
            asked.append(request.path)
            return web.Response(text="s3cr3t of an internal host")

        async with http_server(internal) as other:

            async def handle(_request):
                return web.Response(status=status, headers={"Location": f"{other}/internal?token=t0k3n"})

            async with http_server(handle) as url, Network(url) as network:
                with pytest.raises(ConnectError, match=f"{status}.*not followed: pass the right URL") as caught:
                    await network.status()
                with pytest.raises(ConnectError, match="not followed"):
                    await network.query(SOMEONE, "m", b"")
        assert asked == []
        assert f"to {other}/internal" in str(caught.value)
        assert "t0k3n" not in str(caught.value)


class TestCredentials:
    async def test_are_sent_to_the_network_and_shown_nowhere(self):
        asked = []

        async def handle(request):
            asked.append((request.headers["Authorization"], request.path_qs))
            return web.Response(status=403, text="key t0k3n (s3cr3t) of Basic bWU6czNjcjN0 is unknown")

        async with http_server(handle) as plain:
            url = plain.replace("http://", "http://me:s3cr3t@") + "/?key=t0k3n"
            async with Network(url) as network:
                with pytest.raises(ConnectError, match="HTTP 403") as caught:
                    await network.status()
        assert asked == [("Basic bWU6czNjcjN0", "/api/v2/status?key=t0k3n")]
        for text in (str(caught.value), network.url, repr(network)):
            assert not [secret for secret in ("s3cr3t", "t0k3n", "bWU6") if secret in text]
        assert network.url == f"{plain}/?…"

    @pytest.mark.parametrize("url", ["http://me:s3cr3t/x@h", "me:s3cr3t@h", "ftp://me:s3cr3t@h", "http://me:s3cr3t@"])
    def test_an_error_quotes_a_wrong_url_without_them(self, url):
        with pytest.raises(ArgumentValueError, match="is not a network URL") as caught:
            Network(url)
        assert "s3cr3t" not in str(caught.value)

    async def test_of_a_proxy_are_in_no_error_and_in_no_cause(self, monkeypatch):
        async def refuse(_request):
            return web.Response(status=407, reason="No me:s3cr3t@here")

        async with http_server(refuse) as proxy:
            monkeypatch.setenv("http_proxy", proxy.replace("http://", "http://me:s3cr3t@"))
            monkeypatch.setenv("https_proxy", proxy.replace("http://", "http://me:s3cr3t@"))
            for url in ("http://network.invalid", "https://network.invalid"):
                async with Network(url) as network:
                    with pytest.raises(ConnectError) as caught:
                        await network.status()
                assert "s3cr3t" not in str(caught.value)
                assert (caught.value.__cause__, caught.value.__context__) == (None, None)

    async def test_of_a_netrc_are_not_sent(self, monkeypatch, tmp_path):
        netrc = tmp_path / "netrc"
        netrc.write_text("default login me password s3cr3t")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        seen = []

        async def handle(request):
            seen.append(request.headers.get("Authorization"))
            return web.Response(body=cbor.dumps({}))

        async with http_server(handle) as url, Network(url.replace("127.0.0.1", "localhost")) as network:
            assert await network.status() == {}
        assert seen == [None]


class TestWrongUse:
    @pytest.mark.parametrize("url", ["", "ws://h", "http://", "http://[::1", "http://h:70000", "http://a..b"])
    def test_a_wrong_url(self, url):
        with pytest.raises(ArgumentValueError, match="write http://"):
            Network(url)

    @pytest.mark.parametrize("proxy", ["http://[::1", "nonsense"])
    async def test_a_wrong_proxy_url(self, monkeypatch, proxy):
        monkeypatch.setenv("http_proxy", proxy)
        async with Network("http://somewhere.invalid") as network:
            with pytest.raises(ConnectError):
                await network.status()

    async def test_without_a_context_manager(self):
        with pytest.raises(ConnectError, match="context manager"):
            await Network("http://127.0.0.1:1").status()
