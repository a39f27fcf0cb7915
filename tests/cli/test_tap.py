"""`icws tap` as a process: ready at once, shows and records what passes, ends cleanly on a signal."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect as open_websocket

from icws_explore.capture import Frame, load
from icws_explore.cli import tap as tap_module
from icws_explore.cli.tap import LEAVE_S, _Waiting
from icws_explore.lab import Lab
from icws_explore.live.connect import connect
from icws_explore.protocol.errors import SessionClosedError
from support.flood import ONE, flood, sink
from support.raw_tcp import ASK
from support.servers import free_port

ICWS = [sys.executable, "-m", "icws_explore.cli"]
# On a machine that is busy with other tests the end may take longer than it lets anybody wait.
PATIENT = [sys.executable, "-c", "from icws_explore.cli import tap, main; tap.LEAVE_S = 60; main()"]


@pytest.fixture(scope="module")
def lab():
    with Lab(app="pingpong", seed=4) as lab:
        yield lab


def start(*arguments, python=ICWS):
    return subprocess.Popen([*python, "tap", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


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


class TestFlood:
    @pytest.mark.parametrize("name", ["s.icws", "s.icws.gz"])
    def test_a_tap_that_is_killed_has_recorded_what_it_passed_on(self, tmp_path, name):
        """Up to 37 449 frames were lost."""
        path = tmp_path / name
        with sink() as gateway:
            with start(gateway.url, "--record", path) as process:
                url = process.stdout.readline().split()[1]
                with flood(url), flood(url):
                    gateway.wait_for(100_000)
                    process.kill()
                    process.wait(60)
            gateway.close()
            received = gateway.received // len(ONE)
        assert received > 10_000
        assert len(load(path).frames) >= received

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    @pytest.mark.parametrize("options", [[], ["--json"]])
    def test_a_signal_ends_it_even_if_its_output_is_not_read(self, tmp_path, number, options):
        """Within `LEAVE_S`: neither the flood nor the full pipe is waited for."""
        path = tmp_path / "s.icws"
        with sink() as gateway, start(gateway.url, "--record", path, *options) as process:
            line = process.stdout.readline()
            url = json.loads(line)["url"] if options else line.split()[1]
            with flood(url):
                gateway.wait_for(300_000)  # more rows than a pipe holds
                process.send_signal(number)
                assert process.wait(60) == 0
            gateway.close()
            assert len(load(path).frames) >= gateway.received // len(ONE)
        assert LEAVE_S < 2

    def test_what_was_not_shown_is_counted(self, tmp_path):
        path = tmp_path / "s.icws"
        with sink() as gateway, start(gateway.url, "--record", path, "--json", python=PATIENT) as process:
            url = json.loads(process.stdout.readline())["url"]
            with flood(url):
                gateway.wait_for(300_000)
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=60)
        left_out = int(err.partition(" frames were not shown")[0].split()[-1])
        assert len(out.splitlines()) + left_out == len(load(path).frames)

    def test_a_reader_that_leaves_ends_it(self, tmp_path):
        """icws tap … | head"""
        with sink() as gateway, start(gateway.url) as process:
            url = process.stdout.readline().split()[1]
            process.stdout.close()
            with contextlib.suppress(ConnectionError), flood(url):  # it may have left before a frame came
                process.wait(60)
            assert process.wait(60) == 0
            assert "Traceback" not in process.stderr.read()


class TestWaiting:
    """What is on its way to the terminal is bounded, by number and by bytes; what ends is told all the same."""

    def test_by_number(self, monkeypatch):
        monkeypatch.setattr(tap_module, "MAX_WAITING", 3)
        waiting = _Waiting()
        for _ in range(5):
            waiting.put(Frame(0, "in", "binary", b"", session="1"))
        waiting.close()
        assert (len(list(waiting)), waiting.left_out, waiting.seen["1"]) == (3, 2, 5)

    def test_by_bytes_but_for_one(self, monkeypatch):
        monkeypatch.setattr(tap_module, "MAX_WAITING_BYTES", 100)
        waiting = _Waiting()
        for size in (1000, 1, 1):
            waiting.put(Frame(0, "in", "binary", bytes(size)))
        waiting.close()
        assert [len(frame.data) for frame in waiting] == [1000]
        assert waiting.left_out == 2

    def test_room_that_is_free_again_is_used(self, monkeypatch):
        monkeypatch.setattr(tap_module, "MAX_WAITING_BYTES", 100)
        waiting = _Waiting()
        shown = iter(waiting)
        for _ in range(10):
            waiting.put(Frame(0, "in", "binary", bytes(100)))
            assert next(shown).data == bytes(100)
        assert waiting.left_out == 0

    def test_in_the_end_only_notes(self):
        waiting = _Waiting()
        for item in (Frame(0, "in", "binary"), "a note", Frame(1, "in", "binary")):
            waiting.put(item)
        waiting.end(0.0)
        waiting.close()
        assert (list(waiting), waiting.left_out) == (["a note"], 2)


class TestSecrets:
    def test_are_in_nothing_that_is_printed_recorded_or_answered(self, lab, tmp_path):
        path = tmp_path / "s.icws"
        gateway = f"ws://me:s3cr3t@127.0.0.1:{free_port()}/?token=s3cr3t"
        network = lab.network_url.replace("//", "//me:s3cr3t@") + "/?key=s3cr3t"
        with start(gateway, "--network", network, "--record", path) as process:
            url = process.stdout.readline().split()[1]
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
                client.sendall(ASK.replace(b"q=1", b"token=s3cr3t"))
                answer = client.recv(2**16)
            told = process.stderr.readline()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert "no connection to ws://127.0.0.1" in told
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert load(path).info.root_key == lab.root_key
        for text in (url, answer.decode(), out, told, err, path.read_text()):
            assert "s3cr3t" not in text

    @pytest.mark.parametrize("url", ["ws://me:s3cr3t/x@h", "me:s3cr3t@h", "http://me:s3cr3t@h/?token=s3cr3t"])
    def test_are_not_repeated_by_an_error(self, icws, url):
        assert "s3cr3t" not in icws.fails(3, "tap", url)
        assert "s3cr3t" not in icws.fails(3, "tap", "ws://h", "--network", url.replace("http", "ftp"))


class TestPages:
    def test_from_elsewhere_are_refused_and_the_terminal_says_what_lets_them_in(self, lab):
        page = {"origin": "https://dapp.example", "compression": None, "proxy": None}
        with start(lab.gateway_url, "--json") as process:
            url = json.loads(process.stdout.readline())["url"]
            with pytest.raises(InvalidStatus, match="403"):
                open_websocket(url, **page)
            with open_websocket(url, **page | {"origin": "http://localhost:3000"}):
                pass
            process.send_signal(signal.SIGINT)
            assert "--allow-origin https://dapp.example" in process.communicate(timeout=60)[1]

    def test_are_let_in_when_named(self):
        with sink() as gateway, start(gateway.url, "--allow-origin", "https://dapp.example", "--json") as process:
            url = json.loads(process.stdout.readline())["url"]
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
                client.sendall(ASK.replace(b"Upgrade: w", b"Origin: https://dapp.example\r\nUpgrade: w"))
                assert client.recv(2**16).startswith(b"HTTP/1.1 101 ")
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0


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
            ["ws://x", "--allow-origin", "dapp.example"],
            ["ws://x", "--allow-host", "https://x"],
        ],
    )
    def test_one_line(self, icws, arguments):
        icws.fails(3, "tap", *arguments)

    def test_bad_options(self, icws):
        icws.fails(2, "tap", "ws://x", "--root-key", "xyz")
        icws.fails(2, "tap")


@pytest.fixture(scope="module")
def echo():
    with Lab("echo", seed=5) as lab:
        yield lab


async def talk(url, lab, times):
    """Send until the session ends."""
    async with connect(url, canister=lab.canister_id, root_key=lab.root_key, app_type=lab.app_did) as session:
        with contextlib.suppress(SessionClosedError):
            for number in range(times):
                await session.send({"text": str(number)})
                await session.receive(60)


class TestInThePath:
    def test_a_fault_and_its_finding_are_told_once(self, echo, tmp_path):
        path = tmp_path / "s.icws"
        options = ["--network", echo.network_url, "--record", path, "--doctor", "--json", "--fault", "body-hash"]
        with start(echo.gateway_url, *options) as process:
            url = json.loads(process.stdout.readline())["url"]
            asyncio.run(talk(url, echo, 6))
            rows = []
            while not any("finding" in row for row in rows):
                rows.append(json.loads(process.stdout.readline()))
            asyncio.run(talk(url, echo, 1))  # too short for the third message
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        rows += [json.loads(line) for line in out.splitlines()]
        found = [row["finding"] for row in rows if "finding" in row]
        assert [(finding["id"], finding["sessions"]) for finding in found] == [("BODY_HASH", ["1"])]
        assert err.splitlines()[0].startswith("BODY_HASH: the gateway changes a byte of the third message's content; ")
        assert "edited by the fault BODY_HASH" in err
        (changed,) = [frame for frame in load(path).frames if frame.did]
        assert changed.far != changed.data

    def test_a_script(self, echo, tmp_path):
        script = tmp_path / "drop.py"
        script.write_text(
            "def on_frame(frame):\n    return [] if frame.sequence_num == 3 and frame.kind == 'app' else None\n"
        )
        with start(echo.gateway_url, "--script", script) as process:
            url = process.stdout.readline().split()[1]
            with pytest.raises(TimeoutError):
                asyncio.run(asyncio.wait_for(talk(url, echo, 6), 3))
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert "from the gateway, app (" in err
        assert "dropped by the script" in err

    @pytest.mark.parametrize(
        ("text", "said"),
        [("x =", "SyntaxError"), ("1 / 0", "ZeroDivisionError"), ("def other(): pass", "has no function on_frame")],
    )
    def test_a_bad_script_is_one_line(self, icws, tmp_path, text, said):
        script = tmp_path / "bad.py"
        script.write_text(text)
        assert said in icws.fails(3, "tap", "ws://x", "--script", script)

    def test_a_fault_that_nobody_in_the_path_can_make_says_why(self, icws):
        said = icws.fails(3, "tap", "ws://x", "--fault", "UPGRADE_WIPE")
        assert "a tap cannot make UPGRADE_WIPE: the canister is upgraded" in said
