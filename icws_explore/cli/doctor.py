"""`icws doctor`: what is wrong in a recording, or in a canister's interface, and what to change."""

from __future__ import annotations

from pathlib import Path

import click

from icws_explore.analysis.doctor import Finding, Findings, diagnose
from icws_explore.analysis.doctor.configuration import check_did, check_intervals
from icws_explore.analysis.replay import Replay, replay_sessions
from icws_explore.analysis.replay_text import replay_json, replay_lines
from icws_explore.capture import load
from icws_explore.protocol.errors import CaptureError
from icws_explore.protocol.principal import Principal

from .console import json_line, note, printable
from .options import known_root_key

_MARKS = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("·", "cyan")}


@click.command(
    "doctor",
    epilog="""\b
Examples:
  icws doctor session.icws
  icws doctor session.icws --root-key mainnet --json
  icws doctor --did canister.did
  icws doctor --did canister.did --canister-ack-ms 60000 --client-ack-ms 60000

Exit 1 with findings of severity error. Without a root key, in the file or given, no proof is judged, and that is said.
""",
)
@click.argument("file", type=click.Path(), required=False)
@click.option("--did", metavar="FILE.did", type=click.Path(path_type=Path), help="Check a canister's interface.")
@click.option("--canister-ack-ms", type=click.IntRange(0), metavar="N", help="Check the CDK's send_ack_interval_ms.")
@click.option("--client-ack-ms", type=click.IntRange(0), metavar="N", help="Check the SDK's ackMessageIntervalMs.")
@click.option("--root-key", metavar="HEX|mainnet", help="Judge proofs under this key (DER).")
@click.option("--network", metavar="URL", help="Judge proofs under the key of this network.")
@click.option("--canister", metavar="ID", help="The canister that was meant, where the capture does not tell.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    file: str | None,
    did: Path | None,
    canister_ack_ms: int | None,
    client_ack_ms: int | None,
    root_key: str | None,
    network: str | None,
    canister: str | None,
    as_json: bool,
) -> int:
    """Say what is wrong in FILE, a recording, or in a canister's .did, and what to change."""
    has_intervals = canister_ack_ms is not None or client_ack_ms is not None
    if file is None and did is None and not has_intervals:
        raise click.UsageError("nothing to examine: name a recording, --did FILE, or an interval")
    findings, replays = Findings(), list[Replay]()
    if did is not None:
        findings += check_did(_read(did))
    if has_intervals:
        findings += check_intervals(send_ack_interval_ms=canister_ack_ms, client_ack_interval_ms=client_ack_ms)
    if file is not None:
        key = known_root_key(root_key, network)
        found, replays = _recording(file, key, None if canister is None else Principal.from_text(canister))
        findings += found
    if as_json:
        again = {} if file is None else {"replay": [replay_json(it) for it in replays]}
        json_line({"findings": [finding.to_json() for finding in findings], **again})
    else:
        _print(findings, replay_lines(replays))
    return 1 if findings.has_errors else 0


def _recording(file: str, root_key: bytes | None, canister_id: Principal | None) -> tuple[Findings, list[Replay]]:
    capture = load(file)
    for text in capture.notes:
        note(text)
    if capture.info.crypto != "real":
        note(f"no proof is judged: simulated with {capture.info.crypto} cryptography")
    elif capture.info.root_key is None and root_key is None:
        note("no proof is judged: the capture names no root key (give --root-key or --network)")
    findings = diagnose(capture, root_key=root_key, canister_id=canister_id)
    if capture.info.crypto != "real":
        return findings, []  # the SDK would have taken none of it
    return findings, replay_sessions(capture, root_key=root_key, canister_id=canister_id)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CaptureError(f"cannot read {path}: it is no UTF-8 text") from error


def _print(findings: Findings, replayed: list[str]) -> None:
    for finding in findings:
        for line in _lines(finding):
            click.echo(line)
    for line in replayed:
        click.echo(f"replay: {printable(line)}")
    counts = [
        f"{count} {severity}{'s' if count != 1 else ''}"
        for severity in ("error", "warning")
        if (count := sum(finding.severity == severity for finding in findings))
    ]
    click.echo(", ".join(counts) if counts else "nothing is wrong as far as this tells")


def _lines(finding: Finding) -> list[str]:
    mark, colour = _MARKS[finding.severity]
    frames = ", ".join(str(number) for number in finding.frames[:12]) + ("…" if len(finding.frames) > 12 else "")
    where = f"  frame{'s' if len(finding.frames) > 1 else ''} {frames}" if finding.frames else ""
    return [
        click.style(f"{mark} {finding.id}", fg=colour, bold=True) + f"  {finding.severity}{where}",
        f"    {printable(finding.explanation)}",
        f"    the SDK: {printable(finding.sdk_behaviour)}",
        f"    fix: {printable(finding.fix)}",
        f"    source: {finding.source}",
        "",
    ]
