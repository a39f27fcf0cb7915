"""`icws verify`: every canister message of a capture, proof by proof."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from icws_explore.analysis.verify import MessageVerdict, verify_capture
from icws_explore.capture import Capture, load
from icws_explore.protocol.constants import MAINNET_ROOT_KEY
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.principal import Principal

from .console import json_line, note, show, width
from .options import parse_hex


@click.command(
    "verify",
    epilog="""\b
Examples:
  icws verify session.icws
  icws verify session.icws --root-key mainnet --all
  icws verify session.icws --network http://127.0.0.1:4943 --json

Exit 1 when a message does not verify. Without a key, the one in the capture is used: it is the
one that the recording client trusted.
""",
)
@click.argument("file", type=click.Path())
@click.option("--root-key", metavar="HEX|mainnet", help="Verify against this key (DER).")
@click.option("--network", metavar="URL", help="Verify against the key of this network.")
@click.option("--canister", metavar="ID", help="The canister, where the capture does not tell.")
@click.option("--all", "every_step", is_flag=True, help="Every step of valid messages too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    file: str, root_key: str | None, network: str | None, canister: str | None, every_step: bool, as_json: bool
) -> int:
    """Verify every canister message of FILE, step by step."""
    if root_key and network:
        raise click.UsageError("--root-key and --network exclude each other: name one key")
    capture = load(file)
    for text in capture.notes:
        note(text)
    key = _root_key(root_key, network)
    canister_id = None if canister is None else Principal.from_text(canister)
    verdicts = list(verify_capture(capture, root_key=key, canister_id=canister_id))
    if as_json:
        json_line({"messages": [_to_json(verdict) for verdict in verdicts]})
    else:
        _print(capture, verdicts, every_step)
    return 0 if verdicts and all(verdict.ok for verdict in verdicts) else 1


def _root_key(text: str | None, network: str | None) -> bytes | None:
    if text == "mainnet":
        return MAINNET_ROOT_KEY
    if text is not None:
        return parse_hex(text, "--root-key")
    if network is not None:
        from icws_explore.live.http import Network

        async def ask(url: str) -> bytes:
            async with Network(url) as asked:
                return await asked.root_key()

        return asyncio.run(ask(network))
    return None


def _to_json(verdict: MessageVerdict) -> dict[str, Any]:
    steps = [{"step": s.step, "ok": s.ok, "detail": s.detail} for s in verdict.steps]
    return {"frame": verdict.frame, "key": verdict.key, "ok": verdict.ok, "steps": steps}


def _print(capture: Capture, verdicts: list[MessageVerdict], every_step: bool) -> None:
    from icws_explore.views.text import steps_lines, verdicts_lines

    if not verdicts:
        raise IcwsError(f"nothing to verify: the capture holds {len(capture)} frames, none of them a canister message")
    lines = (
        (line for verdict in verdicts for line in steps_lines(verdict, width=width()))
        if every_step
        else verdicts_lines(verdicts, width=width())
    )
    for line in lines:
        show(line)
    valid = sum(verdict.ok for verdict in verdicts)
    bad = len(verdicts) - valid
    click.echo(f"{valid} of {len(verdicts)} canister messages are authentic" + (f", {bad} are not" if bad else ""))
