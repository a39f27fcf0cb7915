"""What can be found before any socket is open: in a canister's .did, in intervals."""

from __future__ import annotations

from typing import Final

from icws_explore.protocol.candid import Opt, parse_did, resolve
from icws_explore.protocol.constants import ACK_INTERVAL_MS, KEEP_ALIVE_TIMEOUT_MS, LATENCY_BOUND_MS
from icws_explore.protocol.errors import DidError

from .finding import Finding, Findings, Severity

_WS_METHODS: Final = ("ws_open", "ws_message", "ws_close", "ws_get_messages")
_METHODS_FIX: Final = "Export the CDK's four methods: ws_open, ws_message, ws_close and the query ws_get_messages."
_METHODS_SOURCE: Final = "ic-websocket-js 0.5.0 ic-websocket.ts; gateway 1.4.6 canister_poller.rs"


def check_did(text: str) -> Findings:
    """What keeps the SDK from using a canister with that interface. Raises DidError for text that is no .did."""
    did = parse_did(text)
    found = Findings()
    missing = [name for name in _WS_METHODS if name not in did.methods]
    if missing:
        found.append(_missing(missing))
    poll = did.methods.get("ws_get_messages")
    if poll is not None and not {"query", "composite_query"} & set(poll.annotations):
        told = "By this .did ws_get_messages is no query; the gateway polls it as one, which a canister then refuses."
        found.append(_poller(told, "warning"))  # the code may have it right: nothing but the gateway calls it
    method = did.methods.get("ws_message")
    if method is not None and (len(method.args) != 2 or not isinstance(resolve(method.args[1]), Opt)):
        try:
            did.application_type()
        except DidError as error:
            found.append(_arity(str(error), is_arity=len(method.args) != 2))
    return found


def _arity(reason: str, *, is_arity: bool) -> Finding:
    said = (
        '"ws_message method must have 2 arguments"'
        if is_arity
        else '"Application message type must be optional in the ws_message arguments"'
    )
    return Finding(
        "WS_MESSAGE_ARITY",
        "error",
        (),
        f"{reason}.",
        f"Its constructor throws: {said}.",
        "Add `opt Msg` as ws_message's second argument, with your application's message type, and generate the .did "
        "and the declarations again.",
        "ic-websocket-js 0.5.0 ic-websocket.ts; forum, IC WebSocket: Stable Release, #21-22",
    )


def _missing(names: list[str]) -> Finding:
    told = f"The service has no {' and no '.join(names)}."
    if names == ["ws_get_messages"]:
        return _poller(told)
    if names == ["ws_close"]:
        behaviour = "It does not notice. That a client has gone the canister learns a minute after its next ack only."
    else:
        behaviour = "Its constructor throws where ws_message is missing; "
        behaviour += 'without ws_open: close(4000, "Open connection timeout").'
    return Finding("WS_MESSAGE_ARITY", "error", (), told, behaviour, _METHODS_FIX, _METHODS_SOURCE)


def _poller(told: str, severity: Severity = "error") -> Finding:
    behaviour = (
        "It cannot tell. Without ws_get_messages the gateway's poller dies and drops every session, with no code."
    )
    return Finding("POLLER_DEAD", severity, (), told, behaviour, _METHODS_FIX, _METHODS_SOURCE)


def check_intervals(
    *,
    send_ack_interval_ms: int | None = None,
    client_ack_interval_ms: int | None = None,
    keep_alive_timeout_ms: int = KEEP_ALIVE_TIMEOUT_MS,
) -> Findings:
    """What a canister's and a client's configuration make impossible; None: not configured, so the default."""
    found = Findings()
    canister_ms = ACK_INTERVAL_MS if send_ack_interval_ms is None else send_ack_interval_ms
    client_ms = ACK_INTERVAL_MS if client_ack_interval_ms is None else client_ack_interval_ms
    if canister_ms <= keep_alive_timeout_ms:
        found.append(
            Finding(
                "ACK_INTERVAL_TOO_SHORT",
                "error",
                (),
                f"send_ack_interval_ms is {canister_ms}, and has to be more than the keep-alive timeout, "
                f"{keep_alive_timeout_ms}.",
                "It never gets to see the canister: the CDK traps in init, so that nothing is installed.",
                f"Set it above {keep_alive_timeout_ms}, and the client's ackMessageIntervalMs to the same.",
                "CDK 0.4.1 types.rs, WsInitParams",
            )
        )
    if client_ms != canister_ms:
        severity, effect = _mismatch(canister_ms, client_ms)
        found.append(
            Finding(
                "ACK_INTERVAL_MISMATCH",
                severity,
                (),
                f"The canister sends acks every {canister_ms} ms, the client expects them every {client_ms} ms.",
                effect,
                "Make the client's ackMessageIntervalMs equal to the canister's send_ack_interval_ms.",
                "forum, IC WebSocket: Stable Release, #35",
            )
        )
    return found


def _mismatch(canister_ms: int, client_ms: int) -> tuple[Severity, str]:
    limit_ms = client_ms + LATENCY_BOUND_MS
    if limit_ms < canister_ms:
        return "error", f'It closes {limit_ms} ms after the last ack: close(4000, "Ack message timeout").'
    return "warning", f"It works, but a lost ack is noticed {limit_ms} ms after the last one, later than it could be."
