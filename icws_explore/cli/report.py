"""`icws report`: writes a recording as a page to attach to a bug report, as Markdown to paste into an issue, or as a
page that explains every byte.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from icws_explore.live.network.profiles import NetworkProfile
from icws_explore.protocol.errors import CaptureError
from icws_explore.protocol.principal import Principal
from icws_explore.views.report.file import check_suffix, is_markdown, report, write_text

from .options import known_root_key, network_option, read_capture

STDOUT: Final = "-"


@click.command(
    "report",
    epilog="""\b
Examples:
  icws report session.icws
  icws report session.icws -o bug-42.html --root-key mainnet
  icws report session.icws --redact -o issue.md
  icws report session.icws --format md -o - | less
  icws report session.icws --every-byte

The page needs no network and runs no script. The Markdown text has fewer than 60,000 characters, so that
it fits into an issue.

--every-byte writes another page: every frame unfolded, with what each of its bytes means. Of a long
recording it shows a part, and says which.

All contain the application's messages, unless --redact is given. A redacted report shows a message only
by its type and size. It leaves out hashes, bytes, paths and queries of URLs, and texts that the protocol
does not define (close reasons, Err and trap texts). It keeps principals, unless --redact-principals is
given. The recording is verified and diagnosed before anything is left out.
""",
)
@click.argument("file", type=click.Path())
@click.option(
    "-o", "--output", metavar="FILE", help="The file to write, .html or .md. - is stdout.  [default: FILE's name]"
)
@click.option(
    "--format", "wanted", type=click.Choice(["html", "md"]), help="[default: by the output's name, else html]"
)
@click.option("--every-byte", is_flag=True, help="Explain every byte of every frame, on a page of its own.")
@click.option("--redact", is_flag=True, help="Leave out messages, bytes, peers' texts and secrets in URLs.")
@click.option(
    "--redact-principals", is_flag=True, help="Like --redact, and write client-1, canister-1 … for principals."
)
@click.option("--title", metavar="TEXT", help="The report's title.")
@click.option("--root-key", metavar="HEX|mainnet", help="Verify with this root key (DER).")
@network_option("Verify with the root key of this network.")
@click.option("--canister", metavar="ID", help="The canister, if the recording does not name it.")
def command(
    file: str,
    output: str | None,
    wanted: str | None,
    every_byte: bool,
    redact: bool,
    redact_principals: bool,
    title: str | None,
    root_key: str | None,
    network: NetworkProfile | None,
    canister: str | None,
) -> int:
    """Write a report about FILE: findings with evidence, sequence, timing and limits, verification, environment."""
    key = known_root_key(root_key, network)
    canister_id = None if canister is None else Principal.from_text(canister)
    as_markdown = wanted == "md" or (wanted is None and output is not None and is_markdown(output))
    if every_byte and as_markdown:
        raise click.UsageError("--every-byte makes a page: it cannot be written as Markdown")
    if every_byte and (redact or redact_principals):
        raise click.UsageError("--every-byte shows the bytes that --redact leaves out: use one of them")
    suffix = ".md" if as_markdown else ".every-byte.html" if every_byte else ".html"
    target = None if output == STDOUT else _target(file, output, wanted, suffix)
    capture = read_capture(file)
    made = report(
        capture,
        root_key=key,
        canister_id=canister_id,
        title=title,
        redact=redact,
        redact_principals=redact_principals,
    )
    text = made.every_byte if every_byte else made.markdown if as_markdown else made.html
    if target is None:
        click.echo(text, nl=False)
        return 0
    written = write_text(target, text)
    click.echo(f"{written} ({written.stat().st_size // 1024} KB)")
    return 0


def _target(file: str, output: str | None, wanted: str | None, suffix: str) -> Path:
    """The file to write. Raises CaptureError if it is the recording itself, or its name implies no format."""
    target = Path(file.removesuffix(".gz")).with_suffix(suffix) if output is None else Path(output)
    if target.resolve() == Path(file).resolve():
        raise CaptureError(f"{target} is the recording: write the report to another file")
    if wanted is None:
        check_suffix(target)
    return target
