"""`icws report`: a capture as one page that can be attached to a bug report."""

from __future__ import annotations

from pathlib import Path

import click

from icws_explore.protocol.principal import Principal
from icws_explore.views.report import write_report

from .options import known_root_key
from .reading import read_capture


@click.command(
    "report",
    epilog="""\b
Examples:
  icws report session.icws
  icws report session.icws -o bug-42.html --root-key mainnet

The page needs no network and runs no script. It holds the application's messages.
""",
)
@click.argument("file", type=click.Path())
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.html", help="Default: FILE's name."
)
@click.option("--root-key", metavar="HEX|mainnet", help="Verify against this key (DER).")
@click.option("--network", metavar="URL", help="Verify against the key of this network.")
@click.option("--canister", metavar="ID", help="The canister, where the capture does not tell.")
def command(file: str, output: Path | None, root_key: str | None, network: str | None, canister: str | None) -> int:
    """Write FILE as one self-contained HTML page: summary, time, sequence numbers, frames, verification."""
    key = known_root_key(root_key, network)
    canister_id = None if canister is None else Principal.from_text(canister)
    capture = read_capture(file)
    target = output or Path(file.removesuffix(".gz")).with_suffix(".html")
    written = write_report(capture, target, root_key=key, canister_id=canister_id)
    click.echo(f"{written} ({written.stat().st_size // 1024} KB)")
    return 0
