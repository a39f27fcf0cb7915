"""What several commands' options have in common.

The recordings that commands are given: .icws files, and what `icws import` reads, without importing it first.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from icws_explore.analysis.imports import FOREIGN, file_kind, load_any
from icws_explore.capture import Capture
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import CaptureError, DecodeError
from icws_explore.protocol.keys.bls import key_from_der

from .console import note

force = click.option("--force", is_flag=True, help="Overwrite a recording that is there.")


def keep_recording(path: str | None, *, forced: bool) -> None:
    """Raise CaptureError where a recording would be overwritten unasked: what it holds happened only once."""
    if path is not None and not forced and Path(path).is_file() and Path(path).stat().st_size:
        raise CaptureError(f"{path} is there already: name another file, or overwrite it with --force")


def parse_hex(text: str, option: str) -> bytes:
    """The bytes of a hexadecimal option. Raises click.BadParameter."""
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise click.BadParameter("not hexadecimal", param_hint=option) from error


def parse_root_key(text: str) -> bytes:
    """The root key (DER) in hexadecimal that --root-key gives, or mainnet's. Raises click.BadParameter."""
    if text == "mainnet":
        return MAINNET_ROOT_KEY
    key = parse_hex(text, "--root-key")
    try:
        key_from_der(key)
    except DecodeError as error:
        raise click.BadParameter(error.reason, param_hint="--root-key") from error
    return key


def known_root_key(text: str | None, network: str | None) -> bytes | None:
    """The root key (DER) that ``--root-key HEX|mainnet`` or ``--network URL`` names; None: neither is given.

    Raises click.UsageError for both, ConnectError when the network does not tell.
    """
    if text and network:
        raise click.UsageError("--root-key and --network exclude each other: name one key")
    if text is not None:
        return parse_root_key(text)
    if network is None:
        return None
    from icws_explore.live.http import Network

    async def ask(url: str) -> bytes:
        async with Network(url) as asked:
            return await asked.root_key()

    return asyncio.run(ask(network))


def read_capture(file: str, *, url: str = "") -> Capture:
    """The capture in ``file``; what could not be read of it is noted. Raises CaptureError.

    Of a HAR or a packet capture only the sockets whose URL holds ``url`` are read.

    Of a HAR or a packet capture the canister is that of the first request; nobody is asked for anything.
    """
    kind = file_kind(file)
    capture = load_any(file, url=url)
    if kind in FOREIGN:
        note(f"{file} is {kind}: read as icws import does")
    for text in capture.notes:
        note(text)
    return capture
