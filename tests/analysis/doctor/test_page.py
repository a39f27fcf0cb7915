"""A page's policy against what it connects to; and the same policies in Chromium, which is the judge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Response
from websockets.sync.server import ServerConnection, serve

from icws_explore.analysis.doctor import Findings
from icws_explore.analysis.doctor.page import check_page

GATEWAY = "wss://gateway.example"
NETWORK = "https://icp-api.io"


def said(policy: str, gateway: str = GATEWAY, **more: Any) -> Findings:
    return check_page(policy=policy, gateway_url=gateway, **more)


class TestTheGateway:
    @pytest.mark.parametrize(
        "policy",
        [
            "",
            "script-src 'none'; img-src *",
            "connect-src *",
            "connect-src wss:",
            "connect-src ws:",
            "connect-src wss://gateway.example",
            "connect-src ws://gateway.example",
            "connect-src 'self' WSS://Gateway.Example:443/",
            "connect-src wss://*.example",
            "connect-src wss://*",
            "connect-src wss://gateway.example:*",
            "default-src 'none'; connect-src wss:",
            "default-src wss://gateway.example",
            "connect-src wss: ; connect-src 'none'",
        ],
    )
    def test_is_allowed(self, policy):
        assert said(policy) == []

    @pytest.mark.parametrize(
        "policy",
        [
            "connect-src",
            "connect-src 'none'",
            "connect-src 'self' https://icp-api.io",
            "connect-src https:",
            "connect-src https://gateway.example",
            "connect-src gateway.example",
            "connect-src wss://example",
            "connect-src wss://other.example",
            "connect-src wss://*.gateway.example",
            "connect-src wss://gateway.example:8443",
            "connect-src 'nonce-abc' 'sha256-x'",
            "default-src 'self'",
            "connect-src 'none'; connect-src wss:",
            "connect-src wss:, connect-src 'none'",
        ],
    )
    def test_is_blocked(self, policy):
        (finding,) = said(policy)
        assert (finding.id, finding.severity) == ("CSP_BLOCK", "error")
        assert GATEWAY in finding.explanation
        assert f"connect-src: {GATEWAY}" in finding.fix

    @pytest.mark.parametrize(
        ("gateway", "allowed"),
        [
            ("wss://gateway.example:8443/x", "wss://gateway.example:8443"),
            ("ws://127.0.0.1:8080", "ws://127.0.0.1:8080"),
        ],
    )
    def test_ports(self, gateway, allowed):
        assert said(f"connect-src {allowed}", gateway) == []
        assert said(f"connect-src {allowed}x", gateway) != []

    def test_a_plain_gateway_needs_a_plain_source(self):
        assert said("connect-src wss:", "ws://gateway.example") != []


class TestTheNetwork:
    def test_is_asked_for_its_root_key(self):
        (finding,) = said("connect-src wss://gateway.example", network_url=NETWORK)
        assert f"does not allow {NETWORK}" in finding.explanation
        assert finding.fix.endswith(NETWORK)
        assert said(f"connect-src {GATEWAY} {NETWORK}", network_url=NETWORK) == []
        assert said(f"connect-src {GATEWAY} icp-api.io", network_url=NETWORK) == []

    def test_both_are_reported_at_once(self):
        (finding,) = said("default-src 'self'", network_url=NETWORK)
        assert f"does not allow {GATEWAY} and {NETWORK}" in finding.explanation
        assert finding.fix.endswith(f"{GATEWAY} {NETWORK}")

    def test_what_is_no_port_allows_nothing(self):
        assert said(f"connect-src {GATEWAY}:{'1' * 5000}").ids == ("CSP_BLOCK",)


class TestWords:
    def test_a_host_without_a_websockets_scheme(self):
        assert "does not allow a WebSocket" in said("connect-src https://gateway.example")[0].explanation
        assert "does not allow a WebSocket" not in said("connect-src https://other.example")[0].explanation

    def test_self_without_a_page(self):
        assert "'self' is the page's own" in said("connect-src 'self'")[0].explanation
        assert "is the page's own" not in said("connect-src 'self'", page_url="https://dapp.example")[0].explanation

    @pytest.mark.parametrize(
        ("page", "gateway", "is_allowed"),
        [
            ("https://gateway.example", "wss://gateway.example/x", True),
            ("http://127.0.0.1:5173", "ws://127.0.0.1:5173", True),
            ("https://gateway.example", "ws://gateway.example", False),
            ("https://gateway.example", "wss://gateway.example:8443", False),
            ("http://gateway.example", "wss://gateway.example", True),
        ],
    )
    def test_self_of_a_page(self, page, gateway, is_allowed):
        assert (said("connect-src 'self'", gateway, page_url=page) == []) is is_allowed

    def test_a_source_without_a_scheme_has_the_pages(self):
        policy, network = f"connect-src {GATEWAY} icp-api.io", "http://icp-api.io"
        assert said(policy, network_url=network) == []
        assert said(policy, network_url=network, page_url="https://dapp.example") != []


POLICIES = (
    "",
    "connect-src *",
    "connect-src ws:",
    "connect-src wss:",
    "connect-src http:",
    "connect-src 'none'",
    "connect-src",
    "connect-src 'self'",
    "default-src 'self'",
    "connect-src {host}",
    "connect-src ws://{host}",
    "connect-src wss://{host}",
    "connect-src http://{host}",
    "connect-src 127.0.0.1",
    "connect-src ws://127.0.0.1",
    "connect-src ws://127.0.0.1:*",
    "connect-src ws://*:{port}",
    "connect-src ws://localhost:{port}",
    "connect-src WS://{host}",
    "CONNECT-SRC ws:",
    "connect-src ws://{host}/",
    "connect-src 'self'; connect-src 'none'",
    "connect-src ws:, connect-src 'none'",
    "default-src 'none'; connect-src ws:",
)


def _answer(connection: ServerConnection, request: Any) -> Response | None:
    """A page under the policy that the query names; anything else is a WebSocket."""
    if request.headers.get("Upgrade"):
        return None
    policy = parse_qs(urlsplit(request.path).query).get("policy", [""])[0]
    body = b"<!doctype html><title>page</title>"
    headers = Headers({"Content-Type": "text/html", "Content-Length": str(len(body))})
    if policy:
        headers["Content-Security-Policy"] = policy
    return Response(HTTPStatus.OK, "OK", headers, body)


@contextmanager
def _site() -> Iterator[int]:
    from threading import Thread

    with serve(lambda connection: connection.recv(), "127.0.0.1", 0, process_request=_answer) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join()


OPEN = """url => new Promise(done => {
    const socket = new WebSocket(url)
    socket.onopen = () => done(true)
    socket.onerror = () => done(false)
})"""


@pytest.mark.browser
def test_chromium_says_the_same(chromium_path):
    from playwright.sync_api import sync_playwright

    with _site() as port, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = browser.new_page()
        site, gateway = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/path"
        theirs, ours = {}, {}
        for template in POLICIES:
            policy = template.format(host=f"127.0.0.1:{port}", port=port)
            page.goto(f"{site}/?policy={quote(policy)}")
            theirs[template] = page.evaluate(OPEN, gateway)
            ours[template] = said(policy, gateway, page_url=site) == []
        browser.close()
    assert ours == theirs
    assert len(set(theirs.values())) == 2


class TestMixedContent:
    PAGE = "https://dapp.example"

    def ids(self, gateway: str, page: str | None = PAGE, **more: Any) -> tuple[str, ...]:
        return check_page(gateway_url=gateway, page_url=page, **more).ids

    @pytest.mark.parametrize("gateway", ["ws://gateway.example", "ws://10.0.0.7:8080", "ws://gw.example:8080/path"])
    def test_a_plain_gateway_on_a_page_with_tls(self, gateway: str) -> None:
        (finding,) = check_page(gateway_url=gateway, page_url=self.PAGE, policy="connect-src *")
        assert finding.id == "MIXED_CONTENT"
        assert f"cannot connect to {gateway}" in finding.explanation
        assert gateway.replace("ws://", "wss://").split("/path")[0] in finding.fix

    @pytest.mark.parametrize(
        "gateway", ["wss://gateway.example", "ws://localhost:8080", "ws://127.0.0.1", "ws://[::1]"]
    )
    def test_not_with_tls_and_not_on_the_own_machine(self, gateway: str) -> None:
        assert self.ids(gateway) == ()

    def test_not_on_a_page_without_tls(self) -> None:
        assert self.ids("ws://gateway.example", "http://dapp.example") == ()
        assert self.ids("ws://gateway.example", None) == ()

    def test_a_plain_network(self) -> None:
        assert self.ids(GATEWAY, network_url="http://icp-api.io") == ("MIXED_CONTENT",)

    def test_upgrade_insecure_requests(self) -> None:
        policy = "connect-src *; upgrade-insecure-requests"
        (finding,) = check_page(gateway_url="ws://gw.example", page_url="http://dapp.example", policy=policy)
        assert "makes the browser connect to wss://gw.example instead" in finding.explanation


class TestAddresses:
    def test_a_fragment(self) -> None:
        (finding,) = check_page(gateway_url="wss://gw.example/ws#/token")
        assert (finding.id, finding.severity) == ("GATEWAY_ADDRESS", "warning")
        assert "Write wss://gw.example/ws:" in finding.fix
        assert "token" not in finding.explanation + finding.fix
        assert len(check_page(gateway_url="ws://0.0.0.0:8080/#a")) == 2

    def test_one_to_listen_on(self) -> None:
        (finding,) = check_page(gateway_url="ws://0.0.0.0:8080")
        assert finding.id == "GATEWAY_ADDRESS"
        assert "127.0.0.1" in finding.fix
