"""`icws tap` as a process: ready at once, shows and records what passes, ends cleanly on a signal."""

import asyncio
import json
import signal
import subprocess
import sys

import pytest

from icws_explore.capture import load
from icws_explore.lab import Lab
from icws_explore.live.connect import connect

ICWS = [sys.executable, "-m", "icws_explore.cli"]


@pytest.fixture(scope="module")
def lab():
    with Lab(app="pingpong", seed=4) as lab:
        yield lab


def start(*arguments):
    return subprocess.Popen([*ICWS, "tap", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


async def play(url, lab):
    async with connect(url, canister=lab.canister_id, root_key=lab.root_key, app_type=lab.app_did) as session:
        await session.receive(60)


class TestProcess:
    def test_json(self, lab, tmp_path, icws):
        path = tmp_path / "tap.icws"
        with start(lab.gateway_url, "--network", lab.network_url, "--record", path, "--json") as process:
            ready = json.loads(process.stdout.readline())
            assert set(ready) == {"ready", "url", "gateway_url", "network_url"}
            asyncio.run(play(ready["url"], lab))
            rows = [json.loads(process.stdout.readline()) for _ in range(5)]
            process.send_signal(signal.SIGINT)
            assert (process.wait(60), process.stderr.read()) == (0, "")
        assert [row["kind"] for row in rows] == ["handshake", "open_request", "open", "app", "control"]
        assert {row["session"] for row in rows} == {"1"}
        capture = load(path)
        assert (capture.info.root_key, capture.info.origin) == (lab.root_key, "tap")
        assert icws("verify", path).code == 0

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_for_people(self, lab, number, tmp_path):
        path = tmp_path / "s.icws"
        with start(lab.gateway_url, "--network", lab.network_url, "--record", path) as process:
            first = process.stdout.readline()
            assert first.startswith("tap ")
            assert process.stdout.readline().startswith("network ")
            asyncio.run(play(first.split()[1], lab))
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0
        assert "open_request" in out
        assert "the connection ended after the client's close (1006)" in out  # the gateway answers no close frame
        assert "lost" not in out
        frames = len(load(path).frames)
        assert out.splitlines()[-1] == f"recorded in {path}: {frames} frames of 1 session; next: icws doctor {path}"
        assert "Traceback" not in err

    def test_other_machines_are_warned_of(self, lab):
        with start(lab.gateway_url, "--listen", "0.0.0.0:0") as process:
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert "other machines can connect" in process.communicate(timeout=60)[1]


class TestErrors:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["nonsense"],
            ["http://x"],
            ["ws://x", "--listen", "nowhere"],
            ["ws://x", "--network", "nonsense"],
            ["ws://x", "--record", "/nonexistent/s.icws"],
            ["ws://x", "--canister", "nonsense"],
            ["ws://x", "--app-type", "missing.did"],
        ],
    )
    def test_one_line(self, icws, arguments):
        icws.fails(3, "tap", *arguments)

    def test_bad_options(self, icws):
        icws.fails(2, "tap", "ws://x", "--root-key", "xyz")
        icws.fails(2, "tap")
