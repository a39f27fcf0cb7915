"""The `icws` command group: finds the subcommand, and turns every documented error into one line and an exit code."""

from __future__ import annotations

import gc
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from icws_explore.protocol.errors import IcwsError

from .console import error_line, mute_stdout

USAGE: Final = 2
COULD_NOT_RUN: Final = 3
INTERRUPTED: Final = 128 + signal.SIGINT

# name: (module of this package, one line for the list). A module is loaded when its command runs, so help and tab
# completion are quick.
COMMANDS: Final = {
    "demo": ("demo", "Play, verify and report a whole session on an embedded network."),
    "lab": ("lab.command", "Run an embedded network: a replica, a canister and a gateway."),
    "open": ("open_session", "Open a live session with a canister and show its frames."),
    "tap": ("tap", "Run a proxy between a dapp and its gateway that records every session."),
    "drill": ("drill", "Play gateway faults against a dapp, and say how it took them."),
    "load": ("load", "Open many sessions that send messages, and measure how they fare."),
    "simulate": ("simulate", "Simulate hours of sessions in seconds, on a virtual clock."),
    "import": ("recordings.import_file", "Convert a browser's HAR file or recorded packets to a recording."),
    "explore": ("jupyter.explore", "Open JupyterLab on the explorer of a recording or a gateway."),
    "notebooks": ("jupyter.notebooks", "Copy the course's notebooks and their recordings into a folder."),
    "show": ("show", "List the frames of a recording, or show one frame in full."),
    "doctor": ("doctor", "Say what is wrong in a recording, with the evidence and the fix."),
    "analyze": ("recordings.analyze", "Analyse folders of recordings, by canister, gateway and day."),
    "compare": ("recordings.compare", "Compare two recordings and mark the first difference."),
    "export": ("recordings.export", "Write recordings as HAR, CSV or Parquet, or as OpenTelemetry spans."),
    "verify": ("verify", "Verify every canister message of a recording, step by step."),
    "report": ("report", "Write a recording as a page for a bug report, or as Markdown."),
    "probe": ("probe", "Check whether a gateway is alive, and how quickly it answers."),
}


class Commands(click.Group):
    """A group that loads a command's module when the command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".{COMMANDS[cmd_name][0]}", __package__)
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  icws demo --out out
  icws lab --app chat
  icws open wss://gateway.example --network https://icp-api.io --canister ID
  icws show s.icws --where 'kind == "ack"'

\b
A dapp that misbehaves:
  icws tap wss://gateway.example --record s.icws   # let the dapp connect to it
  icws doctor s.icws                               # or a HAR file, or packets
  icws report s.icws --redact                      # to attach to an issue

\b
Tab completion in bash (for zsh and fish, replace bash by their name):
  eval "$(_ICWS_COMPLETE=bash_source icws)"
""",
)
@click.version_option(package_name="icws_explore")
def icws() -> None:
    """Open, record, decode and verify IC WebSocket sessions."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `icws` and exit with its exit code."""
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without arrows shows ? instead
    exit_code = run(arguments)
    gc.freeze()  # a last search for cycles in a long recording would take as long as reading it
    sys.exit(exit_code)


def _open_missing_streams() -> None:
    """Open /dev/null as each standard stream that the process was started without (``>&-``).

    Otherwise the first file that the process opens gets the stream's number, and printed text goes into that file.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # open until the process ends


def run(arguments: Sequence[str] | None = None) -> int:
    """Run `icws` with ``arguments`` (default: the process's) and return its exit code."""
    try:
        outcome = icws.main(
            args=None if arguments is None else list(arguments), prog_name="icws", standalone_mode=False
        )
    except click.UsageError as error:
        hint = f" (try: {error.ctx.command_path} --help)" if error.ctx else ""
        error_line(f"{error.format_message()}{hint}")
        return USAGE
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error_line(error.format_message())
        return COULD_NOT_RUN
    except IcwsError as error:
        error_line(str(error))
        return COULD_NOT_RUN
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        mute_stdout()  # the reader, such as head or less, has ended
        return 0
    except OSError as error:  # such as a full disk, or a folder where a file should be
        error_line(f"{error.filename or 'cannot write the output'}: {error.strerror or error}")
        if error.filename is None:
            mute_stdout()
        return COULD_NOT_RUN
    return outcome if isinstance(outcome, int) else 0
