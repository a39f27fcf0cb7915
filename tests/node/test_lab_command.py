"""The real SDK against an `icws lab` started in a terminal: all it needs is on the first line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from support.node_peer import run_script

pytestmark = pytest.mark.node

ACK_INTERVAL_MS = 3000
STOP_SECONDS = 60


@pytest.fixture
def ready() -> Iterator[dict[str, Any]]:
    times = ("--ack-interval-ms", str(ACK_INTERVAL_MS), "--keep-alive-timeout-ms", "60000")
    command = [sys.executable, "-m", "icws_explore.cli", "lab", "--json", *times]
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
    assert ready["ready"] is True
    network = {name: ready[name] for name in ("gateway_url", "network_url", "canister_id")}
    script = {"identity": "ed25519", "ack_interval_ms": ACK_INTERVAL_MS, "rounds": 2, "acks": 1, "timeout_ms": 60_000}
    run = run_script("peer.mjs", {**network, **script}, timeout_s=80)
    assert run.all("error") == []
    assert run.exit_code == 0
    assert run.one("close")["count"]["received"] == 4
