"""`icws doctor`: what is wrong in a recording or in what a dapp is configured with, and what to change."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import click

from icws_explore.analysis.doctor import Examination, Findings, examine
from icws_explore.analysis.doctor.configuration import ANONYMOUS_NAMES, check_did, check_identity, check_intervals
from icws_explore.analysis.doctor.many import Question
from icws_explore.analysis.doctor.page import check_page
from icws_explore.analysis.replay.replay import Replay
from icws_explore.analysis.replay.text import replay_json, replay_lines
from icws_explore.capture import Capture
from icws_explore.live.address import Address
from icws_explore.live.network.profiles import NetworkProfile
from icws_explore.live.target import read_did
from icws_explore.protocol.budgets import IDENTITY_FILE
from icws_explore.protocol.candid import DidFile, type_text
from icws_explore.protocol.errors import CaptureError, DidError
from icws_explore.protocol.principal import Principal

from .console import json_line, note
from .findings import print_findings
from .options import known_root_key, network_option, one_session, read_capture


@click.command(
    "doctor",
    epilog="""\b
Examples:
  icws doctor session.icws
  icws doctor session.icws --root-key mainnet --json
  icws doctor session.icws --frames
  icws doctor recordings/ monday.icws tuesday.har
  icws doctor session.har --network https://icp-api.io --did canister.did
  icws doctor session.har --url gateway.example --session 2
  icws doctor --did canister.did
  icws doctor --did canister.did --canister-ack-ms 60000 --client-ack-ms 60000
  icws doctor --identity me.pem --canister bnz7o-iuaaa-aaaaa-qaaaa-cai
  icws doctor --gateway ws://gateway.example --page https://dapp.example
  icws doctor --csp "connect-src 'self'" --gateway wss://gateway.example --network https://icp-api.io

You can check an interface, intervals, an identity, a gateway URL and a page's Content Security Policy without a
recording, before a socket is open.

FILE may also be a HAR file or a packet capture. Sockets of other protocols are left out, and one line names each.
The output lists what could not be checked, and what you need to check it. The exit code is 1 if a finding has the
severity error, else 0; for several files it is 3 if one cannot be read and none has
an error.
""",
)
@click.argument("files", metavar="[FILE|DIR]...", type=click.Path(), nargs=-1)
@click.option("--url", default="", metavar="TEXT", help="In a HAR or packets: only sockets whose URL contains TEXT.")
@click.option("--session", metavar="NAME", help="Examine only this session of FILE.")
@click.option("--frames", is_flag=True, help="Show the frames that each finding names.")
@click.option(
    "--did",
    metavar="FILE.did",
    type=click.Path(path_type=Path),
    help="Check a canister's interface. With FILE, also check the messages against the interface's message type.",
)
@click.option("--canister-ack-ms", type=click.IntRange(0), metavar="N", help="Check the CDK's send_ack_interval_ms.")
@click.option("--client-ack-ms", type=click.IntRange(0), metavar="N", help="Check the SDK's ackMessageIntervalMs.")
@click.option(
    "--identity", metavar="FILE", type=click.Path(path_type=Path), help="Check an identity (PEM or delegation JSON)."
)
@click.option("--csp", metavar="POLICY", help="Check a page's Content-Security-Policy for --gateway and --network.")
@click.option("--gateway", metavar="URL", help="The gateway that the page connects to.")
@click.option("--page", metavar="URL", help="The page's own URL, for 'self' in --csp and for mixed content.")
@click.option("--root-key", metavar="HEX|mainnet", help="Verify proofs with this root key (DER).")
@network_option("Verify proofs with the root key of this network.")
@click.option("--canister", metavar="ID", help="The canister, if the recording does not name it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    files: tuple[str, ...],
    url: str,
    session: str | None,
    frames: bool,
    did: Path | None,
    canister_ack_ms: int | None,
    client_ack_ms: int | None,
    identity: Path | None,
    csp: str | None,
    gateway: str | None,
    page: str | None,
    root_key: str | None,
    network: NetworkProfile | None,
    canister: str | None,
    as_json: bool,
) -> int:
    """Say what is wrong in FILE (a recording) or in what a dapp is configured with, and what to change.

    Of several files and folders: a line for each file, then the findings by cause.
    """
    file = files[0] if files else None
    is_many = len(files) > 1 or (file is not None and Path(file).is_dir())
    has_intervals = canister_ack_ms is not None or client_ack_ms is not None
    if file is None and did is None and identity is None and gateway is None and csp is None and not has_intervals:
        raise click.UsageError(
            "nothing to examine: give a recording, --did FILE, --identity FILE, --gateway URL, --csp POLICY or an "
            "interval"
        )
    if file is None and (url or session is not None):
        raise click.UsageError("--url and --session select sockets of a recording: give its FILE")
    if is_many and session is not None:
        raise click.UsageError("--session selects a session of one recording: give one FILE")
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
    if is_many:
        from .recordings.doctor import examine_all

        question = Question(known_root_key(root_key, network), canister_id, url, _app_type(interface))
        return examine_all(files, question, findings, frames=frames, as_json=as_json)
    if file is not None:
        key = known_root_key(root_key, network)
        capture = one_session(read_capture(file, url=url), file, session)
        found, replays = _recording(_with_type(capture, interface), key, canister_id)
        findings.add(found)
    if as_json:
        replayed = {} if file is None else {"replay": [replay_json(replay) for replay in replays]}
        json_line(
            {
                "state": findings.state,
                "findings": [finding.to_json() for finding in findings],
                "not_checked": [unchecked.to_json() for unchecked in findings.unchecked],
                "left_out": [left_out.to_json() for left_out in findings.left_out],
                **replayed,
            }
        )
    else:
        print_findings(findings, replay_lines(replays), frames=frames)
    return 1 if findings.has_errors else 0


def _with_type(capture: Capture, interface: DidFile | None) -> Capture:
    """The recording with the message type that a .did declares, if there is one."""
    app_type = _app_type(interface)
    if app_type is None:
        return capture
    return Capture(replace(capture.info, app_type=app_type), capture.frames, capture.notes, capture.page_calls)


def _app_type(interface: DidFile | None) -> str | None:
    """The message type that a .did declares, as text; None if there is none, which its own findings say."""
    try:
        return None if interface is None else type_text(interface.application_type())
    except DidError:
        return None


def _recording(capture: Capture, root_key: bytes | None, canister_id: Principal | None) -> Examination:
    if capture.info.crypto != "real":
        note(f"proofs are not checked: the recording was simulated with {capture.info.crypto} cryptography")
    return examine(capture, root_key=root_key, canister_id=canister_id)


def _page(csp: str | None, gateway: str | None, network: NetworkProfile | None, page: str | None) -> Findings:
    """Raises click.UsageError if a gateway is missing, ArgumentValueError for an invalid URL."""
    if gateway is None:
        if csp is not None or page is not None:
            raise click.UsageError("--csp and --page need --gateway URL, the gateway that the page connects to")
        return Findings()
    address = Address.gateway(gateway).shown
    return check_page(
        gateway_url=f"{address}#…" if urlsplit(gateway).fragment else address,
        policy=csp,
        network_url=None if network is None else Address.network(network.url).shown,
        page_url=None if page is None else Address.network(page).shown,
    )


def _read_bytes(path: Path) -> bytes:
    if str(path) in ANONYMOUS_NAMES:
        return str(path).encode()
    try:
        with path.open("rb") as file:
            data = file.read(IDENTITY_FILE + 1)
    except OSError as error:
        raise CaptureError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > IDENTITY_FILE:
        raise CaptureError(f"{path} has more than {IDENTITY_FILE} bytes; is it the right file?")
    return data
