"""Running `icws` in this process, and a capture to run it on."""

import asyncio

import pytest

from icws_explore.cli.main import run
from icws_explore.lab import Lab
from icws_explore.live.connect import connect


class Icws:
    """Runs a command; keeps its exit code and what it printed."""

    def __init__(self, capsys):
        self._capsys = capsys
        self.code = None
        self.out = self.err = ""

    def __call__(self, *arguments):
        self.code = run([str(argument) for argument in arguments])
        self.out, self.err = self._capsys.readouterr()
        return self

    def fails(self, code, *arguments):
        """Run what cannot work: the exit code is ``code``, the error one line. Gives that line."""
        self(*arguments)
        assert self.code == code, self.err
        lines = [line for line in self.err.splitlines() if line.startswith("icws: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]


@pytest.fixture
def icws(capsys):
    return Icws(capsys)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """A session of two rounds of ping-pong and an ack, recorded from the lab."""
    path = tmp_path_factory.mktemp("recorded") / "session.icws"

    async def play(lab):
        async with connect(lab, record=path) as session:
            for _ in range(2):
                ping = await session.receive(20)
                await session.send({"text": "pong", "timestamp": ping["timestamp"]})
            async with asyncio.timeout(30):
                async for _ in session.follow():
                    if session.capture[-1].kind == "keep_alive":
                        return

    with Lab(app="pingpong", time_scale=100, seed=3) as lab:
        asyncio.run(play(lab))
    return path
