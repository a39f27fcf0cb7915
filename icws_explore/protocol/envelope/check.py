"""Checking an envelope as a replica does, step by step, with both sides of every comparison.

Sources: interface specification, "Authentication"; the replica's ingress_validation.rs (the expiry
window, the limits on delegations and nonce, what an anonymous request may not hold).
"""

from __future__ import annotations

from typing import Any, Final

from ..constants import INGRESS_DRIFT_S, INGRESS_WINDOW_S, NS_PER_S
from ..errors import MessageError, ValueMismatchError
from ..fields import as_principal, field, u64_field
from ..keys.public_keys import verify_signature
from ..principal import Principal
from ..steps import Step
from .durations import duration_text
from .envelope import Envelope
from .links import check_links

MAX_NONCE: Final = 32  # bytes; ingress_validation.rs, MAXIMUM_NUMBER_OF_BYTES_IN_NONCE

_METHOD_CALLS = ("call", "query")
_UNJUDGED = "not judged: the request has no id to sign"


def check_envelope(
    envelope: Envelope,
    *,
    now_ns: int,
    canister_id: Principal | None = None,
    root_key: bytes | None = None,
    max_drift_s: float = INGRESS_DRIFT_S,
) -> list[Step]:
    """The steps parse, request_id, sender, delegation (one for each link), signature, expiry.

    ``now_ns`` is the replica's time. ``canister_id`` is where the request was sent to (None: not
    compared with the one it names), ``root_key`` (DER) the network's, without which canister
    signatures cannot be judged. Never raises for a decoded envelope.
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


def _parse(envelope: Envelope, canister_id: Principal | None) -> Step:
    content = envelope.content
    try:
        kind = _required(content)
    except MessageError as error:
        return Step("parse", False, error.reason)
    if envelope.unknown_fields:
        names = ", ".join(repr(name) for name in envelope.unknown_fields[:5])
        return Step("parse", False, f"{names} unknown: the gateway drops it, and then the signature fails")
    if canister_id is not None and envelope.canister_id not in (None, canister_id, Principal.MANAGEMENT):
        detail = f"names the canister {envelope.canister_id}, but was sent to {canister_id}"
        return Step("parse", False, detail, str(canister_id), str(envelope.canister_id))
    return Step("parse", True, f"a well-formed {kind} request")


def _required(content: dict[str, Any]) -> str:
    """The request type, if the fields that it needs are there. Raises MessageError."""
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
            raise MessageError(what, "field 'paths' is no array of arrays of byte strings")
    return kind


def _request_id(envelope: Envelope) -> Step:
    try:
        return Step("request_id", True, "the hash of the content", actual=envelope.request_id)
    except ValueMismatchError as error:
        return Step("request_id", False, f"the content has no request id: {error}")


def _sender(envelope: Envelope) -> Step:
    sender = envelope.sender
    if sender is None:
        return Step("sender", False, "the sender is missing or no principal")
    if envelope.sender_pubkey is None:
        if sender.is_anonymous:
            return Step("sender", True, "anonymous: the request is nobody's", str(sender), str(sender))
        return Step(
            "sender", False, "sender_pubkey is missing, and only the anonymous sender needs none", None, str(sender)
        )
    if sender.is_anonymous:
        return Step("sender", False, "the anonymous sender has no key, but the envelope carries one", None, str(sender))
    derived = Principal.self_authenticating(envelope.sender_pubkey)
    owner = "the root key of the delegations" if envelope.sender_delegation else "the key"
    if derived != sender:
        return Step("sender", False, f"{owner} makes {derived}, not the sender {sender}", str(derived), str(sender))
    return Step("sender", True, f"the sender is self-authenticating over {owner}", str(derived), str(sender))


def _signature(envelope: Envelope, identified: Step, root_key: bytes | None) -> Step:
    signature, public_key = envelope.sender_sig, envelope.sender_pubkey
    sender = envelope.sender
    if signature is None:
        if sender is not None and sender.is_anonymous:
            return Step("signature", True, "anonymous: nothing is signed")
        return Step("signature", False, "sender_sig is missing: only the anonymous sender needs none")
    if sender is not None and sender.is_anonymous:
        return Step("signature", False, "the anonymous sender may not sign", None, signature)
    if envelope.sender_delegation:
        public_key = envelope.sender_delegation[-1].delegation.pubkey
    if public_key is None:
        return Step("signature", False, "sender_pubkey is missing: there is no key to check with", None, signature)
    if not identified.ok:
        return Step("signature", None, _UNJUDGED, None, signature)
    verdict = verify_signature(public_key, envelope.signed_bytes, signature, root_key=root_key)
    return Step("signature", verdict.ok, verdict.detail, envelope.signed_bytes, signature)


def _expiry(envelope: Envelope, now_ns: int, max_drift_s: float) -> Step:
    expiry_ns = envelope.ingress_expiry_ns
    if expiry_ns is None:
        return Step("expiry", False, "ingress_expiry is missing or no integer")
    latest_ns = now_ns + INGRESS_WINDOW_S * NS_PER_S + round(max_drift_s * NS_PER_S)
    expected, actual = f"{now_ns} … {latest_ns} ns", f"{expiry_ns} ns"
    if expiry_ns < now_ns:
        late = duration_text(now_ns - expiry_ns)
        detail = f"expired {late} ago: sent too late, or the sender's clock is slow"
        return Step("expiry", False, detail, expected, actual)
    if expiry_ns > latest_ns:
        early = duration_text(expiry_ns - latest_ns)
        detail = f"{early} too far in the future: the sender's clock is fast"
        return Step("expiry", False, detail, expected, actual)
    return Step("expiry", True, f"expires in {duration_text(expiry_ns - now_ns)}", expected, actual)
