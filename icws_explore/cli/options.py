"""Options and arguments that several commands share: recordings, root keys, ``--force``, a canister of one's own.

A command that takes a recording also reads the files that `icws import` reads, without an import first.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from icws_explore.analysis.imports import FOREIGN, file_kind, load_any
from icws_explore.capture import Capture
from icws_explore.live.network.profiles import NetworkProfile, network_names, network_profile
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import ArgumentValueError, CaptureError, DecodeError
from icws_explore.protocol.keys.bls import key_from_der

from .console import note

if TYPE_CHECKING:
    from icws_explore.lab.wasm import WasmApp

F = TypeVar("F", bound=Callable[..., Any])
PATIENCE_S: Final = 1.0  # real seconds before it is said that a module is being compiled

force = click.option("--force", is_flag=True, help="Overwrite an existing recording.")


def keep_recording(path: str | None, *, forced: bool) -> None:
    """Raise CaptureError if ``path`` exists and ``--force`` was not given: a recording cannot be made again."""
    if path is not None and not forced and Path(path).is_file() and Path(path).stat().st_size:
        raise CaptureError(f"{path} exists: name another file, or overwrite it with --force")


scheduler_option = click.option(
    "--scheduler", metavar="ADDRESS", help="Work on the Dask cluster of this scheduler, which must be your own."
)


def crew_options(function: F) -> F:
    """Give a command the options of a `Crew`, as ``workers`` and ``scheduler``."""
    workers = click.option(
        "--workers",
        type=click.IntRange(1, 1024),
        metavar="N",
        help="Work in N processes.  [default: one for each core, if there is much to do]",
    )
    return workers(scheduler_option(function))


def parse_hex(text: str, option: str) -> bytes:
    """The bytes of a hexadecimal option. Raises click.BadParameter."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise click.BadParameter("not hexadecimal", param_hint=option) from error


def parse_root_key(text: str) -> bytes:
    """The root key (DER) from the hexadecimal text of ``--root-key``, or mainnet's. Raises click.BadParameter."""
    if text == "mainnet":
        return MAINNET_ROOT_KEY
    key = parse_hex(text, "--root-key")
    try:
        key_from_der(key)
    except DecodeError as error:
        raise click.BadParameter(error.reason, param_hint="--root-key") from error
    return key


def network_option(about: str) -> Callable[[F], F]:
    """Give a command ``--network NAME|URL``, as a NetworkProfile or None. The shell completes the names."""
    return click.option(
        "--network", metavar="NAME|URL", callback=_as_network, shell_complete=complete_networks, help=about
    )


def _as_network(_context: click.Context, _option: click.Parameter, name: str | None) -> NetworkProfile | None:
    return None if name is None else network_profile(name)


def complete_networks(_context: click.Context, _option: click.Parameter, begun: str) -> list[CompletionItem]:
    """The completions for the name of a network whose beginning was typed."""
    try:
        names = network_names()
    except ArgumentValueError:  # a shell shows no errors; the command does
        names = ()
    return [CompletionItem(name) for name in names if name.startswith(begun)]


def known_root_key(text: str | None, network: NetworkProfile | None) -> bytes | None:
    """The root key (DER) from ``--root-key HEX|mainnet`` or ``--network``. None if neither is given.

    Raises click.UsageError if both are given, ConnectError if the network does not answer with a key.
    """
    if text and network:
        raise click.UsageError("--root-key and --network exclude each other: give one of them")
    if text is not None:
        return parse_root_key(text)
    if network is None or network.root_key is not None:
        return None if network is None else network.root_key
    from icws_explore.live.http import Network

    async def ask(url: str) -> bytes:
        async with Network(url) as asked:
            return await asked.root_key()

    return asyncio.run(ask(network.url))


def read_capture(file: str, *, url: str = "") -> Capture:
    """Read the capture in ``file``, and write a note about each part that could not be read. Raises CaptureError.

    In a HAR file or a packet capture, only sockets whose URL contains ``url`` are read, and the canister is the
    one of the first request. No network is asked.
    """
    kind = file_kind(file)
    capture = load_any(file, url=url)
    if kind in FOREIGN:
        note(f"{file} is {kind}, read as by icws import")
    for text in capture.notes:
        note(text)
    return capture


def one_session(capture: Capture, file: str, session: str | None) -> Capture:
    """The recording, or one session of it. Raises CaptureError if there is nothing to examine."""
    if not capture.frames:
        raise CaptureError(f"{file} contains no frames: there is nothing to examine")
    if session is None:
        return capture
    if session not in capture.session_ids:
        existing = ", ".join(str(name) for name in capture.session_ids[:10])
        raise CaptureError(f"{file} contains no session {session}: its sessions are {existing}")
    frames = [frame for frame in capture.frames if frame.is_http or frame.session == session]
    return Capture(capture.info, frames, capture.notes, capture.page_calls)


def own_canister(function: F) -> F:
    """Give a command the options, as ``wasm``, ``did`` and ``init``."""
    for option in (
        click.option("--init", metavar="CANDID", help='The argument of its init: "(record { limit = 5 })".'),
        click.option(
            "--did",
            type=click.Path(exists=True, dir_okay=False),
            metavar="FILE",
            help="Default: the one in the module.",
        ),
        click.option(
            "--wasm",
            type=click.Path(exists=True, dir_okay=False),
            metavar="FILE",
            help="Your own canister in place of an app: .wasm or .wasm.gz.",
        ),
    ):
        function = option(function)
    return function


def compiled_canister(wasm: str | None, did: str | None, init: str | None) -> WasmApp | None:
    """Compile the canister that the options name; None without ``--wasm``. Raises LabError and UsageError."""
    context = click.get_current_context()
    if wasm is None:
        if did is not None or init is not None:
            raise click.UsageError("--did and --init go with --wasm")
        return None
    if context.get_parameter_source("app") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--wasm takes the place of --app: leave one of them out")
    from icws_explore.lab.wasm import wasm_app

    timer = threading.Timer(PATIENCE_S, note, [f"compiling {wasm} (once; it is kept for the next time) …"])
    timer.start()
    try:
        return wasm_app(wasm, did=None if did is None else Path(did), init=init)
    finally:
        timer.cancel()
