"""Cases after public bug reports: an input for `icws doctor` and what it must say.

The inputs are in tests/cases. Run `python -m support.doctor_cases [NAMES]` in tests/ to print, for each
case, what the doctor says now and what it should say.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from click.testing import CliRunner

from icws_explore.cli.main import run

FOLDER: Final = Path(__file__).resolve().parent.parent / "cases"


@dataclass(frozen=True, slots=True)
class Case:
    """``loud`` are the ids of the expected errors and warnings, ``infos`` those of the expected infos.

    ``words`` are regular expressions that the output must hold. ``options`` take the place of the file.
    ``code`` is the exit code.
    """

    loud: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    code: int | None = None

    @property
    def exit_code(self) -> int:
        return self.code if self.code is not None else int(bool(self.loud))


def _failed(*words: str) -> Case:
    return Case(("SOCKET_NEVER_OPENED",), words)


CASES: Final[dict[str, Case]] = {
    # The client, and what it runs on
    "answers_ack_with_ack": Case(("ACK_ANSWERED_WITH_ACK",), ("KeepAliveMessage",)),
    "client_key_not_sender": Case(("CLIENT_KEY_MISMATCH",), ("client_key",)),
    "identity_changed": Case(("SIGNER_CHANGED",), ("signed by another principal",)),
    "nonce_precision": Case(("NONCE_MISMATCH",), ("9007199254740992", "JavaScript Number")),
    "nonce_reused_network": Case(("NONCE_REUSED",), ("already has an open connection", "random nonce")),
    "resend_same_number": Case(("NUMBER_SENT_TWICE",), ("number 2", "WrongSequenceNumber")),
    "same_request_twice": Case(infos=("REQUEST_SENT_TWICE",)),
    "ws_open_twice": Case(infos=("WS_OPEN_TWICE",)),
    "type_drift_up_typed": Case(("STALE_DECLARATIONS",), ("text is missing", "declarations")),
    "type_drift_motoko_silent": Case(("STALE_DECLARATIONS",), ("text is missing",), code=1),
    "handshake_message_error": Case(("SDK_FAILED_LOCALLY",), ("TextEncoder", "console")),
    "keep_alive_not_sent": Case(("SDK_FAILED_LOCALLY",), ("Keep alive message was not sent",)),
    "error_receiving_nothing": Case(("UNEXPLAINED_END",), ("Error receiving message", "onmessage"), code=0),
    "rejects_open_batch": Case(("SDK_REJECTS_VALID",), ("root key", r"frame 2\b")),
    "real_perrender": Case(infos=("SOCKETS_PER_RENDER",), words=("12 sockets",)),
    "strictmode_evicts_live_session": Case(("PRINCIPAL_TAKEOVER",), ("session 1", "StrictMode")),
    "idle_manager_reload": Case(infos=("PAGE_IDLE_RELOAD",), words=("IdleManager", "disableIdle")),
    "mobile_background_1006": Case(("CONNECTION_LOST",), ("187 s",), code=0),
    # The canister and its network
    "asset_canister_id_tap_only": Case(("WRONG_CANISTER",), ("ws_get_messages", "frontend")),
    "reconnect_loop_1005": Case(("POLLER_DEAD",), ("20 ", "stopped")),
    "stopped_while_deploying": Case(("POLLER_DEAD",), ("stopp", "deploy")),
    "poll_reply_too_large": Case(("POLLER_DEAD",), ("payload size", "fewer")),
    "handlers_lost_after_upgrade": Case(("HANDLERS_LOST",), ("post_upgrade",)),
    "inspect_message_refuses": Case(("INSPECT_MESSAGE",), ("rejected the message", "canister_inspect_message")),
    "instruction_limit": Case(("ON_MESSAGE_TRAP",), ("instructions",)),
    "memory_full": Case(("OUT_OF_CYCLES",), ("cannot grow its memory",)),
    "no_reply": Case(("NO_REPLY",), ("did not reply",)),
    "out_of_cycles_network": Case(("OUT_OF_CYCLES",), ("IC0207", "[Tt]op up")),
    "out_of_cycles_open": Case(("OUT_OF_CYCLES",), ("IC0207", "[Tt]op up")),
    "icpnet_clock_40s_slow_dated": Case(("INGRESS_EXPIRY",), (r"39\.\d s slow", r"30\.0 s")),
    "wsl_replica_clock": Case(("INGRESS_EXPIRY",), ("WSL", "hwclock")),
    # The gateway, and what is in front of it
    "gateway_clock_off": Case(("GATEWAY_CLOCK",), ("ingress_expiry", "NTP")),
    "polls_429": Case(("POLLS_REFUSED",), ("429", "rate")),
    "gateway_restart_1006": Case(("GATEWAY_RESTART",), ("4 sessions",)),
    "idle_cut_azure_240": Case(("PROXY_IDLE",), ("240 s", "3 sessions")),
    "lifetime_cut_600": Case(("LIFETIME_LIMIT",), ("600 s", "3 sessions")),
    "subprotocol": Case(("SUBPROTOCOL",), ("undefined",)),
    # HAR files
    "har_error_row": Case(words=("recorded an error",)),
    "har_failed_cert_date_invalid": _failed("ERR_CERT_DATE_INVALID", "expired"),
    "har_failed_name_not_resolved": _failed("ERR_NAME_NOT_RESOLVED", "name"),
    "har_status_200": _failed("200", "101", "proxy_set_header Upgrade"),
    "har_mid_session": Case(),
    "har_no_socket": Case(words=("no WebSocket", "mixed content", "Content Security Policy"), code=3),
    "har_only_others": Case(("NO_IC_WEBSOCKET",), ("3 sockets",), code=0),
    "har_safari": Case(words=("Safari", "Chrome"), code=3),
    "har_subprotocol": Case(("SUBPROTOCOL",), ("'icws'", "undefined")),
    "har_two_identities": Case(("CALLER_MISMATCH",), ("generateRandomIdentity",), code=0),
    "har_vite_hmr": Case(words=(r"session 1.*\(Vite",)),
    # Packets
    "pcap_pppoe": Case(),
    "pcap_vxlan_docker_overlay": Case(),
    # What is healthy
    "empty_content_vec_text": Case(),
    # Interfaces and pages
    "did_cdk_type_as_app_type": Case(("APP_TYPE_IS_CDK_TYPE",), ("WebsocketMessage",), code=0),
    "did_get_messages_update": Case(("METHOD_MODE",), ("query",), code=0),
    "did_ws_message_query": Case(("METHOD_MODE",), ("ws_message", "query")),
    "csp_mixed_content": Case(
        ("MIXED_CONTENT",),
        ("wss://gw.example:8080",),
        options=(
            *("--csp", "connect-src *", "--page", "https://app.example"),
            *("--gateway", "ws://gw.example:8080", "--network", "https://icp-api.io"),
        ),
    ),
    "gw_https": Case(
        words=("wss://gw.example", "new browsers"),
        options=("--csp", "connect-src *", "--gateway", "https://gw.example"),
        code=3,
    ),
    "gw_space": Case(
        words=("space", "SyntaxError"),
        options=("--csp", "connect-src *", "--page", "http://localhost:3000", "--gateway", "wss:// gw.example"),
        code=3,
    ),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `icws doctor` said of a case."""

    code: int
    output: str
    loud: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()

    def faults(self, case: Case) -> list[str]:
        """Where this is not what the case expects; empty where it is."""
        found = []
        if self.loud != case.loud:
            found.append(f"errors and warnings: {self.loud}, not {case.loud}")
        if self.infos != case.infos:
            found.append(f"infos: {self.infos}, not {case.infos}")
        if self.code != case.exit_code:
            found.append(f"exit code {self.code}, not {case.exit_code}")
        text = " ".join(self.output.split())
        return found + [f"no {word!r} in the output" for word in case.words if not re.search(word, text)]


REPORTED = ("har_redact_foreign",)  # an input of `icws report`, which test_report.py redacts


def input_of(name: str) -> Path | None:
    """The case's file; None for one that is a command's options."""
    return next(iter(FOLDER.glob(f"{name}.*")), None)


def outcome(name: str) -> Outcome:
    """Run `icws doctor` on a case, as text and as JSON."""
    case, path = CASES[name], input_of(name)
    given = case.options or ((f"--did={path}",) if path is not None and path.suffix == ".did" else (str(path),))
    code, text = _ran(["doctor", *given])
    json_code, lines = _ran(["doctor", *given, "--json"])
    assert code == json_code
    objects = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    findings = objects[0]["findings"] if objects else []
    named = {True: [finding["id"] for finding in findings if finding["severity"] != "info"]}
    named[False] = [finding["id"] for finding in findings if finding["severity"] == "info"]
    return Outcome(code, text, tuple(dict.fromkeys(named[True])), tuple(dict.fromkeys(named[False])))


def _ran(arguments: Sequence[str]) -> tuple[int, str]:
    runner = CliRunner()
    with runner.isolation() as (_, _, output):
        code = run(list(arguments))
        return code, output.getvalue().decode()


def main(names: Sequence[str]) -> Iterator[str]:
    """A line a case, and below it what is not as expected."""
    wrong = 0
    for name in names or CASES:
        said = outcome(name)
        faults = said.faults(CASES[name])
        wrong += bool(faults)
        yield f"{'✗' if faults else '✓'} {name}: {', '.join((*said.loud, *said.infos)) or 'nothing'}"
        yield from (f"    {fault}" for fault in faults)
        if names:
            yield said.output
    yield f"{len(names or CASES) - wrong} right, {wrong} wrong"


if __name__ == "__main__":
    for line in main(sys.argv[1:]):
        print(line)
