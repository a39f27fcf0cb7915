"""`icws report`: a capture as one page to attach to a bug report, or as Markdown to paste into an issue."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from icws_explore.protocol.errors import CaptureError
from icws_explore.protocol.principal import Principal
from icws_explore.views.report.file import check_suffix, is_markdown, report, write_text

from .options import known_root_key, read_capture

STDOUT: Final = "-"


@click.command(
    "report",
    epilog="""\b
Examples:
  icws report session.icws
  icws report session.icws -o bug-42.html --root-key mainnet
  icws report session.icws --redact -o issue.md
  icws report session.icws --format md -o - | less

The page needs no network and runs no script. Markdown has fewer than 60,000 characters, as an issue
takes them. Both hold the application's messages unless --redact leaves them out: they are then shown
by type and size, bytes by their number; hashes, words that are not the protocol's own (close reasons,
Err and trap texts), queries and paths of URLs are left out. Principals stay unless
--redact-principals. Everything is verified and diagnosed before it is left out.
""",
)
@click.argument("file", type=click.Path())
@click.option(
    "-o", "--output", metavar="FILE", help="Ends in .html or .md; default: FILE's name. - is the standard output."
)
@click.option(
    "--format", "wanted", type=click.Choice(["html", "md"]), help="Default: as the output's name ends, else html."
)
@click.option("--redact", is_flag=True, help="Leave out messages, bytes, foreign words and secrets in URLs.")
@click.option("--redact-principals", is_flag=True, help="The same, and client-1, canister-1 … for principals.")
@click.option("--title", metavar="TEXT", help="What to call it.")
@click.option("--root-key", metavar="HEX|mainnet", help="Verify against this key (DER).")
@click.option("--network", metavar="URL", help="Verify against the key of this network.")
@click.option("--canister", metavar="ID", help="The canister, where the capture does not tell.")
def command(
    file: str,
    output: str | None,
    wanted: str | None,
    redact: bool,
    redact_principals: bool,
    title: str | None,
    root_key: str | None,
    network: str | None,
    canister: str | None,
) -> int:
    """Report FILE: findings with their evidence, sequence, timing against limits, verification, environment."""
    key = known_root_key(root_key, network)
    canister_id = None if canister is None else Principal.from_text(canister)
    as_markdown = wanted == "md" or (wanted is None and output is not None and is_markdown(output))
    target = None if output == STDOUT else _target(file, output, wanted, as_markdown=as_markdown)
    capture = read_capture(file)
    made = report(
        capture,
        root_key=key,
        canister_id=canister_id,
        title=title,
        redact=redact,
        redact_principals=redact_principals,
    )
    text = made.markdown if as_markdown else made.html
    if target is None:
        click.echo(text, nl=False)
        return 0
    written = write_text(target, text)
    click.echo(f"{written} ({written.stat().st_size // 1024} KB)")
    return 0


def _target(file: str, output: str | None, wanted: str | None, *, as_markdown: bool) -> Path:
    """Where to write. Raises CaptureError for the capture itself, and for a name that tells no format."""
    suffix = ".md" if as_markdown else ".html"
    target = Path(file.removesuffix(".gz")).with_suffix(suffix) if output is None else Path(output)
    if target.resolve() == Path(file).resolve():
        raise CaptureError(f"{target} is the capture: write the report to another file")
    if wanted is None:
        check_suffix(target)
    return target
