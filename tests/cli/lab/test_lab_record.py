"""`icws lab --record`: the file has what has passed, at any moment and after a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from icws_explore.capture import load
from support.raw_tcp import frame
from support.servers import free_port

ICWS = [sys.executable, "-m", "icws_explore.cli"]
HANG_S = 120


@contextmanager
def lab(path: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A recorded lab, and its first line."""
    command = [*ICWS, "lab", "--app", "pingpong", "--json", "--record", str(path), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def frames_of(url: str, number: int) -> list[bytes]:
    """What a client gets that connects so many times: the gateway's handshake, each time."""
    got = []
    for _ in range(number):
        with connect(url, proxy=None, close_timeout=0) as socket:
            got.append(bytes(socket.recv(HANG_S)))
    return got


class TestRecording:
    def test_has_what_a_client_has_seen_while_the_lab_runs(self, tmp_path: Path) -> None:
        path = tmp_path / "lab.icws"
        with lab(path) as (process, ready):
            (handshake,) = frames_of(ready["gateway_url"], 1)
            assert [frame.data for frame in load(path).frames[:1]] == [handshake]
            process.send_signal(signal.SIGINT)
            assert process.wait(HANG_S) == 0
        capture = load(path)
        assert capture.info.canister_id == ready["canister_id"]
        assert capture.info.root_key == bytes.fromhex(ready["root_key"])
        assert capture.info.ack_interval_ms == 300_000

    def test_the_gateways_port_is_that_of_the_recorder(self, tmp_path: Path) -> None:
        port = free_port()
        with lab(tmp_path / "lab.icws", "--gateway-port", str(port)) as (_, ready):
            assert ready["gateway_url"] == f"ws://127.0.0.1:{port}"
            assert len(frames_of(ready["gateway_url"], 1)) == 1


class TestKilled:
    @pytest.mark.parametrize("name", ["lab.icws", "lab.icws.gz"])
    def test_loses_at_most_one_frame(self, tmp_path: Path, name: str) -> None:
        """Nothing of what a client has received is missing; one frame may be torn."""
        path = tmp_path / name
        with lab(path) as (process, ready):
            got = frames_of(ready["gateway_url"], 20)
            process.kill()
            process.wait(HANG_S)
        recorded = load(path)
        assert [frame.data for frame in recorded.frames if frame.data in got] == got
        assert len(recorded.notes) <= 1

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["lab.icws", "lab.icws.gz"])
    def test_nor_under_a_flood(self, tmp_path: Path, name: str) -> None:
        """Four clients come again and again, and send more than is read; the lab is killed in the middle of it."""
        path = tmp_path / name
        got: list[bytes] = []
        with lab(path) as (process, ready):
            visitors = [threading.Thread(target=flooding, args=(ready["gateway_url"], got)) for _ in range(4)]
            for visitor in visitors:
                visitor.start()
            while len(got) < 40:
                visitors[0].join(0.01)
                assert process.poll() is None
            process.kill()
            process.wait(HANG_S)
            for visitor in visitors:
                visitor.join(HANG_S)
        recorded = load(path)
        handshakes = [frame for frame in recorded.frames if frame.direction == "in" and frame.op == "binary"]
        assert len(handshakes) >= len(got)
        assert {frame.data for frame in handshakes} == set(got)
        assert len(recorded.notes) <= 1


def flooding(url: str, got: list[bytes]) -> None:
    """Connect, take the handshake, and send what the canister will not like; until nobody is there any more."""
    while True:
        try:
            with connect(url, proxy=None, close_timeout=0) as socket:
                got.append(bytes(socket.recv(HANG_S)))
                socket.socket.sendall(frame(2, b"garbage", masked=True) * 1_000)
        except ConnectionRefusedError:
            return
        except (OSError, WebSocketException):
            continue


class TestUsage:
    def test_an_existing_file_is_kept(self, icws: Any, tmp_path: Path) -> None:
        path = tmp_path / "lab.icws"
        path.write_bytes(b"something that happened only once")
        assert "exists" in icws.fails(3, "lab", "--record", path)
        assert path.read_bytes() == b"something that happened only once"

    def test_takes_one_gateway(self, icws: Any, tmp_path: Path) -> None:
        assert "takes one gateway" in icws.fails(2, "lab", "--record", tmp_path / "a.icws", "--gateways", 2)
