"""`icws doctor`: what is wrong in a recording, or in a canister's interface, and what to change."""

from __future__ import annotations

import time
from pathlib import Path

import click

from icws_explore.analysis.doctor import Examination, Findings, examine
from icws_explore.analysis.doctor.configuration import ANONYMOUS_NAMES, check_did, check_identity, check_intervals
from icws_explore.analysis.doctor.csp import check_csp
from icws_explore.analysis.replay.replay import Replay
from icws_explore.analysis.replay.text import replay_json, replay_lines
from icws_explore.live.http import check_http_url
from icws_explore.live.target import check_gateway_url
from icws_explore.protocol.errors import CaptureError, DidError
from icws_explore.protocol.principal import Principal

from .console import json_line, note
from .findings import print_findings
from .options import known_root_key, read_capture


@click.command(
    "doctor",
    epilog="""\b
Examples:
  icws doctor session.icws
  icws doctor session.icws --root-key mainnet --json
  icws doctor session.har --network https://icp-api.io
  icws doctor --did canister.did
  icws doctor --did canister.did --canister-ack-ms 60000 --client-ack-ms 60000
  icws doctor --identity me.pem --canister bnz7o-iuaaa-aaaaa-qaaaa-cai
  icws doctor --csp "connect-src 'self'" --gateway wss://gateway.example --network https://icp-api.io

What needs no recording is found before any socket is open: in an interface, intervals, an identity,
a page's Content Security Policy.

FILE may be a HAR or a packet capture too. Without a root key, in the file or given, it is not judged
who signed a certificate, and that is said. Exit 1 with findings of severity error.
""",
)
@click.argument("file", type=click.Path(), required=False)
@click.option("--did", metavar="FILE.did", type=click.Path(path_type=Path), help="Check a canister's interface.")
@click.option("--canister-ack-ms", type=click.IntRange(0), metavar="N", help="Check the CDK's send_ack_interval_ms.")
@click.option("--client-ack-ms", type=click.IntRange(0), metavar="N", help="Check the SDK's ackMessageIntervalMs.")
@click.option(
    "--identity", metavar="FILE", type=click.Path(path_type=Path), help="Check an identity (PEM or delegation JSON)."
)
@click.option("--csp", metavar="POLICY", help="Check a page's Content-Security-Policy, for --gateway and --network.")
@click.option("--gateway", metavar="URL", help="The gateway that the page connects to.")
@click.option("--page", metavar="URL", help="Where the page is served, which is what 'self' means in --csp.")
@click.option("--root-key", metavar="HEX|mainnet", help="Judge proofs under this key (DER).")
@click.option("--network", metavar="URL", help="Judge proofs under the key of this network.")
@click.option("--canister", metavar="ID", help="The canister that was meant, where the capture does not tell.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(
    file: str | None,
    did: Path | None,
    canister_ack_ms: int | None,
    client_ack_ms: int | None,
    identity: Path | None,
    csp: str | None,
    gateway: str | None,
    page: str | None,
    root_key: str | None,
    network: str | None,
    canister: str | None,
    as_json: bool,
) -> int:
    """Say what is wrong in FILE, a recording, or in what a dapp is configured with, and what to change."""
    has_intervals = canister_ack_ms is not None or client_ack_ms is not None
    if file is None and did is None and identity is None and csp is None and not has_intervals:
        raise click.UsageError(
            "nothing to examine: name a recording, --did FILE, --identity FILE, --csp or an interval"
        )
    canister_id = None if canister is None else Principal.from_text(canister)
    findings, replays = Findings(), list[Replay]()
    if did is not None:
        findings += _interface(did)
    if has_intervals:
        findings += check_intervals(send_ack_interval_ms=canister_ack_ms, client_ack_interval_ms=client_ack_ms)
    if identity is not None:
        findings += check_identity(_read_bytes(identity), now_ns=time.time_ns(), canister_id=canister_id)
    findings += _policy(csp, gateway, network, page)
    if file is not None:
        key = known_root_key(root_key, network)
        found, replays = _recording(file, key, canister_id)
        findings += found
    if as_json:
        again = {} if file is None else {"replay": [replay_json(it) for it in replays]}
        json_line({"findings": [finding.to_json() for finding in findings], **again})
    else:
        print_findings(findings, replay_lines(replays))
    return 1 if findings.has_errors else 0


def _interface(path: Path) -> Findings:
    try:
        return check_did(_read(path))
    except DidError as error:
        raise DidError(f"{error.reason} (in {path})", error.line, error.column) from error


def _recording(file: str, root_key: bytes | None, canister_id: Principal | None) -> Examination:
    capture = read_capture(file)
    if not capture.frames:
        raise CaptureError(f"{file} holds no frame: there is nothing to judge")
    if capture.info.crypto != "real":
        note(f"no proof is judged: simulated with {capture.info.crypto} cryptography")
    elif capture.info.root_key is None and root_key is None:
        note(
            "the capture names no root key (give --root-key or --network): unless they are mainnet's, it is not judged "
            "who signed its certificates"
        )
    return examine(capture, root_key=root_key, canister_id=canister_id)


def _policy(csp: str | None, gateway: str | None, network: str | None, page: str | None) -> Findings:
    """Raises click.UsageError where half of what is needed is given, ConnectError for what is no URL."""
    if csp is None:
        if gateway is not None or page is not None:
            raise click.UsageError("--gateway and --page go with --csp: they are what the policy is held against")
        return Findings()
    if gateway is None:
        raise click.UsageError("--csp needs --gateway URL: what is the page to connect to?")
    gateway_url = check_gateway_url(gateway)
    network_url = None if network is None else check_http_url(network)
    return check_csp(csp, gateway_url=gateway_url, network_url=network_url, page_url=page and check_http_url(page))


def _read_bytes(path: Path) -> bytes:
    if str(path) in ANONYMOUS_NAMES:
        return str(path).encode()
    try:
        return path.read_bytes()
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror}") from error


def _read(path: Path) -> str:
    try:
        return _read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CaptureError(f"cannot read {path}: it is no UTF-8 text") from error
