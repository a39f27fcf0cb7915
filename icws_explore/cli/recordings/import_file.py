"""`icws import`: converts recordings of other tools to .icws files."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import click

from icws_explore.analysis.imports import identify, load_foreign
from icws_explore.capture import Capture, save
from icws_explore.live.network.profiles import NetworkProfile
from icws_explore.protocol.errors import CaptureError
from icws_explore.protocol.principal import Principal

from ..console import json_line, note, show
from ..options import force, keep_recording, known_root_key, network_option


@click.command(
    "import",
    epilog="""\b
Examples:
  icws import session.har -o session.icws --network https://icp-api.io
  icws import session.har -o session.icws --root-key mainnet --url gateway.example
  icws import packets.pcapng -o session.icws --network http://127.0.0.1:4943
  icws import dapp.flow -o session.icws --network https://icp-api.io

Chrome, Firefox and Playwright write HAR files: open the network panel before the page connects, then
export the panel as HAR. A packet capture must hold plain ws:// traffic. mitmproxy writes flow files
(mitmdump -w dapp.flow), which also hold how a socket closed and the requests to the network.

None of these files contains the root key of the canister's network. To have the messages verified,
give the key with --root-key, or the network to ask with --network.
""",
)
@click.argument("file", type=click.Path())
@click.option("-o", "--output", required=True, metavar="FILE", help="The .icws or .icws.gz file to write.")
@force
@click.option("--url", default="", metavar="TEXT", help="Import only WebSockets whose URL contains TEXT.")
@click.option("--root-key", metavar="HEX|mainnet", help="The network's root key (DER).")
@network_option("Ask this network for its root key and the message type.")
@click.option("--canister", metavar="ID", help="The canister.  [default: that of the first request]")
@click.option("--app-type", metavar="FILE.did", help="The canister's .did file, or a type as Candid text.")
@click.option("--ack-interval-ms", type=click.IntRange(1), metavar="N", help="The ack interval of the dapp's client.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    file: str,
    output: str,
    force: bool,
    url: str,
    root_key: str | None,
    network: NetworkProfile | None,
    canister: str | None,
    app_type: str | None,
    ack_interval_ms: int | None,
    as_json: bool,
) -> int:
    """Convert FILE, a HAR file, a packet capture or a flow file of mitmproxy, to an .icws file."""
    keep_recording(output, forced=force)
    canister_id = None if canister is None else Principal.from_text(canister).text
    declared = None if app_type is None else _type_text(app_type)
    key = known_root_key(root_key, network)
    if Path(output).resolve() == Path(file).resolve():
        raise CaptureError(f"{output} is the file to import: write to another file")
    capture = load_foreign(file, url=url)
    capture.info = replace(capture.info, canister_id=canister_id)
    capture = identify(capture)
    if declared is None and network is not None and key is not None and capture.info.canister_id is not None:
        declared = asyncio.run(_ask_type(network.url, capture.info.canister_id, key))
    capture.info = replace(
        capture.info,
        root_key=key,
        network_url=None if network is None else network.url,
        app_type=declared,
        ack_interval_ms=ack_interval_ms,
    )
    save(capture, output)
    _report(capture, output, as_json=as_json)
    return 0


def _type_text(app_type: str) -> str:
    from icws_explore.live.target import read_app_type
    from icws_explore.protocol import candid

    return candid.type_text(read_app_type(app_type))


async def _ask_type(url: str, canister: str, root_key: bytes) -> str | None:
    from icws_explore.live.http import Network
    from icws_explore.live.target import find_application_type
    from icws_explore.protocol import candid

    async with Network(url) as network:
        found = await find_application_type(network, Principal.from_text(canister), root_key)
    return None if found is None else candid.type_text(found)


def _report(capture: Capture, output: str, *, as_json: bool) -> None:
    info = capture.info
    if as_json:
        json_line(
            {
                "file": output,
                "frames": len(capture),
                "sessions": len(capture.session_ids),
                "canister_id": info.canister_id,
                "client_principal": info.client_principal,
                "root_key": None if info.root_key is None else info.root_key.hex(),
                "notes": capture.notes,
            }
        )
        return
    from icws_explore.views.facts import recording_facts
    from icws_explore.views.text import facts_lines

    for line in facts_lines(recording_facts(capture)):
        show(line)
    click.echo(f"wrote {output}; next: icws doctor {output}")
    if info.canister_id is None:
        note("the file contains no IC WebSocket request: check that the right socket was recorded")
    elif info.root_key is None:
        note("signatures of the network cannot be verified without a root key: give --root-key or --network")
