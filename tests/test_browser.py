"""A dapp's page in Chromium reaches the lab's replica from another origin, as browsers allow it (CORS)."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from icws_explore.lab import Lab

pytestmark = pytest.mark.browser

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
