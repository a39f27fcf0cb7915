"""The real SDK behind `icws tap --fault`: it ends its session as the catalogue says, and the doctor names the fault."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from icws_explore.analysis.recording import load
from icws_explore.lab import Lab
from support.node_peer import run_script

pytestmark = [pytest.mark.node, pytest.mark.slow, pytest.mark.timeout(300)]

STOP_SECONDS = 60


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("BODY_HASH", ("out", 4000, "Error receiving message")),
        ("SEQUENCE_DUPLICATE_DOWN", ("out", 4000, "Error receiving message")),
        ("UNEXPLAINED_END", ("in", 1011, "")),
    ],
)
def test_the_sdk_ends_as_the_catalogue_says(fault: str, end: tuple[str, int, str], tmp_path: Path) -> None:
    path = tmp_path / "s.icws"
    with Lab("pingpong") as lab:
        options = [lab.gateway_url, "--network", lab.network_url, "--record", str(path), "--fault", fault, "--json"]
        command = [sys.executable, "-m", "icws_explore.cli", "tap", *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                url = json.loads(process.stdout.readline())["url"]
                client = {"gateway_url": url, "network_url": lab.network_url, "canister_id": str(lab.canister_id)}
                script = {"identity": "ed25519", "ack_interval_ms": 300_000, "rounds": 100_000, "timeout_ms": 60_000}
                run = run_script("peer.mjs", {**client, **script}, timeout_s=120)
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=STOP_SECONDS)
            finally:
                process.kill()
    assert len(run.all("close")) == 1
    recording = load(path)
    first = next(frame for frame in recording.raw.frames if frame.op == "close")
    assert (first.direction, first.code, first.reason) == end
    assert recording.doctor().ids == (fault,)
