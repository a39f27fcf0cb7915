"""What a network answers to a call and to a query, and whether that answer is authentic.

The outcome of an update call is in the certified state, at ``request_status/<request id>``. The certificate that shows
it is checked by `check_certificate`. The answer to a query has no certificate: the node that executed it signs the
answer, its time and the id of the request. The keys of a subnet's nodes are in the certified state, too.

Sources: interface specification, "Request status", "Response verification" and "The system state tree".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .. import hashtree, leb128
from ..constants import MAX_CERTIFICATE_AGE_S, NS_PER_S
from ..errors import DecodeError, MessageError, ValueMismatchError
from ..hashtree import Absent, Found, FoundSubtree, HashTree, Labeled
from ..keys.public_keys import verify_signature
from ..principal import Principal
from ..request_id import request_id
from ..steps import Step
from ..wording import duration_text, hash_text
from .format import Certificate

RESPONSE_DOMAIN: Final = b"\x0bic-response"
QUERY_STEPS: Final = ("node", "signature", "time")
MAX_FUTURE_S: Final = MAX_CERTIFICATE_AGE_S  # as for certificates
MAX_SIGNATURES: Final = 64  # of one answer; a replica sends one
_STATUS: Final = b"request_status"
_WHAT: Final = "the status of a call"


@dataclass(frozen=True, slots=True)
class CallStatus:
    """What the certified state says about a call.

    ``status`` is "unknown" (the state does not know the call), "received", "processing", "replied", "rejected" or
    "done" (executed, and the outcome is no longer kept). ``reply`` is Candid. The others are the fields of a reject.
    """

    status: str
    reply: bytes = b""
    reject_code: int = 0
    reject_message: str = ""
    error_code: str = ""


def call_status(tree: HashTree, of_request: bytes) -> CallStatus:
    """Read the status of the call with this request id (32 bytes) from a tree that has been verified.

    Raises MessageError if the tree does not show it, or shows it incompletely.
    """
    found = hashtree.lookup(tree, (_STATUS, of_request, b"status"))
    if isinstance(found, Absent):
        return CallStatus("unknown")
    if not isinstance(found, Found):
        raise MessageError(_WHAT, "the certificate does not show it")
    status = found.value.decode("utf-8", "replace")
    if status == "replied":
        return CallStatus(status, reply=_leaf(tree, of_request, b"reply"))
    if status != "rejected":
        return CallStatus(status)
    code = hashtree.lookup_value(tree, (_STATUS, of_request, b"error_code")) or b""
    return CallStatus(
        status,
        reject_code=_number(_leaf(tree, of_request, b"reject_code")),
        reject_message=_leaf(tree, of_request, b"reject_message").decode("utf-8", "replace"),
        error_code=code.decode("utf-8", "replace"),
    )


def _leaf(tree: HashTree, of_request: bytes, name: bytes) -> bytes:
    value = hashtree.lookup_value(tree, (_STATUS, of_request, name))
    if value is None:
        raise MessageError(_WHAT, f"the certificate does not show its {name.decode()}")
    return value


def _number(data: bytes) -> int:
    try:
        return leb128.decode_unsigned(data, what="reject_code")
    except DecodeError as error:
        raise MessageError(_WHAT, f"its {error}") from error


def node_keys(certificate: Certificate, root_key: bytes) -> dict[bytes, bytes]:
    """The public keys (DER) of the nodes of the subnet that issued a verified certificate.

    The keys of the dictionary are the nodes' principals as bytes. Without a delegation that is the root subnet, whose
    id is derived from ``root_key`` (DER). The dictionary is empty if the certificate does not show the nodes.
    """
    delegation = certificate.delegation
    subnet = Principal.self_authenticating(root_key) if delegation is None else delegation.subnet_id
    found = hashtree.lookup(certificate.tree, (b"subnet", subnet.raw, b"node"))
    if not isinstance(found, FoundSubtree):
        return {}
    keys = {}
    for node in hashtree.forest_of(found.tree).items:
        if isinstance(node, Labeled) and (key := hashtree.lookup_value(node.tree, (b"public_key",))) is not None:
            keys[node.label] = key
    return keys


def check_query_answer(
    answer: Mapping[str, Any],
    of_request: bytes,
    keys: Mapping[bytes, bytes],
    *,
    now_ns: int,
    max_age_s: float = MAX_CERTIFICATE_AGE_S,
) -> list[Step]:
    """Check the signatures of the answer to a query: the steps node, signature and time.

    ``answer`` is decoded CBOR, ``of_request`` the id of the query, ``keys`` come from `node_keys`. At least one
    signature is needed, and every one must be valid. After the first step that fails, the others have ok None.
    Never raises for the contents of an answer.
    """
    signatures = answer.get("signatures")
    if not isinstance(signatures, list) or not signatures:
        return _failed("node", "the answer has no signature: the replica is older than 2023, or somebody removed it")
    if len(signatures) > MAX_SIGNATURES:
        return _failed("node", f"the answer has {len(signatures)} signatures, more than the {MAX_SIGNATURES} allowed")
    steps: list[Step] = []
    for signature in signatures:
        steps = _check_one(answer, signature, of_request, keys, now_ns, max_age_s)
        if not all(step.ok for step in steps):
            break
    return steps


def _check_one(
    answer: Mapping[str, Any],
    signature: object,
    of_request: bytes,
    keys: Mapping[bytes, bytes],
    now_ns: int,
    max_age_s: float,
) -> list[Step]:
    match signature:
        case {"identity": bytes(raw), "signature": bytes(signed), "timestamp": int(at_ns)}:
            pass
        case _:
            return _failed("node", "a signature lacks its identity, its bytes or its timestamp")
    key = keys.get(raw)
    if key is None:
        return _failed("node", "a node signed that does not belong to the canister's subnet", actual=raw)
    steps = [Step("node", True, f"node {hash_text(raw)} belongs to the canister's subnet")]
    try:
        said = {name: value for name, value in answer.items() if name != "signatures"}
        hashed = request_id({**said, "timestamp": at_ns, "request_id": of_request})
    except ValueMismatchError as error:
        return [*steps, *_failed("signature", f"the answer cannot be hashed: {error}")]
    verdict = verify_signature(key, RESPONSE_DOMAIN + hashed, signed)
    if not verdict.ok:
        return [*steps, *_failed("signature", f"the answer is not what the node signed: {verdict.detail}")]
    steps.append(Step("signature", True, "the node signed this answer to this request", hashed, hashed))
    return [*steps, _time_step(now_ns - at_ns, max_age_s)]


def _time_step(age_ns: int, max_age_s: float) -> Step:
    allowed = f"at most {max_age_s:g} s old"
    if age_ns > max_age_s * NS_PER_S:
        return Step("time", False, f"the answer is {duration_text(age_ns)} old", allowed, duration_text(age_ns))
    if age_ns < -MAX_FUTURE_S * NS_PER_S:
        ahead = duration_text(-age_ns)
        return Step("time", False, f"the answer is dated {ahead} in the future: check this machine's clock", allowed)
    return Step("time", True, "the answer is recent", allowed, duration_text(abs(age_ns)))


def _failed(step: str, detail: str, actual: bytes | None = None) -> list[Step]:
    later = QUERY_STEPS[QUERY_STEPS.index(step) + 1 :]
    rest = [Step(name, None, f"not checked, because the step {step} failed") for name in later]
    return [Step(step, False, detail, None, actual), *rest]
