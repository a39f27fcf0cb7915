"""`icws doctor`: what is wrong in a recording or in what a dapp is configured with, and what to change."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from icws_explore.analysis.doctor import Examination, Findings, examine
from icws_explore.analysis.doctor.configuration import ANONYMOUS_NAMES, check_did, check_identity, check_intervals
from icws_explore.analysis.doctor.page import check_page
from icws_explore.analysis.replay.replay import Replay
from icws_explore.analysis.replay.text import replay_json, replay_lines
from icws_explore.capture import Capture
from icws_explore.live.address import Address
from icws_explore.live.target import read_did
from icws_explore.protocol.candid import DidFile, type_text
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
  icws doctor session.har --network https://icp-api.io --did canister.did
  icws doctor session.har --url gateway.example --session 2
  icws doctor --did canister.did
  icws doctor --did canister.did --canister-ack-ms 60000 --client-ack-ms 60000
  icws doctor --identity me.pem --canister bnz7o-iuaaa-aaaaa-qaaaa-cai
  icws doctor --gateway ws://gateway.example --page https://dapp.example
  icws doctor --csp "connect-src 'self'" --gateway wss://gateway.example --network https://icp-api.io

An interface, intervals, an identity, a gateway URL and a page's Content Security Policy need no recording: they
are checked before any socket is open.

FILE may also be a HAR file or a packet capture. Sockets that speak another protocol are left out, in one line each.
What could not be checked (no root key, no network side, …) is listed with what would check it. The exit code is 1
if there is a finding of severity error, else 0.
""",
)
@click.argument("file", type=click.Path(), required=False)
@click.option("--url", default="", metavar="TEXT", help="Only the sockets of a HAR or packets whose URL holds TEXT.")
@click.option("--session", metavar="NAME", help="Only this session of FILE.")
@click.option(
    "--did",
    metavar="FILE.did",
    type=click.Path(path_type=Path),
    help="Check a canister's interface; with FILE, check its messages against the interface's message type as well.",
)
@click.option("--canister-ack-ms", type=click.IntRange(0), metavar="N", help="Check the CDK's send_ack_interval_ms.")
@click.option("--client-ack-ms", type=click.IntRange(0), metavar="N", help="Check the SDK's ackMessageIntervalMs.")
@click.option(
    "--identity", metavar="FILE", type=click.Path(path_type=Path), help="Check an identity (PEM or delegation JSON)."
)
@click.option("--csp", metavar="POLICY", help="Check a page's Content-Security-Policy for --gateway and --network.")
@click.option("--gateway", metavar="URL", help="The gateway that the page connects to.")
@click.option("--page", metavar="URL", help="Where the page is served: for 'self' in --csp, and for mixed content.")
@click.option("--root-key", metavar="HEX|mainnet", help="Verify proofs under this key (DER).")
@click.option("--network", metavar="URL", help="Verify proofs under the key of this network.")
@click.option("--canister", metavar="ID", help="The canister that was meant, if the recording does not name it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    file: str | None,
    url: str,
    session: str | None,
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
    """Say what is wrong in FILE (a recording) or in what a dapp is configured with, and what to change."""
    has_intervals = canister_ack_ms is not None or client_ack_ms is not None
    if file is None and did is None and identity is None and gateway is None and csp is None and not has_intervals:
        raise click.UsageError(
            "nothing to examine: name a recording, --did FILE, --identity FILE, --gateway URL, --csp POLICY or an "
            "interval"
        )
    if file is None and (url or session is not None):
        raise click.UsageError("--url and --session choose sockets of a recording: name its FILE")
    canister_id = None if canister is None else Principal.from_text(canister)
    findings, replays = Findings(), list[Replay]()
    interface = None if did is None else read_did(did)
    if interface is not None:
        findings.add(check_did(interface))
    if has_intervals:
        findings.add(check_intervals(send_ack_interval_ms=canister_ack_ms, client_ack_interval_ms=client_ack_ms))
    if identity is not None:
        findings.add(check_identity(_read_bytes(identity), now_ns=time.time_ns(), canister_id=canister_id))
    findings.add(_page(csp, gateway, network, page))
    if file is not None:
        key = known_root_key(root_key, network)
        capture = _chosen(read_capture(file, url=url), file, session)
        found, replays = _recording(_with_type(capture, interface), key, canister_id)
        findings.add(found)
    if as_json:
        again = {} if file is None else {"replay": [replay_json(it) for it in replays]}
        json_line(
            {
                "state": findings.state,
                "findings": [finding.to_json() for finding in findings],
                "not_checked": [it.to_json() for it in findings.unchecked],
                "left_out": [it.to_json() for it in findings.left_out],
                **again,
            }
        )
    else:
        print_findings(findings, replay_lines(replays))
    return 1 if findings.has_errors else 0


def _chosen(capture: Capture, file: str, session: str | None) -> Capture:
    """The recording, or one session of it. Raises CaptureError if there is nothing to examine."""
    if not capture.frames:
        raise CaptureError(f"{file} holds no frame: there is nothing to examine")
    if session is None:
        return capture
    if session not in capture.session_ids:
        there = ", ".join(str(name) for name in capture.session_ids[:10])
        raise CaptureError(f"{file} holds no session {session}: there are {there}")
    frames = [frame for frame in capture.frames if frame.is_http or frame.session == session]
    return Capture(capture.info, frames, capture.notes, capture.page_calls)


def _with_type(capture: Capture, interface: DidFile | None) -> Capture:
    """The recording with the message type that a .did declares, if there is one."""
    if interface is None:
        return capture
    try:
        app_type = type_text(interface.application_type())
    except DidError:
        return capture  # the interface's own findings say so
    return Capture(replace(capture.info, app_type=app_type), capture.frames, capture.notes, capture.page_calls)


def _recording(capture: Capture, root_key: bytes | None, canister_id: Principal | None) -> Examination:
    if capture.info.crypto != "real":
        note(f"no proof is checked: the recording was simulated with {capture.info.crypto} cryptography")
    return examine(capture, root_key=root_key, canister_id=canister_id)


def _page(csp: str | None, gateway: str | None, network: str | None, page: str | None) -> Findings:
    """Raises click.UsageError if a gateway is missing, ArgumentValueError for an invalid URL."""
    if gateway is None:
        if csp is not None or page is not None:
            raise click.UsageError("--csp and --page need --gateway URL: where does the page connect to?")
        return Findings()
    return check_page(
        gateway_url=Address.gateway(gateway).shown,
        policy=csp,
        network_url=None if network is None else Address.network(network).shown,
        page_url=None if page is None else Address.network(page).shown,
    )


def _read_bytes(path: Path) -> bytes:
    if str(path) in ANONYMOUS_NAMES:
        return str(path).encode()
    try:
        return path.read_bytes()
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror}") from error
