"""Running `icws` in this process."""

import pytest

from icws_explore.cli.main import run


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
