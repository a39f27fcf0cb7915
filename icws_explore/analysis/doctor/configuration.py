"""What can be found before any socket is open: in a canister's .did, in intervals.

An identity before it is used: can it sign, does its delegation still hold, is it for this canister?

It signs a trial ws_open, which is checked as a replica checks it. Nothing of the key is in what is said.
"""

from __future__ import annotations

import json
from typing import Final

from icws_explore.protocol.arguments import encode_open_args
from icws_explore.protocol.candid import Opt, parse_did, resolve
from icws_explore.protocol.constants import ACK_INTERVAL_MS, KEEP_ALIVE_TIMEOUT_MS, LATENCY_BOUND_MS, NS_PER_S
from icws_explore.protocol.envelope import call_content, check_envelope, ingress_expiry_ns, sign_envelope
from icws_explore.protocol.errors import DidError, IdentityError, MessageError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.keys.delegation import DelegationChain
from icws_explore.protocol.keys.files import load_identity
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import first_failure

from .finding import Finding, Findings, Severity, seconds
from .registry import RULES

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


ANONYMOUS_NAMES: Final = ("anonymous", "2vxsx-fae")  # dfx's name of the identity that is none


def check_identity(data: bytes, *, now_ns: int, canister_id: Principal | None = None) -> Findings:
    """What keeps the identity in a file (its bytes; any form that `load_identity` reads) from opening a session."""
    if data.decode("utf-8", "replace").strip() in ANONYMOUS_NAMES:
        return Findings([_no_sign_identity("It is the anonymous identity, which has no key.")])
    chain = _bare_chain(data)
    if chain is not None:
        return Findings(_of_chain(chain, now_ns, canister_id))
    try:
        identity = load_identity(data)
    except IdentityError as error:
        return Findings([_no_sign_identity(f"{str(error).rstrip('.')}.")])
    chain = DelegationChain(identity.public_key_der, identity.delegations)
    return Findings(_of_chain(chain, now_ns, canister_id) or _of_signature(identity, chain, now_ns, canister_id))


def _bare_chain(data: bytes) -> DelegationChain | None:
    """The chain of a log-in without its session key, as one copies it out of a browser's storage."""
    try:
        return DelegationChain.from_json(json.loads(data))
    except (MessageError, ValueError, RecursionError):
        return None


def _of_chain(chain: DelegationChain, now_ns: int, canister_id: Principal | None) -> list[Finding]:
    expiration_ns, targets = chain.expiration_ns, chain.targets
    if expiration_ns is not None and expiration_ns < now_ns:
        ago_s = (now_ns - expiration_ns) / NS_PER_S
        return [_like("DELEGATION_EXPIRED", f"The delegation of {chain.principal} expired {seconds(ago_s)} ago.")]
    if targets is not None and canister_id is not None and canister_id not in targets:
        named = ", ".join(sorted(str(target) for target in targets)[:3]) or "no canister"
        return [_like("DELEGATION_EXPIRED", f"The delegation of {chain.principal} is for {named}, not {canister_id}.")]
    return []


def _of_signature(
    identity: Identity, chain: DelegationChain, now_ns: int, canister_id: Principal | None
) -> list[Finding]:
    """A trial request. A canister signature (Internet Identity's) needs its network's root key and is left unjudged."""
    canister = canister_id or min(chain.targets or {Principal.MANAGEMENT})
    arg = encode_open_args(0, canister)
    content = call_content(canister, "ws_open", arg, identity.principal, ingress_expiry_ns(now_ns))
    failure = first_failure(check_envelope(sign_envelope(content, identity), now_ns=now_ns))
    if failure is None:
        return []
    what = f"What it signs fails at its {failure.step.replace('_', ' ')}: {failure.detail}."
    return [_like("BAD_SIGNATURE", what)]


def _like(rule_id: str, explanation: str) -> Finding:
    rule = RULES[rule_id]
    return Finding(rule.id, rule.severity, (), explanation, rule.sdk_behaviour, rule.fix, rule.source)


def _no_sign_identity(explanation: str) -> Finding:
    return Finding(
        "IDENTITY_TYPE",
        "error",
        (),
        explanation,
        'Its constructor throws: "Identity must be a SignIdentity".',
        "Log in first, and hand the SDK the identity that the log-in gives; two copies of @dfinity/agent in a bundle "
        "make a good one look wrong: keep one (npm ls @dfinity/agent).",
        "ic-websocket-js 0.5.0 ic-websocket.ts; forum, IC WebSocket: Stable Release, #11, #40",
    )
