"""Finding the subcommand, and turning every documented error into one line and an exit code."""

from __future__ import annotations

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

# name: (module of this package, one line for the list). Modules load when their command runs, so
# that help and tab completion are quick.
COMMANDS: Final = {
    "demo": ("demo", "A whole session on an embedded network: opened, verified, timed, reported."),
    "lab": ("lab", "An embedded network to play with: replica, canister, gateway."),
    "open": ("open_session", "A live session with a canister; frames appear as they pass."),
    "tap": ("tap", "A proxy between a dapp and its gateway that records every session."),
    "simulate": ("simulate", "Hours of sessions in seconds, under a virtual clock."),
    "import": ("import_file", "Captures from a browser's HAR file or from recorded packets."),
    "show": ("show", "The frames of a capture, or one frame in full."),
    "doctor": ("doctor", "What is wrong in a capture, the evidence, and what to change."),
    "verify": ("verify", "Every canister message of a capture, proof by proof."),
    "report": ("report", "A capture as a page for a bug report, or as Markdown for an issue."),
    "probe": ("probe", "Is a gateway alive, and how quickly does it answer."),
}


class Commands(click.Group):
    """A group whose commands load on demand."""

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
  icws tap wss://gateway.example --record s.icws   # the dapp goes to it
  icws doctor s.icws                               # or a HAR, or packets
  icws report s.icws --redact                      # to attach to an issue

\b
Tab completion (bash; zsh and fish alike):
  eval "$(_ICWS_COMPLETE=bash_source icws)"
""",
)
@click.version_option(package_name="icws_explore")
def icws() -> None:
    """Open, record, decode and verify IC WebSocket sessions."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `icws` and leave with its exit code."""
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no arrows gets a ? and no traceback
    sys.exit(run(arguments))


def _open_missing_streams() -> None:
    """Give a process that was started without a stdout (``>&-``) one that swallows everything.

    Else the first file that is opened gets the number of the stream, and what is printed goes into it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # as long as the process


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
        mute_stdout()  # the reader (head, less) has seen enough
        return 0
    except OSError as error:  # a full disk, a folder in a file's place: whatever no command could foresee
        error_line(f"{error.filename or 'cannot write the output'}: {error.strerror or error}")
        if error.filename is None:
            mute_stdout()
        return COULD_NOT_RUN
    return outcome if isinstance(outcome, int) else 0
