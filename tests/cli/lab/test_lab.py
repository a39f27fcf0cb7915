"""`icws lab` as a process: talks JSON, ends cleanly on a signal."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from icws_explore.cli.lab import command
from icws_explore.cli.main import run
from icws_explore.lab import Lab
from icws_explore.protocol.candid import parse_type
from icws_explore.protocol.canister import candid_interface
from support.wat import wasm

ICWS = [sys.executable, "-m", "icws_explore.cli"]


def start(*arguments, stdin=None):
    """For a `with` statement, which closes the pipes and waits."""
    return subprocess.Popen([*ICWS, *arguments], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def lab():
    with start("lab", "--json", "--app", "echo", "--seed", "5") as process:
        yield json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr.read() == ""


class TestJson:
    def test_first_line_says_where_it_is(self, lab):
        assert set(lab) == {"ready", "gateway_url", "network_url", "canister_id", "root_key", "gateway_principal"}
        assert lab["ready"] is True
        assert lab["gateway_url"].startswith("ws://127.0.0.1:")

    def test_a_session_from_another_process(self, lab, icws, tmp_path):
        record = tmp_path / "s.icws"
        addresses = ["--network", lab["network_url"], "--canister", lab["canister_id"]]
        more = ["--send", "hello there", "--record", str(record), "--json"]
        rows = []
        with start("open", lab["gateway_url"], *addresses, *more) as process:
            while not rows or rows[-1]["kind"] != "app":
                rows.append(json.loads(process.stdout.readline()))
            process.send_signal(signal.SIGINT)
            rows += map(json.loads, process.stdout)
            err = process.stderr.read()
        assert process.returncode == 0, err
        assert [row["kind"] for row in rows] == ["handshake", "open_request", "open", "message", "app", "control"]
        assert "hello there" in rows[4]["summary"]
        assert icws("verify", record).code == 0


class TestWorkers:
    def test_share_an_address_and_obey_together(self):
        with start("lab", "--json", "--app", "echo", "--workers", "2", stdin=subprocess.PIPE) as process:
            ready = json.loads(process.stdout.readline())
            assert ready["workers"] == 2
            assert len(psutil.Process(process.pid).children()) == 2
            process.stdin.write("upgrade\n")
            process.stdin.flush()
            events = [json.loads(process.stdout.readline()) for _ in range(2)]
            assert [event["event"] for event in events] == ["upgraded", "upgraded"]
            process.send_signal(signal.SIGINT)
            process.stdin.close()
            assert process.wait(60) == 0
            assert process.stderr.read() == ""

    def test_that_die_are_told(self):
        with start("lab", "--json", "--app", "echo", "--workers", "3", stdin=subprocess.PIPE) as process:
            ready = json.loads(process.stdout.readline())
            first, second, third = (each.pid for each in psutil.Process(process.pid).children())
            told = []
            for pid in (second, first, third):
                os.kill(pid, signal.SIGKILL)
                told.append(json.loads(process.stdout.readline()))
            assert process.wait(60) == 3
            assert process.stderr.read() == "icws: no process of the lab is left\n"
        assert {event["event"] for event in told} == {"lost"}
        what, then = zip(*(event["text"].split("; ") for event in told), strict=True)
        assert set(what) == {"the lab's process was killed by SIGKILL (out of memory?): its sessions have broken off"}
        assert then[0] == "new clients get to the other 2"
        assert then[1].startswith(f"it had the network {ready['network_url']}, so no more sessions can open")
        assert then[2] == "no other is left"

    def test_that_died_hinder_no_orders(self):
        with start("lab", "--json", "--app", "echo", "--workers", "2", stdin=subprocess.PIPE) as process:
            process.stdout.readline()
            psutil.Process(process.pid).children()[0].kill()
            assert json.loads(process.stdout.readline())["event"] == "lost"
            process.stdin.write("upgrade\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["event"] == "upgraded"
            process.send_signal(signal.SIGINT)
            process.stdin.close()
            assert process.wait(60) == 0
            assert process.stderr.read() == ""

    def test_take_one_gateway(self, icws):
        assert "--workers takes one gateway" in icws.fails(2, "lab", "--workers", "2", "--gateways", "2")


NEXT = """
  (func $say (call $ic0.debug_print (i32.const 0) (i32.const 4)))
  (export "canister_init" (func $say))
  (export "canister_post_upgrade" (func $say))
  (data (i32.const 0) "next")
"""


class TestOrders:
    """What is typed into the terminal of a lab, here through a pipe."""

    @pytest.fixture
    def obey(self):
        """A function that types a line and gives the next event of the canister."""
        with start("lab", "--json", "--app", "echo", stdin=subprocess.PIPE) as process:
            process.stdout.readline()
            yield lambda line: typed(process, line)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0

    def test_stop_start_upgrade_reinstall_and_uninstall(self, obey):
        for word, event in [
            ("stop", "stopped"),
            ("start", "started"),
            (" UPGRADE ", "upgraded"),
            ("reinstall", "reinstalled"),
            ("uninstall", "uninstalled"),
        ]:
            assert obey(word)["event"] == event

    def test_upgrade_and_reinstall_take_the_module_as_it_is_now(self, tmp_path):
        file = tmp_path / "own.wasm"
        file.write_bytes(wasm(""))
        did = tmp_path / "own.did"
        did.write_text(candid_interface(parse_type("text")))
        with start("lab", "--json", "--wasm", file, "--did", did, stdin=subprocess.PIPE) as process:
            process.stdout.readline()
            file.write_bytes(wasm(NEXT))
            assert typed(process, "upgrade", until="printed")["text"] == "next"
            file.write_bytes(wasm(NEXT.replace("next", "last")))
            assert typed(process, "reinstall", until="printed")["text"] == "last"
            file.write_bytes(b"nothing")
            process.stdin.write("\nupgrade\nupgrad\x1b[1m\n")
            process.stdin.close()
            failed, wrong = process.stderr.readline(), process.stderr.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        assert failed.startswith("upgrade: ")
        assert "own.wasm is not a WebAssembly module" in failed
        assert "is none of upgrade, reinstall, stop, start, uninstall" in wrong
        assert "\x1b" not in wrong


def typed(process, line, until=None):
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    while True:
        event = json.loads(process.stdout.readline())
        if event["part"] == "canister" and until in (None, event["event"]):
            return event


class TestSummary:
    @pytest.mark.parametrize("columns", [80, 120])
    def test_the_gateways_principal_is_on_one_line(self, monkeypatch, columns):
        monkeypatch.setattr(command, "width", lambda: columns)
        with Lab("echo", seed=5) as lab:
            lines, principal = list(command.summary(lab)), str(lab.gateway_principal)
        facts = lines[: lines.index("")]
        assert max(map(len, facts)) <= columns
        assert any(principal in line for line in facts)

    def test_the_gateway_is_the_one_that_records(self):
        with Lab("echo", seed=5) as lab:
            lines = list(command.summary(lab, "ws://127.0.0.1:9"))
            (gateway,) = (line for line in lines if line.startswith("gateway "))
            (behind,) = (line for line in lines if line.startswith("behind it "))
            assert gateway.split(maxsplit=1)[1] == "ws://127.0.0.1:9 (recorded)"
            assert lab.gateway_url in behind
            assert f"icws open ws://127.0.0.1:9 --network {lab.network_url} --canister {lab.canister_id}" in lines


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_end_it_cleanly(self, number):
        with start("lab") as process:
            assert process.stdout.readline().startswith("app ")
            process.send_signal(number)
            out, err = process.stdout.read(), process.stderr.read()
            assert (process.wait(60), err) == (0, "")
        assert "icws open ws://" in out

    def test_open_closes_its_session_on_ctrl_c(self, lab):
        addresses = ["--network", lab["network_url"], "--canister", lab["canister_id"]]
        with start("open", lab["gateway_url"], *addresses, "--send", "x") as process:
            while "■ app" not in process.stdout.readline():
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, err = process.stdout.read(), process.stderr.read()
            assert process.wait(60) in (0, 130)
        assert "closed by the client: 1000" in out
        assert "Traceback" not in err


class TestErrors:
    @pytest.mark.parametrize("app", ["nonsense", "missing.py"])
    def test_an_app_that_is_not_there(self, app, capsys):
        assert run(["lab", "--app", app]) == 3
        assert capsys.readouterr().err.startswith("icws: ")

    def test_a_port_that_is_taken(self, lab, capsys):
        port = lab["gateway_url"].rpartition(":")[2]
        assert run(["lab", "--gateway-port", port]) == 3
        assert f"port {port}" in capsys.readouterr().err


class TestFaults:
    def test_one_is_played_recorded_and_named(self, icws, tmp_path):
        record = tmp_path / "f.icws"
        record.write_bytes(b"something that happened only once")
        played = ("lab", "--fault", "sequence-gap-down", "--seed", 2, "--record", record)
        assert "exists: name another file, or overwrite it with --force" in icws.fails(3, *played)
        assert record.read_bytes() == b"something that happened only once"
        assert icws(*played, "--force").code == 0
        lines = icws.out.splitlines()
        assert lines[0].startswith("SEQUENCE_GAP_DOWN: ")
        assert any(line.startswith("✗ SEQUENCE_GAP_DOWN  error") for line in lines)
        assert any(line.startswith("replay: ") for line in lines)
        assert lines[-1].startswith(f"recorded in {record}")
        assert lines[-1].endswith(f"next: icws report {record}")
        assert icws("doctor", record).code == 1

    def test_several_in_turn_as_json(self, icws):
        faults = ("--fault", "NO_HANDSHAKE", "--fault", "BODY_HASH")
        assert icws("lab", *faults, "--json", "--seed", 2, "--time-scale", 60).code == 0
        told = [json.loads(line) for line in icws.out.splitlines()]
        assert [each["fault"] for each in told if each.get("ready")] == ["NO_HANDSHAKE", "BODY_HASH"]
        ends = [each for each in told if "named" in each]
        assert [(each["fault"], each["named"], each["file"]) for each in ends] == [
            ("NO_HANDSHAKE", True, None),
            ("BODY_HASH", True, None),
        ]
        assert ends[1]["findings"][0]["id"] == "BODY_HASH"

    def test_listed(self, icws):
        assert icws("lab", "--list-faults").code == 0
        assert "STALE_NONCE" in icws.out
        assert all(json.loads(line)["sdk"] for line in icws("lab", "--list-faults", "--json").out.splitlines())

    def test_usage(self, icws, tmp_path):
        assert "did you mean POLLER_DEAD" in icws.fails(2, "lab", "--fault", "BODY_HASH", "--fault", "POLER_DEAD")
        assert "--app" in icws.fails(2, "lab", "--fault", "BODY_HASH", "--app", "echo")
        assert "--fault" in icws.fails(2, "lab", "--no-clients")
        both = ("--fault", "BODY_HASH", "--fault", "NO_ACKS")
        assert "one --fault" in icws.fails(2, "lab", *both, "--record", tmp_path / "f.icws")
        assert "one --fault" in icws.fails(2, "lab", *both, "--no-clients")
        icws.fails(3, "lab", "--fault", "BODY_HASH", "--record", tmp_path / "none" / "f.icws")

    def test_ctrl_c_while_one_is_played(self, tmp_path):
        with start("lab", "--fault", "NO_ACKS", "--record", str(tmp_path / "f.icws")) as process:
            while "ws_open" not in process.stdout.readline():
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "f.icws was not written" in err
        assert "Traceback" not in err

    def test_a_lab_for_a_client_of_the_user(self, tmp_path, icws):
        arguments = ("lab", "--fault", "GATEWAY_NOT_REGISTERED", "--no-clients", "--json", "--seed", "4")
        with start(*arguments) as process:
            lab = json.loads(process.stdout.readline())
            record = tmp_path / "s.icws"
            icws(
                "open", lab["gateway_url"], "--network", lab["network_url"], "--canister", lab["canister_id"],
                "--duration", "60", "--record", record, "--json",
            )  # fmt: skip
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "your client plays the clients" in err
        assert "happens within 90 s: stay connected" in err
        assert '"event": "connected"' in out
        assert icws("doctor", record).code == 1
        assert "✗ GATEWAY_NOT_REGISTERED" in icws.out
