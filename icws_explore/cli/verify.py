"""`icws verify`: verifies every canister message of a recording, step by step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from icws_explore.analysis.envelopes import EnvelopeVerdict, check_envelopes
from icws_explore.analysis.verify import MessageVerdict, verify_capture
from icws_explore.live.network.profiles import NetworkProfile
from icws_explore.protocol.errors import IcwsError
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step

from .console import json_line, note, show, width
from .options import known_root_key, network_option, read_capture


@click.command(
    "verify",
    epilog="""\b
Examples:
  icws verify session.icws
  icws verify session.icws --root-key mainnet --all
  icws verify session.icws --envelopes
  icws verify session.icws --network http://127.0.0.1:4943 --json

Without --root-key and --network, the command uses the root key in the recording, which is the key that
the recording client trusted. The exit code is 1 if a message does not verify.
""",
)
@click.argument("file", type=click.Path())
@click.option("--root-key", metavar="HEX|mainnet", help="Verify with this root key (DER).")
@network_option("Verify with the root key of this network.")
@click.option("--canister", metavar="ID", help="The canister, if the recording does not name it.")
@click.option(
    "--envelopes",
    is_flag=True,
    help="Also verify the client's requests: request id, delegations, signature, expiry.",
)
@click.option("--all", "every_step", is_flag=True, help="Also show the steps of valid messages.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    file: str,
    root_key: str | None,
    network: NetworkProfile | None,
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
        note("certified_data is not checked: the recording does not name the canister (give it with --canister ID)")
    requests = list(check_envelopes(capture, root_key=key, canister_id=canister_id)) if envelopes else []
    if as_json:
        sent = {"envelopes": [_request_json(verdict) for verdict in requests]} if envelopes else {}
        json_line({"messages": [_message_json(verdict) for verdict in messages], **sent})
    else:
        _print(messages, requests, every_step)
    if not messages and not requests:
        from icws_explore.views.formatting import count

        raise IcwsError(f"nothing to verify: the recording has {count(len(capture), 'frame')}, but no canister message")
    valid = all(verdict.ok for verdict in messages) and all(verdict.ok for verdict in requests)
    return 0 if valid else 1


def _message_json(verdict: MessageVerdict) -> dict[str, Any]:
    return {"frame": verdict.frame, "key": verdict.key, "ok": verdict.ok, "steps": _steps_json(verdict.steps)}


def _request_json(verdict: EnvelopeVerdict) -> dict[str, Any]:
    return {"frame": verdict.frame, "method": verdict.method, "ok": verdict.ok, "steps": _steps_json(verdict.steps)}


def _steps_json(steps: Iterable[Step]) -> list[dict[str, Any]]:
    return [{"step": step.step, "ok": step.ok, "detail": step.detail} for step in steps]


def _print(messages: list[MessageVerdict], requests: list[EnvelopeVerdict], every_step: bool) -> None:
    from icws_explore.views.formatting import count
    from icws_explore.views.text import steps_lines, verdicts_lines

    for verdicts, noun, good in ((messages, "canister message", "authentic"), (requests, "request", "valid")):
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
            rest = f", {bad} {_is(bad)} not" if bad else ""
            click.echo(f"{valid} of {count(len(verdicts), noun)} {_is(valid)} {good}{rest}")


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
