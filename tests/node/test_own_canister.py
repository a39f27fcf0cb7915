"""The real SDK plays ping-pong with a canister on the real Rust CDK, in `icws lab --wasm`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from support import rust_peer
from support.node_peer import run_script

pytestmark = [
    pytest.mark.node,
    pytest.mark.rust,
    pytest.mark.slow,
    pytest.mark.timeout(rust_peer.BUILD_TIMEOUT_S + 300),
]

INIT = "(record { send_ack_interval_ms = 61_000; max_messages = 50 })"
ROUNDS = 20
STOP_SECONDS = 60


@pytest.fixture
def ready() -> Iterator[dict[str, Any]]:
    options = ("--wasm", str(rust_peer.compiled()), "--init", INIT, "--ack-interval-ms", "61000")
    command = [sys.executable, "-m", "icws_explore.cli", "lab", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            process.stdout.read()
            assert process.wait(STOP_SECONDS) == 0
        finally:
            process.kill()


def test_a_session_of_the_real_sdk(ready: dict[str, Any]) -> None:
    network = {name: ready[name] for name in ("gateway_url", "network_url", "canister_id")}
    script = {"identity": "ed25519", "ack_interval_ms": 61_000, "rounds": ROUNDS, "acks": 0, "timeout_ms": 100_000}
    run = run_script("peer.mjs", {**network, **script}, timeout_s=120)
    assert run.all("error") == []
    assert run.exit_code == 0
    assert run.one("close")["count"]["received"] == ROUNDS + 2  # with the OpenMessage
