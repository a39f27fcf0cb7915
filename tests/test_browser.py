"""A dapp's page in Chromium reaches the lab's replica from another origin, as browsers allow it (CORS)."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from icws_explore.lab import Lab
from icws_explore.live.tap import Tap

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Without these Chromium looks for hosts of its maker at every start.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")

# What agents do: a plain GET, and POSTs whose content type makes the browser ask first (preflight).
ASK = """
async ({ network, canister }) => {
  const status = await fetch(`${network}/api/v2/status`);
  const answers = { status: [status.status, (await status.arrayBuffer()).byteLength] };
  for (const path of [
    `/api/v2/canister/${canister}/query`, `/api/v3/canister/${canister}/query`,
    `/api/v2/canister/${canister}/call`, `/api/v3/canister/${canister}/call`, `/api/v4/canister/${canister}/call`,
    `/api/v2/canister/${canister}/read_state`, `/api/v3/canister/${canister}/read_state`,
  ]) {
    const headers = { "Content-Type": "application/cbor" };
    const answer = await fetch(network + path, { method: "POST", headers, body: new Uint8Array([0xa0]) });
    answers[path] = [answer.status, await answer.text()];
  }
  return answers;
}
"""


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:,><title>a dapp</title>")

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


@pytest.fixture(scope="module")
def page_url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def answers(page_url: str, chromium_path: str) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    with Lab(app="pingpong") as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=[*QUIET], chromium_sandbox=False)
        page = browser.new_page()
        page.goto(page_url)
        answers = page.evaluate(ASK, {"network": lab.network_url.rstrip("/"), "canister": str(lab.canister_id)})
        browser.close()
    return answers


class TestCrossOrigin:
    def test_a_page_may_read_the_status(self, answers: dict[str, Any]) -> None:
        code, size = answers["status"]
        assert code == 200
        assert size > 133

    def test_a_page_may_post_to_every_endpoint_and_read_the_answer(self, answers: dict[str, Any]) -> None:
        # The body is no envelope, and the page can read that it was refused for that.
        refused = {path: answer for path, answer in answers.items() if path != "status"}
        assert len(refused) == 7
        assert {code for code, _ in refused.values()} == {400}
        assert all(text for _, text in refused.values())


# What a page can try with whatever listens on this machine.
REACH = """
async ({ sockets, addresses }) => {
  const open = (url) => new Promise((done) => {
    const socket = new WebSocket(url);
    socket.onopen = () => { socket.close(); done("open"); };
    socket.onerror = () => done("refused");
  });
  const read = (url) => fetch(`${url}/api/v2/status`).then((answer) => answer.status, () => "refused");
  return Promise.all([...sockets.map(open), ...addresses.map(read)]);
}
"""


HOSTS = ("127.0.0.1", "localhost", "canister.localhost", "evil.example")


@pytest.fixture(scope="module")
def reached(page_url: str, chromium_path: str) -> dict[str, Any]:
    """By a page's host: what it reached of lab and tap, which listen on this machine as all the hosts lead to."""
    from playwright.sync_api import sync_playwright

    rules = "--host-resolver-rules=MAP *.example 127.0.0.1"
    with (
        Lab(app="pingpong") as lab,
        Tap(lab.gateway_url, network=lab.network_url) as tap,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=chromium_path, args=[*QUIET, rules], chromium_sandbox=False
        )
        page = browser.new_page()
        places = {"sockets": [lab.gateway_url, tap.url], "addresses": [lab.network_url, tap.network_url]}
        reached: dict[str, Any] = {}
        for host in HOSTS:
            page.goto(page_url.replace("127.0.0.1", host))
            reached[host] = page.evaluate(REACH, places)
        for url in (lab.network_url, str(tap.network_url)):
            answer = page.goto(f"{url.replace('127.0.0.1', 'evil.example')}/api/v2/status")
            reached.setdefault("rebound", []).append(None if answer is None else answer.status)
        browser.close()
    return reached


class TestPagesFromElsewhere:
    """Any page in the user's browser can reach loopback, and its own name can be made to lead there."""

    def test_reach_neither_lab_nor_tap(self, reached: dict[str, Any]) -> None:
        assert reached["evil.example"] == ["refused"] * 4

    def test_nor_under_a_name_of_their_own_that_leads_here(self, reached: dict[str, Any]) -> None:
        assert reached["rebound"] == [403, 403]

    @pytest.mark.parametrize("host", HOSTS[:-1])
    def test_those_of_this_machine_reach_all(self, reached: dict[str, Any], host: str) -> None:
        assert reached[host] == ["open", "open", 200, 200]
