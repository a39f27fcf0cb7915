"""Checks an envelope as a replica does, step by step, with both sides of every comparison.

Sources: interface specification, "Authentication"; the replica's ingress_validation.rs. The latter has the
expiry window, the limits (20 delegations, 1000 targets each, 32 bytes of nonce), the rule that no key
appears twice in a chain, and what an anonymous request may not hold. A delegation that expires at this
very instant is still valid.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from ..cbor import as_principal, field, u64_field
from ..constants import INGRESS_DRIFT_S, INGRESS_WINDOW_S, NS_PER_S
from ..errors import MessageError, ValueMismatchError, count_of
from ..keys.delegation import MAX_LINKS, MAX_TARGETS, Delegation, SignedDelegation
from ..keys.public_keys import verify_signature
from ..principal import Principal
from ..steps import Step
from ..wording import duration_text, time_text
from .envelope import Envelope

MAX_NONCE: Final = 32  # bytes; ingress_validation.rs, MAXIMUM_NUMBER_OF_BYTES_IN_NONCE

_METHOD_CALLS = ("call", "query")
_UNCHECKED = "not checked: the request has no id to sign"
_LINK = "delegation"  # the name of the step of each link


def check_envelope(
    envelope: Envelope,
    *,
    now_ns: int,
    canister_id: Principal | None = None,
    root_key: bytes | None = None,
    max_drift_s: float = INGRESS_DRIFT_S,
) -> list[Step]:
    """Check ``envelope``: the steps parse, request_id, sender, delegation (one for each link), signature, expiry.

    ``now_ns`` is the replica's time. ``canister_id`` is the canister that the request was sent to (None:
    not compared with the one it names). ``root_key`` (DER) is needed to check canister signatures.
    ``max_drift_s`` is the drift that a replica allows beyond the expiry window, in seconds. Never raises
    for a decoded envelope.
    """
    target = envelope.canister_id or canister_id
    identified = _request_id(envelope)
    return [
        _parse(envelope, canister_id),
        identified,
        _sender(envelope),
        *check_links(envelope, now_ns=now_ns, canister_id=target, root_key=root_key),
        _signature(envelope, identified, root_key),
        _expiry(envelope, now_ns, max_drift_s),
    ]


def check_links(
    envelope: Envelope, *, now_ns: int, canister_id: Principal | None, root_key: bytes | None
) -> list[Step]:
    """Check the delegations from the root key to the session key: one step for each link, or a single step.

    There is a single step if there are no links, or if they cannot be checked one by one.
    """
    links = envelope.sender_delegation or ()
    signer = envelope.sender_pubkey
    if not links:
        return [Step(_LINK, True, "no delegation: the sender's own key signs")]
    if signer is None:
        return [Step(_LINK, False, "delegations without sender_pubkey, the key that they start from")]
    if len(links) > MAX_LINKS:
        return [Step(_LINK, False, f"{len(links)} links are more than the {MAX_LINKS} that a replica accepts")]
    steps = []
    seen = {signer}
    for number, link in enumerate(links, 1):
        key = link.delegation.pubkey
        step = _link(link, signer, envelope.request_type, now_ns, canister_id, root_key)
        if key in seen:
            step = Step(_LINK, False, "the key appears earlier in the chain", actual=key)
        steps.append(replace(step, detail=f"link {number} of {len(links)}: {step.detail}"))
        seen.add(key)
        signer = key
    return steps


def _link(
    link: SignedDelegation,
    signer: bytes,
    request_type: str | None,
    now_ns: int,
    canister_id: Principal | None,
    root_key: bytes | None,
) -> Step:
    delegation = link.delegation
    try:
        signed = delegation.signed_bytes
    except ValueMismatchError as error:
        return Step(_LINK, False, f"the delegation has no hash to sign: {error}", None, link.signature)
    # The signature is checked first: the rest of a forged link says nothing.
    verdict = verify_signature(signer, signed, link.signature, root_key=root_key)
    if verdict.ok is False:
        return Step(_LINK, False, verdict.detail, signed, link.signature)
    if request_type == "call" and delegation.other_fields:
        return Step(_LINK, False, _dropped(delegation), signed, link.signature)
    left_ns = delegation.expiration_ns - now_ns
    if left_ns < 0:
        detail = f"expired {duration_text(-left_ns)} ago; log in again"
        return Step(_LINK, False, detail, f"at least {now_ns} ns", f"{delegation.expiration_ns} ns")
    targets = delegation.targets
    if targets is None:
        where = "all canisters"
    elif len(targets) > MAX_TARGETS:
        return Step(_LINK, False, f"{len(targets)} targets are more than the {MAX_TARGETS} that a replica accepts")
    elif canister_id is not None and canister_id not in targets:
        where = ", ".join(str(target) for target in targets[:5]) or "no canister"
        detail = f"it is for {where}, not for {canister_id}"
        return Step(_LINK, False, detail, str(canister_id), where)
    else:
        where = count_of(len(targets), "canister")
    detail = f"{verdict.detail}; for {where}, for another {duration_text(left_ns)}"
    return Step(_LINK, verdict.ok, detail, signed, link.signature)


def _dropped(delegation: Delegation) -> str:
    """What becomes of a link with fields that the gateway does not know."""
    names = ", ".join(repr(name) for name in list(delegation.other_fields)[:5])
    text = f"the delegation has {names}, which the gateway 1.4.6 drops; the signature does not match what is left"
    if delegation.other_fields.get("permissions") == "queries":
        text += ". This delegation allows queries only, and no update calls"
    return text


def _parse(envelope: Envelope, canister_id: Principal | None) -> Step:
    content = envelope.content
    try:
        kind = _required(content)
    except MessageError as error:
        return Step("parse", False, error.reason)
    if envelope.unknown_fields:
        names = ", ".join(repr(name) for name in envelope.unknown_fields[:5])
        return Step(
            "parse",
            False,
            f"the content has {names}, which the gateway drops; the signature does not match what is left",
        )
    if canister_id is not None and envelope.canister_id not in (None, canister_id, Principal.MANAGEMENT):
        detail = f"names the canister {envelope.canister_id}, but was sent to {canister_id}"
        return Step("parse", False, detail, str(canister_id), str(envelope.canister_id))
    return Step("parse", True, f"a well-formed {kind} request")


def _required(content: dict[str, Any]) -> str:
    """The request type, if all fields that it needs are there. Raises MessageError."""
    what = "content"
    kind = field(content, "request_type", str, what)
    if kind not in (*_METHOD_CALLS, "read_state"):
        raise MessageError(what, f"request_type is {kind[:40]!r}, not call, query or read_state")
    as_principal(field(content, "sender", bytes, what), "field 'sender'", what)
    u64_field(content, "ingress_expiry", what)
    if content.get("nonce") is not None and len(field(content, "nonce", bytes, what)) > MAX_NONCE:
        raise MessageError(what, f"the nonce has {len(content['nonce'])} bytes; at most {MAX_NONCE} are allowed")
    if kind in _METHOD_CALLS:
        as_principal(field(content, "canister_id", bytes, what), "field 'canister_id'", what)
        field(content, "method_name", str, what)
        field(content, "arg", bytes, what)
    else:
        paths = field(content, "paths", list, what)
        if not all(isinstance(path, list) and all(isinstance(label, bytes) for label in path) for path in paths):
            raise MessageError(what, "field 'paths' is not an array of arrays of byte strings")
    return kind


def _request_id(envelope: Envelope) -> Step:
    try:
        return Step("request_id", True, "the hash of the content", actual=envelope.request_id)
    except ValueMismatchError as error:
        return Step("request_id", False, f"the content has no request id: {error}")


def _sender(envelope: Envelope) -> Step:
    sender = envelope.sender
    if sender is None:
        return Step("sender", False, "the sender is missing or not a principal")
    if envelope.sender_pubkey is None:
        if sender.is_anonymous:
            return Step("sender", True, "anonymous: the request has no sender", str(sender), str(sender))
        return Step(
            "sender", False, "sender_pubkey is missing; only an anonymous request needs none", None, str(sender)
        )
    if sender.is_anonymous:
        return Step("sender", False, "the anonymous sender has no key, but the envelope has one", None, str(sender))
    derived = Principal.self_authenticating(envelope.sender_pubkey)
    owner = "the first key of the delegations" if envelope.sender_delegation else "the key"
    if derived != sender:
        return Step(
            "sender", False, f"{owner} has the principal {derived}, not the sender {sender}", str(derived), str(sender)
        )
    return Step("sender", True, f"the sender is the principal of {owner}", str(derived), str(sender))


def _signature(envelope: Envelope, identified: Step, root_key: bytes | None) -> Step:
    signature, public_key = envelope.sender_sig, envelope.sender_pubkey
    sender = envelope.sender
    if signature is None:
        if sender is not None and sender.is_anonymous:
            return Step("signature", True, "anonymous: nothing is signed")
        return Step("signature", False, "sender_sig is missing; only an anonymous request needs none")
    if sender is not None and sender.is_anonymous:
        return Step("signature", False, "an anonymous request must not be signed", None, signature)
    if envelope.sender_delegation:
        public_key = envelope.sender_delegation[-1].delegation.pubkey
    if public_key is None:
        return Step("signature", False, "sender_pubkey is missing: there is no key to check with", None, signature)
    if not identified.ok:
        return Step("signature", None, _UNCHECKED, None, signature)
    signed = envelope.signed_bytes
    verdict = verify_signature(public_key, signed, signature, root_key=root_key)
    return Step("signature", verdict.ok, verdict.detail, signed, signature)


def _expiry(envelope: Envelope, now_ns: int, max_drift_s: float) -> Step:
    expiry_ns = envelope.ingress_expiry_ns
    if expiry_ns is None:
        return Step("expiry", False, "ingress_expiry is missing or not an integer")
    latest_ns = now_ns + INGRESS_WINDOW_S * NS_PER_S + round(max_drift_s * NS_PER_S)
    expected, actual = f"from {time_text(now_ns)} to {time_text(latest_ns)}", time_text(expiry_ns)
    if expiry_ns < now_ns:
        late = duration_text(now_ns - expiry_ns)
        detail = f"expired {late} ago: sent too late, or the sender's clock is slow"
        return Step("expiry", False, detail, expected, actual)
    if expiry_ns > latest_ns:
        early = duration_text(expiry_ns - latest_ns)
        detail = f"{early} too far in the future: the sender's clock is fast"
        return Step("expiry", False, detail, expected, actual)
    return Step("expiry", True, f"expires in {duration_text(expiry_ns - now_ns)}", expected, actual)
