"""`icws probe`: checks whether a gateway is alive, or whether a network and a canister on it are as they should be."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import click

from icws_explore.live.network.network_probe import NetworkProbe, probe_network
from icws_explore.live.network.profiles import network_profile
from icws_explore.live.probe import probe
from icws_explore.protocol.principal import Principal

from .console import json_line, printable
from .options import complete_networks

_MARKS: Final = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}
_NAME_WIDTH: Final = 12


@click.command(
    "probe",
    epilog="""\b
Examples:
  icws probe wss://gateway.example
  icws probe ws://127.0.0.1:8080 --json
  icws probe --network local --canister bkyz2-fmaaa-aaaaa-qaaaq-cai
  icws probe --network mainnet
  icws probe --network staging --networks icws.toml
""",
)
@click.argument("gateway", required=False)
@click.option(
    "--network",
    metavar="NAME|URL",
    shell_complete=complete_networks,
    help="Probe a network: local, mainnet, a name of icws.toml, or a URL.",
)
@click.option("--canister", metavar="ID", help="Also check a canister on the network.")
@click.option(
    "--networks",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file of networks. Default: icws.toml here, in a folder above, or in ~/.config/icws.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(gateway: str | None, network: str | None, canister: str | None, file: Path | None, as_json: bool) -> int:
    """Probe a GATEWAY or a network.

    Connect to GATEWAY, wait for its handshake and disconnect. Print its principal and how long each part took.
    The real gateway (1.4.6) logs a panic at every probe, because the client leaves before ws_open. It goes on.

    With --network: check the network's status, root key, endpoints and clock, and whether the canister exists and has
    the methods of an IC WebSocket CDK. Each check says what to do. Exit code 1: a check failed.
    """
    if gateway is not None and network is not None:
        raise click.UsageError("probe a GATEWAY or a --network, one after the other")
    if network is not None:
        return _probe_network(network, canister, file, as_json)
    if canister is not None or file is not None:
        raise click.UsageError("--canister and --networks go with --network")
    if gateway is None:
        raise click.UsageError("give the URL of a gateway, or --network NAME")
    return _probe_gateway(gateway, as_json)


def _probe_gateway(gateway: str, as_json: bool) -> int:
    found = asyncio.run(probe(gateway))
    if as_json:
        json_line(
            {
                "gateway_url": found.gateway_url,
                "gateway_principal": found.gateway_principal,
                "connect_ms": round(found.connect_ms, 3),
                "handshake_ms": round(found.handshake_ms, 3),
            }
        )
    else:
        click.echo(f"gateway    {found.gateway_principal}")
        click.echo(f"connect    {found.connect_ms:.1f} ms")
        click.echo(f"handshake  {found.handshake_ms:.1f} ms later")
    return 0


def _probe_network(name: str, canister: str | None, file: Path | None, as_json: bool) -> int:
    profile = network_profile(name, file=file)
    found = asyncio.run(probe_network(profile, canister=None if canister is None else Principal.of(canister)))
    if as_json:
        json_line(_as_json(found))
    else:
        _print(found)
    return 1 if found.has_failed else 0


def _as_json(found: NetworkProbe) -> dict[str, object]:
    return {
        "network": None if "://" in found.network.name else found.network.name,
        "url": found.shown_url,
        "canister": found.canister_id,
        "root_key": None if found.root_key is None else found.root_key.hex(),
        "checks": [
            {"name": check.name, "ok": check.ok, "found": check.found, "advice": check.advice} for check in found.checks
        ],
    }


def _print(found: NetworkProbe) -> None:
    named = "" if "://" in found.network.name else f"{found.network.name}: "
    click.echo(f"  {'network':<{_NAME_WIDTH}} {printable(named + found.shown_url)}")
    for check in found.checks:
        mark, colour = _MARKS[check.ok]
        click.secho(mark, fg=colour, nl=False)
        click.echo(f" {check.name:<{_NAME_WIDTH}} {printable(check.found)}")
        if check.advice:
            click.echo(f"  {'':<{_NAME_WIDTH}} → {printable(check.advice)}")
