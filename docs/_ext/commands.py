"""The command line on the pages: `icws … --help` of every command, and commands that run while the site is built.

``command-help``      a section for each command of `icws`, with its own help
``run``               commands, a line each, and what they print; ``:exit:`` is the code that the last one ends with
                      (default 0), ``:lines:`` how many lines of the output are shown;
                      ``:wrap:`` breaks lines that are wider than the page

Commands run in a folder of their own in which data/ is the project's. A command that ends otherwise than expected
fails the build.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar, Final

import click
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docs" / "_generated" / "run"  # the code cells of the pages run here too
WIDTH: Final = 80
TIMEOUT_S: Final = 60


def group() -> click.Group:
    """The `icws` command, as the package's entry point starts it."""
    (entry,) = entry_points(group="console_scripts", name="icws")
    module = sys.modules[entry.load().__module__]
    (found,) = [value for value in vars(module).values() if isinstance(value, click.Group)]
    return found


def helps() -> Iterator[tuple[str, str]]:
    """Each command with its help, first `icws` itself."""
    icws = group()
    context = click.Context(icws, info_name="icws", terminal_width=WIDTH, **icws.context_settings)
    yield "icws", icws.get_help(context)
    for name in icws.list_commands(context):
        command = icws.get_command(context, name)
        assert command is not None, name
        yield f"icws {name}", command.get_help(click.Context(command, info_name=name, parent=context))


class CommandHelp(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        text = "\n\n".join(f"## {name}\n\n````text\n{about}\n````" for name, about in helps())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class Run(SphinxDirective):
    has_content = True
    option_spec: ClassVar = {
        "exit": directives.nonnegative_int,
        "lines": directives.positive_int,
        "wrap": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        expected = self.options.get("exit", 0)
        blocks: list[nodes.Node] = []
        for command in self.content:
            code, output = run(command)
            if code != (expected if command == self.content[-1] else 0):
                raise self.error(f"{command} ended with {code}: {output}")
            blocks.append(self._block(command, "sh", "command"))
            if output.strip():
                blocks.append(
                    self._block(
                        self._cut(output.rstrip()), "text", "output", *(["wrap"] if "wrap" in self.options else [])
                    )
                )
        return blocks

    def _block(self, text: str, language: str, *kinds: str) -> nodes.literal_block:
        block = nodes.literal_block(text, text, language=language, classes=list(kinds))
        self.set_source_info(block)
        return block

    def _cut(self, output: str) -> str:
        lines = output.splitlines()
        limit = self.options.get("lines", len(lines))
        return output if len(lines) <= limit else "\n".join([*lines[:limit], "…"])


def run(command: str) -> tuple[int, str]:
    """The exit code of a command, and what it printed, as a plain terminal of 88 columns shows it."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment |= {"COLUMNS": "88", "NO_COLOR": "1", "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(  # noqa: S602  # our own pages' commands
        command, shell=True, cwd=FOLDER, env=environment, text=True, timeout=TIMEOUT_S, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def make_folder(_app: Sphinx | None = None) -> None:
    """An empty folder for commands and code cells, with the project's data/ in it."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    (FOLDER / "data").symlink_to(ROOT / "data")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", make_folder)
    app.add_directive("command-help", CommandHelp)
    app.add_directive("run", Run)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
