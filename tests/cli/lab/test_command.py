"""`run_lab` in a process of its own, as the command runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from icws_explore.cli.lab.command import ready, summary
from icws_explore.lab import Lab
from icws_explore.protocol.certificate import check_certificate
from icws_explore.protocol.principal import Principal

SCRIPT = """
import sys
from icws_explore.lab import Lab
from icws_explore.cli.lab.command import run_lab
run_lab(Lab(app="echo", seed=5, update_latency_ms=10), as_json={as_json})
print("ended", file=sys.stderr)
"""


@contextmanager
def running(*, as_json: bool) -> Iterator[subprocess.Popen[str]]:
    script = SCRIPT.format(as_json=as_json)
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


class TestRunning:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_runs_until_a_signal_and_ends_clean(self, number: signal.Signals) -> None:
        with running(as_json=True) as process:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            assert first["ready"] is True
            process.send_signal(number)
            _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "ended\n")

    def test_prints_events_as_json(self) -> None:
        with running(as_json=True) as process:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            assert set(first) == {
                "ready",
                "gateway_url",
                "network_url",
                "canister_id",
                "root_key",
                "gateway_principal",
            }
            visit = f"from websockets.sync.client import connect\nconnect({first['gateway_url']!r}, proxy=None).close()"
            subprocess.run([sys.executable, "-c", visit], check=True, timeout=60)
            event = json.loads(process.stdout.readline())
        assert (event["part"], event["event"], event["session"]) == ("gateway", "connected", 1)

    def test_prints_text_for_a_person(self) -> None:
        with running(as_json=False) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            while not lines[-1].startswith("icws open ws://127.0.0.1:"):
                assert len(lines) < 12
                lines.append(process.stdout.readline())
        names = [line.split()[0] for line in lines if line[:1].strip()]
        assert names[:6] == ["app", "clock", "gateway", "network", "canister", "acks"]


class TestFacts:
    def test_are_those_of_the_lab(self) -> None:
        with Lab(app="echo", time_scale=60) as lab:
            facts = ready(lab)
            assert facts["gateway_url"] == lab.gateway_url
            assert Principal.from_text(facts["canister_id"]) == lab.canister_id
            certificate = lab._call(lambda: lab._running_network.replica.certify_request(bytes(32), "classic"))
            _, steps = check_certificate(
                certificate,
                canister_id=lab.canister_id,
                root_key=bytes.fromhex(facts["root_key"]),
                now_ns=lab.clock.now_ns(),
            )
            assert all(step.ok for step in steps)
            assert any("× 60" in line for line in summary(lab))
