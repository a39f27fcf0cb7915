"""The command reference is what the commands say, and the commands that pages show can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docs._ext import commands
from icws_explore.cli.main import COMMANDS
from support.machine import ROOT

PAGES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "how-to").glob("*.md"), ROOT / "README.md"])


def typed() -> Iterator[tuple[Path, str]]:
    """Every `icws …` line of the pages' shell blocks."""
    for page in PAGES:
        for block in re.findall(r"```(?:sh|\{run\})\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("icws "):
                    yield page, line


class TestHelps:
    def test_has_a_section_for_every_command(self) -> None:
        assert [name for name, _ in commands.helps()] == ["icws", *(f"icws {name}" for name in COMMANDS)]

    def test_says_what_a_terminal_says(self) -> None:
        helps = dict(commands.helps())
        assert helps["icws show"].startswith("Usage: icws show [OPTIONS] FILE")
        assert "-h, --help" in helps["icws show"]
        assert max(len(line) for line in helps["icws show"].splitlines()) < 110


class TestTyped:
    def test_some_are_found(self) -> None:
        assert len(list(typed())) > 20

    @pytest.mark.parametrize(("page", "line"), list(typed()), ids=lambda value: getattr(value, "name", value))
    def test_has_a_command_and_options_that_exist(self, page: Path, line: str) -> None:
        _, name, *arguments = shlex.split(line, comments=True)
        group = commands.group()
        command = group.get_command(click.Context(group), name)
        assert command is not None, f"{page.name}: icws {name}"
        command.make_parser(click.Context(command)).parse_args(arguments)  # raises click.UsageError


class TestRun:
    def test_gives_the_exit_code_and_both_streams(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(commands, "FOLDER", tmp_path)
        assert commands.run("echo out; echo err >&2; exit 3") == (3, "out\nerr\n")

    def test_finds_the_icws_of_this_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(commands, "FOLDER", tmp_path / "run")
        commands.make_folder()
        code, output = commands.run("icws show data/sessions/healthy.icws --frame 0")
        assert (code, output.splitlines()[0]) == (0, "frame 0 ◆ handshake")
