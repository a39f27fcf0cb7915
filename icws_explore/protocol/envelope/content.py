"""Making requests: the contents of calls, queries and state reads, their expiry and their signature.

Sources: interface specification, "Request types"; ic-websocket-js 0.5.0 agent/index.ts and
@dfinity/agent 2.4.1 transforms.ts (expiry).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..constants import NS_PER_MS, NS_PER_S
from ..fields import check, check_u64
from ..keys import Identity
from ..principal import Principal
from ..request_id import request_id
from .envelope import REQUEST_DOMAIN, Envelope

_EXPIRY_DELTA_MS: Final = 300_000  # DEFAULT_INGRESS_EXPIRY_DELTA_IN_MSECS
_EXPIRY_MARGIN_MS: Final = 60_000  # REPLICA_PERMITTED_DRIFT_MILLISECONDS
_MINUTE_NS: Final = 60 * NS_PER_S


def call_content(
    canister_id: Principal,
    method_name: str,
    arg: bytes,
    sender: Principal,
    ingress_expiry_ns: int,
    nonce: bytes | None = None,
) -> dict[str, Any]:
    """The content of an update call. Raises ValueMismatchError."""
    content = {
        "arg": check("arg", arg, bytes),
        "canister_id": canister_id.raw,
        "ingress_expiry": check_u64("ingress_expiry", ingress_expiry_ns),
        "method_name": check("method_name", method_name, str),
        "nonce": None if nonce is None else check("nonce", nonce, bytes),
        "request_type": "call",
        "sender": sender.raw,
    }
    return {name: value for name, value in content.items() if value is not None}


def query_content(
    canister_id: Principal,
    method_name: str,
    arg: bytes,
    sender: Principal,
    ingress_expiry_ns: int,
    nonce: bytes | None = None,
) -> dict[str, Any]:
    """The content of a query call. Raises ValueMismatchError."""
    return call_content(canister_id, method_name, arg, sender, ingress_expiry_ns, nonce) | {"request_type": "query"}


def read_state_content(paths: Sequence[Sequence[bytes]], sender: Principal, ingress_expiry_ns: int) -> dict[str, Any]:
    """The content of a read_state request for those paths. Raises ValueMismatchError."""
    return {
        "ingress_expiry": check_u64("ingress_expiry", ingress_expiry_ns),
        "paths": [[check("paths", label, bytes) for label in path] for path in paths],
        "request_type": "read_state",
        "sender": sender.raw,
    }


def sign_envelope(content: Mapping[str, Any], identity: Identity) -> Envelope:
    """The request, signed; unsigned for the anonymous identity. Raises IdentityError and ValueMismatchError."""
    fields = dict(content)
    if identity.principal.is_anonymous:
        return Envelope(fields)
    signature = identity.sign(REQUEST_DOMAIN + request_id(fields))
    return Envelope(fields, identity.public_key_der, signature, identity.delegations or None)


def ingress_expiry_ns(now_ns: int) -> int:
    """The expiry that @dfinity/agent 2.4.1 gives a request made now: 4 min on, floored to the minute."""
    latest_ms = now_ns // NS_PER_MS + _EXPIRY_DELTA_MS - _EXPIRY_MARGIN_MS
    return latest_ms * NS_PER_MS // _MINUTE_NS * _MINUTE_NS
