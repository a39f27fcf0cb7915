"""`icws import`: captures from what other tools have recorded."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import click

from icws_explore.analysis.imports import identify
from icws_explore.capture import Capture, save
from icws_explore.protocol.errors import CaptureError
from icws_explore.protocol.principal import Principal

from .console import json_line, note, show
from .options import force, keep_recording, known_root_key


@click.command(
    "import",
    epilog="""\b
Examples:
  icws import session.har -o session.icws --network https://icp-api.io
  icws import session.har -o session.icws --root-key mainnet --url gateway.example
  icws import packets.pcapng -o session.icws --network http://127.0.0.1:4943

Chrome, Firefox, Playwright and mitmproxy write HAR files (in the browser: network panel, export,
with the sockets' messages). Packets must hold plain ws:// traffic. Neither says which network the
canister lives on: give its root key, or the network to ask, so that the messages can be verified.
""",
)
@click.argument("file", type=click.Path())
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to write the .icws (or .icws.gz) file.")
@force
@click.option("--url", default="", metavar="TEXT", help="Only WebSockets whose URL holds TEXT.")
@click.option("--root-key", metavar="HEX|mainnet", help="The network's root key (DER).")
@click.option("--network", metavar="URL", help="Ask this network for its root key and the message type.")
@click.option("--canister", metavar="ID", help="The canister (default: that of the first request).")
@click.option("--app-type", metavar="FILE.did", help="The canister's .did, or a type as Candid text.")
@click.option("--ack-interval-ms", type=click.IntRange(1), metavar="N", help="As the dapp configures it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    file: str,
    output: str,
    force: bool,
    url: str,
    root_key: str | None,
    network: str | None,
    canister: str | None,
    app_type: str | None,
    ack_interval_ms: int | None,
    as_json: bool,
) -> int:
    """Turn FILE, a HAR or a packet capture, into an .icws file."""
    keep_recording(output, forced=force)
    canister_id = None if canister is None else Principal.from_text(canister).text
    declared = None if app_type is None else _type_text(app_type)
    key = known_root_key(root_key, network)
    if Path(output).resolve() == Path(file).resolve():
        raise CaptureError(f"{output} is the file to import: write to another one")
    capture = _load(file, url)
    capture.info = replace(capture.info, canister_id=canister_id)
    capture = identify(capture)
    if declared is None and network is not None and key is not None and capture.info.canister_id is not None:
        declared = asyncio.run(_ask_type(network, capture.info.canister_id, key))
    capture.info = replace(
        capture.info, root_key=key, network_url=network, app_type=declared, ack_interval_ms=ack_interval_ms
    )
    save(capture, output)
    _report(capture, output, as_json=as_json)
    return 0


def _load(file: str, url: str) -> Capture:
    from icws_explore.capture.har import load_har
    from icws_explore.capture.packets import is_pcap, load_pcap

    return load_pcap(file, url=url) if is_pcap(file) else load_har(file, url=url)


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
    click.echo(f"written {output}; next: icws doctor {output}")
    if info.canister_id is None:
        note("no request of the IC WebSocket protocol is in it: is it the right socket?")
    elif info.root_key is None:
        note("without a root key it cannot be verified who signed the messages: give --root-key or --network")
