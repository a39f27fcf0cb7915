"""The real SDK in real Chromium, recorded twice: by the browser as HAR and by the tap in its way.

Both recordings must say the same: the same frames, the same verdicts, the same replay.
"""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from icws_explore.analysis.decode import decode_frames
from icws_explore.analysis.replay.replay import Replay, replay
from icws_explore.analysis.verify import verify_capture
from icws_explore.capture import Capture, load
from icws_explore.lab import Lab
from icws_explore.lab.faults import Faults, RelayFaults
from icws_explore.live.tap import Tap
from support.machine import NODE_PEERS

pytestmark = [pytest.mark.browser, pytest.mark.node, pytest.mark.slow]

QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")
PAGE = b'<!doctype html><link rel=icon href=data:,><title>a dapp</title><script src="dapp.js"></script>'
ACK_INTERVAL_MS = 1500
KEEP_ALIVE_TIMEOUT_MS = 60_000  # for a busy machine; the SDK answers at once
CLOCKS_S = 0.05  # how far apart the clocks of browser and tap are at most


@pytest.fixture(scope="module")
def page_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    bundle = tmp_path_factory.mktemp("bundle") / "dapp.js"
    subprocess.run(
        ["node_modules/.bin/esbuild", "dapp.mjs", "--bundle", "--format=iife", "--define:global=globalThis",
         "--inject:browser_globals.mjs",
         "--log-level=error", f"--outfile={bundle}"],
        cwd=NODE_PEERS, check=True, timeout=60,
    )  # fmt: skip
    files = {"/": (PAGE, "text/html"), "/dapp.js": (bundle.read_bytes(), "text/javascript")}

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, kind = files.get(self.path, (b"", "text/plain"))
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing of each request."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True, slots=True)
class Both:
    """How the page's session ended, and the two recordings of it."""

    ended: dict[str, Any]
    tap: Capture
    har: Capture
    root_key: bytes


Record = Callable[..., Both]


@pytest.fixture(scope="module")
def record(page_url: str, chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Record:
    from playwright.sync_api import sync_playwright

    def record(identity: str, faults: Faults | None = None) -> Both:
        folder: Path = tmp_path_factory.mktemp("recordings")
        har, imported = folder / "session.har", folder / "har.icws"
        options: dict[str, Any] = {"ack_interval_ms": ACK_INTERVAL_MS, "faults": faults}
        options["keep_alive_timeout_ms"] = KEEP_ALIVE_TIMEOUT_MS
        with Lab(app="pingpong", **options) as lab, Tap(lab) as tap, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path, args=[*QUIET], chromium_sandbox=False)
            context = browser.new_context(record_har_path=har)
            page = context.new_page()
            page.goto(page_url)
            config = {
                "gateway_url": tap.url,
                "network_url": lab.network_url.rstrip("/"),
                "canister_id": str(lab.canister_id),
                "ack_interval_ms": ACK_INTERVAL_MS,
                "identity": identity,
                "rounds": 4,
            }
            ended = page.evaluate("config => play(config)", config)
            context.close()  # writes the HAR
            browser.close()
            # A process of its own: Playwright's loop runs in this one.
            command = [sys.executable, "-m", "icws_explore.cli", "import", str(har), "-o", str(imported)]
            facts = ["--network", lab.network_url, "--ack-interval-ms", str(ACK_INTERVAL_MS)]
            subprocess.run([*command, *facts], check=True, timeout=60)
            return Both(ended, tap.recording.raw, load(imported), lab.root_key)

    return record


@pytest.fixture(scope="module", params=["ed25519", "delegation"])
def healthy(request: pytest.FixtureRequest, record: Record) -> Both:
    return record(request.param)


def data_frames(capture: Capture) -> dict[str, list[bytes]]:
    """By direction: what each end saw in which order between the two is its own affair."""
    ways = ("in", "out")
    return {way: [f.data for f in capture.frames if f.op == "binary" and f.direction == way] for way in ways}


def same_story(one: Replay, other: Replay) -> bool:
    return (one.divergence is None) == (other.divergence is None) and _close(one) == _close(other)


def _close(done: Replay) -> tuple[int, str, str] | None:
    predicted = done.predicted_close
    return None if predicted is None else (predicted.code, predicted.reason, predicted.step)


class TestHealthy:
    def test_the_page_saw_nothing_of_the_tap(self, healthy: Both) -> None:
        assert healthy.ended["errors"] == []
        assert healthy.ended["received"] == 5

    def test_both_hold_the_same_frames(self, healthy: Both) -> None:
        assert data_frames(healthy.har) == data_frames(healthy.tap)
        assert len(healthy.har) >= 12

    def test_at_the_same_times(self, healthy: Both) -> None:
        """A frame is seen first where it comes from. Frames of both directions leave no room for another time."""
        times = {frame.data: frame.t for frame in healthy.tap.frames if frame.op == "binary"}
        for frame in healthy.har.frames:
            first, then = (frame.t, times[frame.data]) if frame.direction == "out" else (times[frame.data], frame.t)
            assert first <= then + CLOCKS_S
        assert {frame.direction for frame in healthy.har.frames} == {"in", "out"}

    def test_the_import_knows_the_taps_settings(self, healthy: Both) -> None:
        har, tap = healthy.har.info, healthy.tap.info
        assert (har.canister_id, har.root_key, har.app_type) == (tap.canister_id, tap.root_key, tap.app_type)
        assert har.client_principal == healthy.ended["principal"]
        assert (har.origin, tap.origin) == ("har", "tap")

    def test_both_verify(self, healthy: Both) -> None:
        verdicts = [
            {verdict.key: [(step.step, step.ok) for step in verdict.steps] for verdict in verify_capture(capture)}
            for capture in (healthy.har, healthy.tap)
        ]
        assert verdicts[0] == verdicts[1]
        assert all(ok for steps in verdicts[0].values() for _, ok in steps)

    def test_both_decode_to_the_same(self, healthy: Both) -> None:
        har, tap = (
            {way: [(d.kind, d.summary) for d in decode_frames(c) if d.frame.direction == way and d.kind != "control"]
             for way in ("in", "out")}
            for c in (healthy.har, healthy.tap)
        )  # fmt: skip
        assert har == tap

    def test_both_replay_without_a_divergence(self, healthy: Both) -> None:
        for capture in (healthy.har, healthy.tap):
            done = replay(capture)
            assert done.agrees, str(done.divergence)
            assert done.predicted_close is None


class TestFaulty:
    def test_the_sdk_ends_as_the_replay_predicts_from_either_recording(self, record: Record) -> None:
        both = record("ed25519", RelayFaults(tamper=1.0, spare=3, seed=1))
        for capture in (both.har, both.tap):
            predicted = replay(capture).predicted_close
            assert predicted is not None
            assert (predicted.reason, predicted.step) == ("Error receiving message", "body")
        closes = [
            (frame.code, frame.reason) for frame in both.tap.frames if frame.op == "close" and frame.direction == "out"
        ]
        assert closes == [(4000, "Error receiving message")]
        assert same_story(replay(both.har), replay(both.tap))
