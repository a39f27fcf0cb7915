"""An identity before it is used: can it sign, does its delegation still hold, is it for this canister?

It signs a trial ws_open, which is checked as a replica checks it. Nothing of the key is in what is said.
"""

from __future__ import annotations

import json
from typing import Final

from icws_explore.protocol.arguments import encode_open_args
from icws_explore.protocol.constants import NS_PER_S
from icws_explore.protocol.envelope import call_content, check_envelope, ingress_expiry_ns, sign_envelope
from icws_explore.protocol.errors import IdentityError, MessageError
from icws_explore.protocol.keys import Identity
from icws_explore.protocol.keys.delegation import DelegationChain
from icws_explore.protocol.keys.files import load_identity
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import first_failure

from .finding import Finding, Findings
from .registry import RULES
from .wording import seconds

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
