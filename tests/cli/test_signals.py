"""Ctrl-C and SIGTERM end every command, also while it waits for somebody to read its output."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

import pytest

from icws_explore.capture import Capture, load, save
from icws_explore.capture.har_writer import save_har
from icws_explore.cli import console
from icws_explore.cli.main import COMMANDS as NAMES
from icws_explore.lab import Lab
from support.machine import ROOT
from support.raw_tcp import ASK, frame

ICWS = [sys.executable, "-m", "icws_explore.cli"]
SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ, Linux; fcntl names it in some builds only
HANG_S = 60  # a hang guard; a busy machine takes seconds for what an idle one does in one
SIGNALS = [signal.SIGINT, signal.SIGTERM]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs a pipe whose size can be set")


@contextmanager
def running(*arguments: object, program: Sequence[str] = ICWS) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command whose output goes into a pipe of one page."""
    process = subprocess.Popen(
        [*program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    with process:
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, SET_PIPE_SIZE, 4096)
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    """Read one line and no byte more."""
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(process.stdout.fileno(), 1)
    return line


def wait_until_full(process: subprocess.Popen[bytes]) -> None:
    """Until the process waits in a write: its main thread's system call is write (1) to its stdout (1)."""
    assert process.stdout is not None
    call = Path(f"/proc/{process.pid}/syscall")
    for _ in range(HANG_S * 10):
        assert process.poll() is None
        if call.read_text("ascii").startswith("1 0x1 "):
            return
        select.select([], [], [], 0.1)
    pytest.fail("its output never filled the pipe")


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred sessions, whose list and diagnosis are longer than a pipe."""
    capture = load(next(iter(sorted((ROOT / "data" / "sessions").glob("*.icws")))))
    frames = [replace(each, session=str(number)) for number in range(100) for each in capture.frames]
    return save(Capture(capture.info, frames), tmp_path_factory.mktemp("long") / "long.icws")


@pytest.mark.skipif(not Path("/proc/self/syscall").exists(), reason="needs Linux's /proc/PID/syscall")
@pytest.mark.parametrize("number", SIGNALS, ids=["SIGINT", "SIGTERM"])
class TestUnreadOutput:
    @pytest.mark.parametrize("command", ["show", "show --json", "verify", "verify --json", "doctor --json"])
    def test_a_signal_ends_it(self, long_recording: Path, command: str, number: signal.Signals) -> None:
        name, *options = command.split()
        with running(name, long_recording, *options) as process:
            wait_until_full(process)
            process.send_signal(number)
            assert process.wait(HANG_S) in (-number, 128 + number)

    def test_ends_a_lab_under_load(self, number: signal.Signals) -> None:
        with running("lab", "--app", "echo", "--json") as process:
            url = json.loads(first_line(process))["gateway_url"]
            stop = threading.Event()
            visitor = threading.Thread(target=visit, args=(url, stop))
            visitor.start()
            try:
                wait_until_full(process)
                process.send_signal(number)
                assert process.wait(HANG_S) == 0
            finally:
                stop.set()
                visitor.join(HANG_S)

    def test_ends_a_live_session(self, number: signal.Signals) -> None:
        with Lab(app="echo", seed=3) as lab:
            addresses = ["--network", lab.network_url, "--canister", lab.canister_id]
            messages = ["--send", "a message of the echo"] * 60
            with running("open", lab.gateway_url, *addresses, *messages, "--json") as process:
                wait_until_full(process)
                process.send_signal(number)
                assert process.wait(HANG_S) in (-number, 128 + signal.SIGINT)


# Every command but `notebooks`, which only copies files, and `explore`, which prints nothing itself.
# Each has something to say, now or when it has finished.
COMMANDS = {
    "demo": ["demo", "--out", "{out}"],
    "lab": ["lab", "--app", "echo"],
    "lab --json": ["lab", "--app", "echo", "--json"],
    "lab --fault": ["lab", "--fault", "BODY_HASH"],
    "lab --record": ["lab", "--record", "{out}.icws"],
    "open": ["open", "{gateway}", "--network", "{network}", "--canister", "{canister}"],
    "open --json": ["open", "{gateway}", "--network", "{network}", "--canister", "{canister}", "--json"],
    "tap": ["tap", "{gateway}"],
    "tap --json": ["tap", "{gateway}", "--network", "{network}", "--json"],
    "tap --doctor": ["tap", "{gateway}", "--doctor"],
    "drill": ["drill", "{gateway}"],
    "drill --json": ["drill", "{gateway}", "--json"],
    "simulate": ["simulate", "--duration", "1m", "-o", "{out}.icws"],
    "simulate --json": ["simulate", "--duration", "1m", "-o", "{out}.icws", "--json"],
    "import": ["import", "{har}", "-o", "{out}.icws"],
    "import --json": ["import", "{har}", "-o", "{out}.icws", "--json"],
    "show": ["show", "{recording}"],
    "show --frame": ["show", "{recording}", "--frame", "0"],
    "doctor": ["doctor", "{recording}"],
    "compare": ["compare", "{recording}", "{recording}"],
    "analyze": ["analyze", "{recording}"],
    "analyze --json": ["analyze", "{recording}", "--json"],
    "load": ["load", "{gateway}", "--network", "{network}", "--canister", "{canister}", "--for", "1"],
    "load --json": ["load", "{gateway}", "--network", "{network}", "--canister", "{canister}", "--for", "1", "--json"],
    "export": ["export", "{recording}", "--to", "csv", "-o", "{out}.csv", "--json"],
    "verify": ["verify", "{recording}"],
    "report": ["report", "{recording}", "-o", "{out}.html"],
    "probe": ["probe", "{gateway}"],
    "probe --network": ["probe", "--network", "{network}", "--json"],
    "--help": ["--help"],
}


@pytest.fixture(scope="module")
def words(long_recording: Path) -> Iterator[dict[str, str]]:
    """What the arguments of the commands name."""
    har = long_recording.with_suffix(".har")
    save_har(load(long_recording), har)
    with Lab(app="echo", seed=3) as lab:
        yield {
            "gateway": lab.gateway_url,
            "network": lab.network_url,
            "canister": str(lab.canister_id),
            "har": str(har),
            "recording": str(long_recording),
        }


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc/PID/task/TID/syscall")
class TestEveryCommand:
    """Its output goes into a pipe that is full from the beginning, and that nobody reads."""

    def test_is_here(self) -> None:
        assert {line[0] for line in COMMANDS.values()} >= set(NAMES) - {"explore", "notebooks"}

    @pytest.mark.parametrize("number", SIGNALS, ids=["SIGINT", "SIGTERM"])
    @pytest.mark.parametrize("name", COMMANDS)
    def test_ends_on_a_signal(self, name: str, number: signal.Signals, words: dict[str, str], tmp_path: Path) -> None:
        named = words | {"out": str(tmp_path / "out")}
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb"), os.fdopen(writer, "wb", buffering=0) as pipe:
            fill(pipe)
            os.set_blocking(writer, True)
            line = [*ICWS, *(word.format(**named) for word in COMMANDS[name])]
            with subprocess.Popen(line, stdout=pipe, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as process:
                try:
                    wait_until_a_thread_writes(process)
                    process.send_signal(number)
                    process.wait(HANG_S)
                finally:
                    process.kill()


def wait_until_a_thread_writes(process: subprocess.Popen[bytes]) -> None:
    """Until a thread of the process waits in a write to stdout."""
    for _ in range(HANG_S * 10):
        assert process.poll() is None, f"it has ended with {process.returncode}"
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # that thread has ended
                if (task / "syscall").read_text("ascii").startswith(("1 0x1 ", "20 0x1 ")):  # write, writev
                    return
        select.select([], [], [], 0.1)
    pytest.fail("it never wrote")


def visit(url: str, stop: threading.Event) -> None:
    """Connect again and again, each time with a garbage first frame; every visit is some events in the lab's log."""
    port = int(url.rpartition(":")[2])
    while not stop.is_set():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(ASK)
            connection.recv(2**16)
            connection.sendall(frame(2, b"garbage", masked=True))
            connection.recv(2**16)


class TestLeaving:
    def test_is_within_two_seconds(self) -> None:
        assert console.LEAVE_S + console.LOOK_S < 2

    def test_a_descriptor_that_is_read_is_not_full(self) -> None:
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as a, os.fdopen(writer, "wb", buffering=0) as b:
            assert not console._is_full(b.fileno())
            fill(b)
            assert console._is_full(b.fileno())
            assert os.read(a.fileno(), 2**16)
            assert not console._is_full(b.fileno())
        assert not console._is_full(writer)  # closed

    def test_the_handler_from_before_runs_and_is_restored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        begun = watched(monkeypatch)
        got: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda number, _frame: got.append(number))
        mine: Any = signal.getsignal(signal.SIGTERM)
        try:
            with console.leaving(7):
                signal.raise_signal(signal.SIGTERM)
                assert begun.get(timeout=HANG_S) == (True, 7)
            assert got == [signal.SIGTERM]
            assert signal.getsignal(signal.SIGTERM) is mine
        finally:
            signal.signal(signal.SIGTERM, before)

    def test_without_a_signal_nobody_watches_afterwards(self, monkeypatch: pytest.MonkeyPatch) -> None:
        begun = watched(monkeypatch)
        with console.leaving(7):
            pass
        assert begun.get(timeout=HANG_S) == (False, 7)


def watched(monkeypatch: pytest.MonkeyPatch) -> SimpleQueue[tuple[bool, int]]:
    """What `leaving` asked its thread for, and the exit code that it gave."""
    begun: SimpleQueue[tuple[bool, int]] = SimpleQueue()
    monkeypatch.setattr(console, "_leave_if_asked", lambda asked, code: begun.put((asked.get(), code)))
    return begun


SLOW_LOCKS = """
import os, select, signal, sys, threading
from icws_explore.cli import main

come, comes = os.pipe()
os.set_blocking(comes, False)
signal.set_wakeup_fd(comes)

def slow(frame, event, argument):
    "Where a wait of one of the commands has taken its lock, stay there until the signal has come."
    if frame.f_code.co_filename == threading.__file__ and frame.f_code.co_name == "_is_owned":
        callers = frame.f_back, frame.f_back.f_back, frame.f_back.f_back.f_back
        if any("/cli/" in caller.f_code.co_filename for caller in callers if caller):
            select.select([come], [], [])

sys.settrace(slow)
main()
"""

# Only a second thread takes signals. The main thread stays in its system call, as if they had come just before it.
ELSEWHERE = """
import signal, threading
from icws_explore.cli import main

threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
main()
"""


class TestLocks:
    """`icws tap` hung when Ctrl-C came while its main thread began to wait for it.

    The handler wanted the same lock; later, a signal that came just before the wait did not end it.
    """

    @pytest.mark.parametrize("number", SIGNALS)
    @pytest.mark.parametrize("command", ["tap", "lab"])
    @pytest.mark.parametrize("where", [SLOW_LOCKS, ELSEWHERE], ids=["while a lock is held", "without ending the wait"])
    def test_a_signal_may_come(self, where: str, command: str, number: signal.Signals) -> None:
        arguments = ["tap", "ws://127.0.0.1:9"] if command == "tap" else ["lab", "--json"]
        with running(*arguments, program=[sys.executable, "-c", where]) as process:
            first_line(process)
            process.send_signal(number)
            process.wait(HANG_S)
            assert process.returncode == 0


def fill(pipe: IO[bytes]) -> None:
    os.set_blocking(pipe.fileno(), False)
    while pipe.write(b"x" * 1024):
        pass
