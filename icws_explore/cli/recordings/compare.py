"""`icws compare`: two recordings beside each other, the first difference marked."""

from __future__ import annotations

from typing import Final

import click

from icws_explore.analysis.compare import compare
from icws_explore.capture import Capture
from icws_explore.live.network.profiles import NetworkProfile
from icws_explore.protocol.principal import Principal

from ..console import json_line, show, width
from ..options import known_root_key, network_option, one_session, read_capture

NAMES: Final = ("GOOD", "BAD")


@click.command(
    "compare",
    epilog="""\b
Examples:
  icws compare good.icws bad.icws
  icws compare good.icws bad.har --network https://icp-api.io
  icws compare before.icws after.icws --session 1 --json
  icws compare chat.icws chat.icws --session 1 --session 2

Both are aligned by the protocol's events: handshake, ws_open, OpenMessage, each message by content and sequence
number, acks, keep-alives, close. Keys, nonces, times and certificates differ in every run and are no differences.
A wait differs if it does by more than the sessions' own jitter. The exit code is 0 if nothing differs, else 1.
""",
)
@click.argument("good", type=click.Path())
@click.argument("bad", type=click.Path())
@click.option(
    "--session",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only this session of both; twice: one of each.",
)
@click.option("--all", "every_row", is_flag=True, help="List every event, not only those around differences.")
@click.option("--root-key", metavar="HEX|mainnet", help="Verify proofs of both under this key (DER).")
@network_option("Verify proofs of both under the key of this network.")
@click.option("--canister", metavar="ID", help="The canister that was meant, if the recordings do not name it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    good: str,
    bad: str,
    names: tuple[str, ...],
    every_row: bool,
    root_key: str | None,
    network: NetworkProfile | None,
    canister: str | None,
    as_json: bool,
) -> int:
    """Compare GOOD with BAD, two recordings, and mark the first difference."""
    if len(names) > 2:
        raise click.UsageError("--session can be given at most twice: one session of each recording")
    canister_id = None if canister is None else Principal.from_text(canister)
    key = known_root_key(root_key, network)
    chosen = (names[0], names[-1]) if names else (None, None)
    one, other = (_side(path, name) for path, name in zip((good, bad), chosen, strict=True))
    found = compare(one, other, names=NAMES, root_keys=(key, key), canister_id=canister_id)
    found.about = (f"{good}: {found.about[0]}", f"{bad}: {found.about[1]}")
    if as_json:
        json_line({"good": good, "bad": bad, **found.to_json()})
    else:
        from icws_explore.views.cards.comparison import MAX_ROWS, comparison_lines

        for line in comparison_lines(found, limit=None if every_row else MAX_ROWS, width=width()):
            show(line)
    return 0 if found.is_same else 1


def _side(path: str, session: str | None) -> Capture:
    """The recording, or the named session of it; a recording of one session without a name is that session."""
    capture = read_capture(path)
    return one_session(capture, path, None if capture.session_ids == [None] else session)
