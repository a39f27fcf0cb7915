"""What can be checked before any socket is open: a canister's interface, ack intervals, an identity.

An identity signs a trial ws_open, which is checked as a replica checks it. Nothing of the key is in a finding.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from icws_explore.protocol.arguments import encode_open_args
from icws_explore.protocol.budgets import IDENTITY_KEY
from icws_explore.protocol.candid import DidFile, Func, Opt, Record, Type, is_subtype, parse_did, resolve, type_text
from icws_explore.protocol.constants import ACK_INTERVAL_MS, KEEP_ALIVE_TIMEOUT_MS, NS_PER_S, ack_timeout_ms
from icws_explore.protocol.envelope import call_content, check_envelope, ingress_expiry_ns, sign_envelope
from icws_explore.protocol.errors import DecodeError, DidError, IdentityError, MessageError
from icws_explore.protocol.interface import (
    CLOSE_ARGS,
    MESSAGE_ARGS,
    OPEN_ARGS,
    POLL_ARGS,
    POLL_RESULT_READ,
    WEBSOCKET_MESSAGE,
)
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.keys.delegation import DelegationChain
from icws_explore.protocol.keys.files import load_identity
from icws_explore.protocol.keys.public_keys import parse_public_key
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import first_failure

from .finding import Finding, Findings, Severity, seconds
from .registry import RULES

_ARGUMENTS: Final = {
    "ws_open": OPEN_ARGS,
    "ws_message": MESSAGE_ARGS,
    "ws_close": CLOSE_ARGS,
    "ws_get_messages": POLL_ARGS,
}
_METHODS_FIX: Final = "Export the CDK's four methods: ws_open, ws_message, ws_close and the query ws_get_messages."
_METHODS_SOURCE: Final = "ic-websocket-js 0.5.0 ic-websocket.ts; gateway 1.4.6 canister_poller.rs"


def check_did(interface: str | DidFile) -> Findings:
    """What keeps the SDK or the gateway from using a canister with that interface.

    ``interface`` is the text of a .did file, or such a file parsed. Raises DidError for invalid text.
    """
    did = parse_did(interface) if isinstance(interface, str) else interface
    found = Findings()
    missing = [name for name in _ARGUMENTS if name not in did.methods]
    if missing:
        found.append(_missing(missing))
    found += _modes(did)
    method = did.methods.get("ws_message")
    if method is not None and (len(method.args) != 2 or not isinstance(resolve(method.args[1]), Opt)):
        try:
            did.application_type()
        except DidError as error:
            found.append(_arity(str(error), is_arity=len(method.args) != 2))
    elif method is not None:
        found += _application_type(resolve(method.args[1]))
    found += _types(did)
    return found


def _modes(did: DidFile) -> Iterator[Finding]:
    """Methods that are a query and should not be, or the other way round."""
    poll = did.methods.get("ws_get_messages")
    if poll is not None and not poll.is_query:
        yield Finding(
            "METHOD_MODE",
            "warning",  # the .did may be wrong, not the code
            (),
            "In this .did ws_get_messages is an update, not a query. The gateway polls it with queries, and the "
            "network refuses a query of an update method.",
            _POLLER_BEHAVIOUR,
            "Make ws_get_messages a query method (Rust: #[query], Motoko: shared query func), and generate the .did "
            "again.",
            _METHODS_SOURCE,
        )
    for name in ("ws_open", "ws_message", "ws_close"):
        method = did.methods.get(name)
        if method is not None and method.is_query:
            yield Finding(
                "METHOD_MODE",
                "error",
                (),
                f"In this .did {name} is a query. The SDK and the gateway call it as an update, and what a query "
                "changes in the canister's state is not kept.",
                "It gets no answer: the canister counts no message. Before the session is open: "
                'close(4000, "Open connection timeout").',
                f"Make {name} an update method (Rust: #[update], Motoko: shared func without query), and generate the "
                ".did and the declarations again.",
                _METHODS_SOURCE,
            )
        elif method is not None and "oneway" in method.annotations:
            yield Finding(
                "METHOD_MODE",
                "warning",
                (),
                f"In this .did {name} is oneway, so it has no result. The CDK's method returns Ok or Err.",
                "It does not notice. The gateway's log does not show when the canister refuses a message.",
                f"Remove oneway from {name}: export the CDK's own method, and generate the .did again.",
                _METHODS_SOURCE,
            )


def _application_type(second: Type) -> Iterator[Finding]:
    """Whether the application's message type is the CDK's own type by mistake."""
    inner = resolve(second.inner) if isinstance(second, Opt) else second
    if isinstance(inner, Record) and is_subtype(inner, WEBSOCKET_MESSAGE) and is_subtype(WEBSOCKET_MESSAGE, inner):
        yield Finding(
            "APP_TYPE_IS_CDK_TYPE",
            "warning",
            (),
            "ws_message's second argument is `opt WebsocketMessage`, the CDK's own message type. The SDK decodes the "
            "application's messages as that type, which is almost certainly a mistake.",
            "It decodes each application message as a WebsocketMessage and fails: "
            'close(4000, "Error receiving message").',
            "Name your application's own message type there: ws_message : (CanisterWsMessageArguments, opt Msg).",
            "ic-websocket-js 0.5.0 ic-websocket.ts, getApplicationMessageIdl",
        )


def _types(did: DidFile) -> Iterator[Finding]:
    """Methods whose arguments do not accept what the SDK and the gateway send, or whose result cannot be read."""
    for name, sent in _ARGUMENTS.items():
        method = did.methods.get(name)
        if method is None:
            continue
        declared = method.args[0] if method.args else None
        if declared is None or not is_subtype(sent, declared):
            shown = "no argument" if declared is None else type_text(declared)
            yield _mismatch_of(name, f"declares {shown}, but the SDK and the gateway send {type_text(sent)}")
        elif name == "ws_open" and not _has_field(declared, "gateway_principal"):
            yield _mismatch_of(
                name, "has no gateway_principal in its argument, as CDKs before 0.3.0 had it; current gateways need it"
            )
    poll = did.methods.get("ws_get_messages")
    if poll is not None and not _is_readable(poll):
        shown = ", ".join(map(type_text, poll.results)) or "nothing"
        yield _mismatch_of("ws_get_messages", f"returns {shown}, which the gateway cannot decode")


def _is_readable(poll: Func) -> bool:
    return len(poll.results) > 0 and is_subtype(poll.results[0], POLL_RESULT_READ)


def _has_field(type_: Type, name: str) -> bool:
    resolved = resolve(type_)
    return isinstance(resolved, Record) and any(field.label == name for field in resolved.fields)


def _mismatch_of(name: str, what: str) -> Finding:
    return Finding(
        "INTERFACE_MISMATCH",
        "error",
        (),
        f"{name} {what}.",
        'Nothing opens: close(4000, "Open connection timeout"), or the gateway ends the session without a code.',
        "Export the CDK's own methods with the CDK's own types (all numbers are nat64), upgrade the CDK to 0.3.1 or "
        "later, and generate the .did again.",
        "CDK 0.4.1 types.rs; ic-websocket-js 0.5.0 idl.ts",
    )


def _arity(reason: str, *, is_arity: bool) -> Finding:
    error = (
        '"ws_message method must have 2 arguments"'
        if is_arity
        else '"Application message type must be optional in the ws_message arguments"'
    )
    return Finding(
        "WS_MESSAGE_ARITY",
        "error",
        (),
        f"{reason}.",
        f"Its constructor throws {error}.",
        "Add `opt Msg` as ws_message's second argument, with your application's message type, and generate the .did "
        "and the declarations again.",
        "ic-websocket-js 0.5.0 ic-websocket.ts; forum, IC WebSocket: Stable Release, #21-22",
    )


def _missing(names: list[str]) -> Finding:
    text = f"The service has no {' and no '.join(names)}."
    if names == ["ws_get_messages"]:
        return _poller(text)
    if names == ["ws_close"]:
        behaviour = "It does not notice. The canister learns that a client has gone only a minute after its next ack."
    else:
        behaviour = "Its constructor throws if ws_message is missing. "
        behaviour += 'Without ws_open: close(4000, "Open connection timeout").'
    return Finding("WS_MESSAGE_ARITY", "error", (), text, behaviour, _METHODS_FIX, _METHODS_SOURCE)


_POLLER_BEHAVIOUR: Final = (
    "It cannot tell. If ws_get_messages cannot be polled, the gateway gives the canister up and ends every session "
    "without a code."
)


def _poller(text: str) -> Finding:
    return Finding("POLLER_DEAD", "error", (), text, _POLLER_BEHAVIOUR, _METHODS_FIX, _METHODS_SOURCE)


def check_intervals(
    *,
    send_ack_interval_ms: int | None = None,
    client_ack_interval_ms: int | None = None,
    keep_alive_timeout_ms: int = KEEP_ALIVE_TIMEOUT_MS,
) -> Findings:
    """What is impossible or unwise in a canister's and a client's intervals (ms); None stands for the default."""
    found = Findings()
    canister_ms = ACK_INTERVAL_MS if send_ack_interval_ms is None else send_ack_interval_ms
    client_ms = ACK_INTERVAL_MS if client_ack_interval_ms is None else client_ack_interval_ms
    if canister_ms <= keep_alive_timeout_ms:
        found.append(
            Finding(
                "ACK_INTERVAL_TOO_SHORT",
                "error",
                (),
                f"send_ack_interval_ms is {canister_ms}. It must be more than the keep-alive time-out, "
                f"{keep_alive_timeout_ms}.",
                "It never reaches the canister: the CDK traps in init, so that nothing is installed.",
                f"Set it above {keep_alive_timeout_ms}, and the client's ackMessageIntervalMs to the same value.",
                "CDK 0.4.1 types.rs, WsInitParams",
            )
        )
    if client_ms != canister_ms:
        severity, effect = _unequal(canister_ms, client_ms)
        found.append(
            Finding(
                "ACK_INTERVAL_MISMATCH",
                severity,
                (),
                f"The canister sends acks every {canister_ms} ms, and the client expects them every {client_ms} ms.",
                effect,
                "Set the client's ackMessageIntervalMs to the canister's send_ack_interval_ms.",
                "forum, IC WebSocket: Stable Release, #35",
            )
        )
    return found


def _unequal(canister_ms: int, client_ms: int) -> tuple[Severity, str]:
    limit_ms = ack_timeout_ms(client_ms)
    if limit_ms < canister_ms:
        return "error", f'It closes {limit_ms} ms after the last ack: close(4000, "Ack message timeout").'
    return "warning", f"It works, but notices a lost ack only {limit_ms} ms after the last one, later than necessary."


ANONYMOUS_NAMES: Final = ("anonymous", "2vxsx-fae")  # dfx's name of the identity without a key


def check_identity(data: bytes, *, now_ns: int, canister_id: Principal | None = None) -> Findings:
    """What keeps an identity from opening a session. ``data`` is its file in any form that `load_identity` reads.

    ``now_ns`` is in nanoseconds since the epoch. ``canister_id`` is the canister that the delegation has to allow.
    """
    if data.decode("utf-8", "replace").strip() in ANONYMOUS_NAMES:
        return Findings([_no_sign_identity("It is the anonymous identity, which has no key.")])
    chain = _bare_chain(data)
    if chain is not None:
        return Findings(_chain_findings(chain, now_ns, canister_id))
    try:
        identity = load_identity(data)
    except IdentityError as error:
        return Findings([_no_sign_identity(f"{str(error).rstrip('.')}.")])
    chain = DelegationChain(identity.public_key_der, identity.delegations)
    return Findings(
        _chain_findings(chain, now_ns, canister_id) or _signature_findings(identity, chain, now_ns, canister_id)
    )


def _bare_chain(data: bytes) -> DelegationChain | None:
    """A delegation chain without its session key, as a browser's storage holds it; None for other files."""
    try:
        return DelegationChain.from_json(json.loads(data))
    except (MessageError, ValueError, RecursionError):
        return None


def _chain_findings(chain: DelegationChain, now_ns: int, canister_id: Principal | None) -> list[Finding]:
    keys = [("publicKey", chain.root_public_key_der)]
    keys += [
        (f"the pubkey of delegation {number}", link.delegation.pubkey)
        for number, link in enumerate(chain.delegations, 1)
    ]
    for name, der in keys:
        if (fault := _key_fault(der)) is not None:
            return [_as_rule("BAD_SIGNATURE", f"In its delegation chain {name} {fault}.")]
    expiration_ns, targets = chain.expiration_ns, chain.targets
    if expiration_ns is not None and expiration_ns < now_ns:
        ago_s = (now_ns - expiration_ns) / NS_PER_S
        return [_as_rule("DELEGATION_EXPIRED", f"The delegation of {chain.principal} expired {seconds(ago_s)} ago.")]
    if targets is not None and canister_id is not None and canister_id not in targets:
        named = ", ".join(sorted(str(target) for target in targets)[:3]) or "no canister"
        return [
            _as_rule("DELEGATION_EXPIRED", f"The delegation of {chain.principal} is for {named}, not {canister_id}.")
        ]
    return []


def _key_fault(der: bytes) -> str | None:
    """Why no signature can be checked with this public key (DER); None: it can."""
    if len(der) > IDENTITY_KEY:
        return f"has {len(der)} bytes, more than a public key has"
    try:
        parse_public_key(der)
    except DecodeError as error:
        return f"is not a public key: {error.reason}"
    return None


def _signature_findings(
    identity: Identity, chain: DelegationChain, now_ns: int, canister_id: Principal | None
) -> list[Finding]:
    """Findings of a trial request. A canister signature (Internet Identity's) needs the root key and is not checked."""
    canister = canister_id or min(chain.targets or {Principal.MANAGEMENT})
    arg = encode_open_args(0, canister)
    content = call_content(canister, "ws_open", arg, identity.principal, ingress_expiry_ns(now_ns))
    failure = first_failure(check_envelope(sign_envelope(content, identity), now_ns=now_ns))
    if failure is None:
        return []
    what = f"A request that it signs fails at the step {failure.step.replace('_', ' ')}: {failure.detail}."
    return [_as_rule("BAD_SIGNATURE", what)]


def _as_rule(rule_id: str, explanation: str) -> Finding:
    rule = RULES[rule_id]
    return Finding(rule.id, rule.severity, (), explanation, rule.sdk_behaviour, rule.fix, rule.source)


def _no_sign_identity(explanation: str) -> Finding:
    return Finding(
        "IDENTITY_TYPE",
        "error",
        (),
        explanation,
        'Its constructor throws "Identity must be a SignIdentity".',
        "Log in first, and give the SDK the identity of that login. Two copies of @dfinity/agent in a bundle make a "
        "good identity look wrong: keep one (npm ls @dfinity/agent).",
        "ic-websocket-js 0.5.0 ic-websocket.ts; forum, IC WebSocket: Stable Release, #11, #40",
    )
