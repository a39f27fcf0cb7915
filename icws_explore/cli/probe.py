"""`icws probe`: is a gateway alive."""

from __future__ import annotations

import asyncio

import click

from icws_explore.live.probe import probe

from .console import json_line


@click.command(
    "probe",
    epilog="""\b
Examples:
  icws probe wss://gateway.example
  icws probe ws://127.0.0.1:8080 --json
""",
)
@click.argument("gateway")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(gateway: str, as_json: bool) -> int:
    """Connect to GATEWAY, take its handshake and leave: its principal and how long that took."""
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
