"""`icws verify`: every canister message of a capture, proof by proof."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from icws_explore.analysis.envelopes import EnvelopeVerdict, check_envelopes
from icws_explore.analysis.verify import MessageVerdict, verify_capture
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step

from .console import json_line, note, show, width
from .options import known_root_key, read_capture


@click.command(
    "verify",
    epilog="""\b
Examples:
  icws verify session.icws
  icws verify session.icws --root-key mainnet --all
  icws verify session.icws --envelopes
  icws verify session.icws --network http://127.0.0.1:4943 --json

Exit 1 when a message does not verify. Without a key, the one in the capture is used: it is the
one that the recording client trusted.
""",
)
@click.argument("file", type=click.Path())
@click.option("--root-key", metavar="HEX|mainnet", help="Verify against this key (DER).")
@click.option("--network", metavar="URL", help="Verify against the key of this network.")
@click.option("--canister", metavar="ID", help="The canister, where the capture does not tell.")
@click.option(
    "--envelopes", is_flag=True, help="The client's requests too: request id, delegations, signature, expiry."
)
@click.option("--all", "every_step", is_flag=True, help="Every step of what is valid, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    file: str,
    root_key: str | None,
    network: str | None,
    canister: str | None,
    envelopes: bool,
    every_step: bool,
    as_json: bool,
) -> int:
    """Verify every canister message of FILE, step by step."""
    key = known_root_key(root_key, network)
    capture = read_capture(file)
    canister_id = None if canister is None else Principal.from_text(canister)
    messages = list(verify_capture(capture, root_key=key, canister_id=canister_id))
    if any(not verdict.ok and verdict.failure is None for verdict in messages):
        note("the capture does not say whose it is, so certified_data is not judged: name the canister (--canister ID)")
    requests = list(check_envelopes(capture, root_key=key, canister_id=canister_id)) if envelopes else []
    if as_json:
        sent = {"envelopes": [_request_json(verdict) for verdict in requests]} if envelopes else {}
        json_line({"messages": [_message_json(verdict) for verdict in messages], **sent})
    else:
        _print(messages, requests, every_step)
    if not messages and not requests:
        raise IcwsError(f"nothing to verify: the capture holds {len(capture)} frames, none of them a canister message")
    valid = all(verdict.ok for verdict in messages) and all(verdict.ok for verdict in requests)
    return 0 if valid else 1


def _message_json(verdict: MessageVerdict) -> dict[str, Any]:
    return {"frame": verdict.frame, "key": verdict.key, "ok": verdict.ok, "steps": _steps_json(verdict.steps)}


def _request_json(verdict: EnvelopeVerdict) -> dict[str, Any]:
    return {"frame": verdict.frame, "method": verdict.method, "ok": verdict.ok, "steps": _steps_json(verdict.steps)}


def _steps_json(steps: Iterable[Step]) -> list[dict[str, Any]]:
    return [{"step": step.step, "ok": step.ok, "detail": step.detail} for step in steps]


def _print(messages: list[MessageVerdict], requests: list[EnvelopeVerdict], every_step: bool) -> None:
    from icws_explore.views.text import steps_lines, verdicts_lines

    for verdicts, what in (
        (messages, "canister messages are authentic"),
        (requests, "requests are as a replica wants"),
    ):
        lines = (
            (line for verdict in verdicts for line in steps_lines(verdict, width=width()))
            if every_step
            else verdicts_lines(verdicts, width=width())
        )
        for line in lines:
            show(line)
        valid = sum(verdict.ok for verdict in verdicts)
        bad = len(verdicts) - valid
        if verdicts:
            click.echo(f"{valid} of {len(verdicts)} {what}" + (f", {bad} are not" if bad else ""))
