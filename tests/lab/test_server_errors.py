"""Errors that strangers can cause are one line of a kind in a minute, in the event log and not on stderr."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
import textwrap

import pytest

from icws_explore.lab import Lab
from icws_explore.lab.log import LabLog
from icws_explore.lab.server_errors import INTERVAL_S, MAX_KINDS, ServerErrors
from support.lab_requests import PATIENCE_S


class Scene:
    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.log = LabLog(lambda: 0)
        self.errors = ServerErrors(self.log, lambda: self.now_s)

    @property
    def lines(self) -> list[str]:
        return [event.text for event in self.log.events]


@pytest.fixture
def scene() -> Scene:
    return Scene()


class TestRate:
    def test_one_line_of_a_kind_in_a_minute(self, scene: Scene) -> None:
        for _ in range(1_000):
            scene.errors.write("kind", "a text")
        assert scene.lines == ["a text"]
        scene.now_s += INTERVAL_S
        scene.errors.write("kind", "a text")
        assert scene.lines == ["a text", "a text (999 more since the last report)"]

    def test_another_kind_has_its_own_line(self, scene: Scene) -> None:
        for error in (ValueError("one"), ValueError("two"), KeyError("three")):
            scene.errors.write("kind", "a text", error)
        assert scene.lines == ["a text: ValueError: one", "a text: KeyError: 'three'"]

    def test_the_number_of_kinds_is_bounded(self, scene: Scene) -> None:
        for number in range(1_000):
            scene.errors.write(str(number), "a text")
        assert len(scene.lines) == MAX_KINDS + 1

    def test_a_line_is_short(self, scene: Scene) -> None:
        scene.errors.write("kind", "two\nlines " + "x" * 10_000)
        (line,) = scene.lines
        assert line.startswith("two lines x")
        assert len(line) < 400


class TestSources:
    def test_the_logger_takes_warnings_and_errors_of_libraries(self, scene: Scene) -> None:
        scene.errors.logger.debug("a detail")
        for peer in ("1.2.3.4", "5.6.7.8"):
            scene.errors.logger.error("bad request from %s", peer, exc_info=ValueError("no"))
        assert scene.lines == ["bad request from 1.2.3.4: ValueError: no"]
        assert scene.errors.logger.name not in logging.root.manager.loggerDict

    async def test_the_exception_handler_takes_errors_of_the_loop(self, scene: Scene) -> None:
        loop = asyncio.get_running_loop()
        scene.errors.loop_error(loop, {"message": "socket.accept() failed", "exception": OSError(24, "Too many")})
        assert scene.lines == ["socket.accept() failed: OSError: [Errno 24] Too many"]


class TestLabPorts:
    async def test_garbage_is_a_few_lines_and_no_traceback(self, capfd: pytest.CaptureFixture[str]) -> None:
        with Lab(app="echo") as lab:
            ports = [int(url.rpartition(":")[2]) for url in (lab.gateway_url, lab.network_url)]
            for garbage in (b"\x00\xff" * 100 + b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-"):
                for port in ports:
                    await asyncio.gather(*(self.send(port, garbage) for _ in range(20)))
            errors = [event for event in lab.events if event.kind == "error"]
        assert 1 <= len(errors) <= 6  # 120 connections
        assert capfd.readouterr().err == ""

    async def send(self, port: int, data: bytes) -> None:
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            writer.write_eof()
            with contextlib.suppress(ConnectionResetError):
                await reader.read()
            writer.close()


class TestDescriptors:
    def test_without_free_ones_a_lab_writes_one_line(self) -> None:
        """Each attempt to accept fails a hundred times at once, because asyncio goes through its whole backlog."""
        program = """
            import os, resource, socket, sys, time
            from icws_explore.lab import Lab

            with Lab() as lab:
                clients = [socket.socket() for _ in range(3)]
                used = max(map(int, os.listdir("/proc/self/fd")))
                _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
                resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
                for client in clients:
                    client.connect(("127.0.0.1", lab.gateways[0].port))
                while not [event for event in lab.events if event.kind == "error"]:
                    time.sleep(0.01)
                resource.setrlimit(resource.RLIMIT_NOFILE, (used + 100, hard))
                print(*[event.text for event in lab.events if event.kind == "error"], sep="\\n")
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout == "socket.accept() out of system resource: OSError: [Errno 24] Too many open files\n"
        assert done.stderr == ""
