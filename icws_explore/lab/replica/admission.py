"""The checks that a request must pass before the replica accepts it, in the replica's order and with its texts.

`admit` parses the body of an HTTP request and checks it. A failed check raises `Refused`, which the HTTP side answers
with a status code and a text. A call can also pass every check and still be rejected, because its canister cannot
take it: then the answer is a reject (`NotReplicated`) that no certificate covers.

Sources: replica, rs/http_endpoints/public (parsing, size, canister in the URL; status codes and texts),
rs/validator/ingress_validation.rs (nonce, expiry, sender, delegations, signature, targets), rs/types/error_types (error
codes); interface specification, "Reject codes".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from icws_explore.protocol.canister import CANISTER_ERROR, SYSTEM_TRANSIENT, Reject
from icws_explore.protocol.constants import INGRESS_DRIFT_S, INGRESS_WINDOW_S, MAX_INGRESS_BYTES, NS_PER_S
from icws_explore.protocol.envelope import Envelope, check_envelope
from icws_explore.protocol.errors import DecodeError, ValueMismatchError
from icws_explore.protocol.keys.delegation import allowed_targets
from icws_explore.protocol.principal import Principal
from icws_explore.protocol.steps import Step

MAX_NONCE: Final = 32  # bytes
_WINDOW_NS: Final = (INGRESS_WINDOW_S + INGRESS_DRIFT_S) * NS_PER_S
_PROOFS: Final = ("request_id", "delegation", "signature")  # the steps of check_envelope that count here
_FIELDS: Final[Mapping[str, Mapping[str, type]]] = {
    "call": {"canister_id": bytes, "method_name": str, "arg": bytes},
    "query": {"canister_id": bytes, "method_name": str, "arg": bytes},
    "read_state": {"paths": list},
}


class Refused(Exception):  # noqa: N818 -- it never leaves the lab: the HTTP side turns it into an answer
    """The request failed a check. ``status`` is the HTTP status of the answer, ``text`` is its body."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(f"{status} {text}")


class NotReplicated(Exception):  # noqa: N818 -- as above
    """The ingress filter rejected a valid call: a "non-replicated rejection", which no certificate covers."""

    def __init__(self, reject: Reject) -> None:
        self.reject = reject
        super().__init__(reject.text)


def canister_stopped(canister_id: Principal) -> Reject:
    """Return the reject for a canister that is stopped."""
    return Reject(CANISTER_ERROR, f"Canister {canister_id} is stopped", "IC0508")


def canister_frozen(canister_id: Principal) -> Reject:
    """Return the reject for a canister that has no cycles left."""
    return Reject(SYSTEM_TRANSIENT, f"Canister {canister_id} is out of cycles", "IC0207")


def no_management_method(method: str) -> Reject:
    """Return the reject for a call to the management canister, which the lab does not have."""
    return Reject(CANISTER_ERROR, f"Management canister has no method '{method}'", "IC0536")


def format_time(time_ns: int) -> str:
    """Format a time (ns since the epoch) as the replica does: UTC, with 0, 3, 6 or 9 decimals as needed."""
    seconds, fraction = divmod(time_ns, NS_PER_S)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")  # the largest u64 is in the year 2554
    digits = f"{fraction:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits} UTC" if digits else f"{text} UTC"


class EnvelopeCheck(Protocol):
    """The signature of `protocol.envelope.check_envelope`. The simulator can pass a cheaper function."""

    def __call__(self, envelope: Envelope, *, now_ns: int, root_key: bytes) -> list[Step]: ...


@dataclass(frozen=True, slots=True)
class Request:
    """A request that passed every check.

    ``targets`` are the canisters that the sender's delegations are limited to; None: they have no limit.
    """

    request_id: bytes
    sender: Principal
    ingress_expiry_ns: int
    targets: frozenset[Principal] | None
    content: Mapping[str, Any]

    @property
    def canister_id(self) -> Principal:
        return Principal(self.content["canister_id"])

    @property
    def method(self) -> str:
        return str(self.content["method_name"])

    @property
    def arg(self) -> bytes:
        return bytes(self.content["arg"])

    @property
    def paths(self) -> list[Sequence[bytes]]:
        return list(self.content["paths"])


def admit(
    body: bytes,
    kind: str,
    effective_id: Principal,
    now_ns: int,
    *,
    root_key: bytes,
    authenticate: bool = True,
    check_envelope: EnvelopeCheck = check_envelope,
) -> Request:
    """Parse the body of an HTTP request and check it.

    ``kind`` is "call", "query" or "read_state". ``effective_id`` is the principal in the URL. ``now_ns`` is the
    replica's time in nanoseconds since the epoch. Canister signatures are verified under ``root_key`` (DER).
    With ``authenticate`` False, nonce, expiry, sender and signatures are not checked: the subnet's older read_state
    endpoint serves only public paths and does not check them. ``check_envelope`` verifies the signatures.

    Raises Refused with the status and the text that a real replica answers.
    """
    envelope, request_id = _parse(body, kind)
    content = envelope.content
    targets = allowed_targets(envelope.sender_delegation or ())
    request = Request(request_id, Principal(content["sender"]), content["ingress_expiry"], targets, content)
    if kind != "read_state":
        _check_destination(request, effective_id)
    if kind == "call" and len(body) > MAX_INGRESS_BYTES:
        raise Refused(
            413,
            f"Request 0x{request.request_id.hex()} is too large. Message byte size {len(body)} is larger than "
            f"the max allowed {MAX_INGRESS_BYTES}.",
        )
    if authenticate:
        _check_nonce(content)
        check_expiry(request.ingress_expiry_ns, now_ns)
        _check_sender(envelope, request, now_ns)
        if kind != "read_state" and targets is not None and request.canister_id not in targets:
            raise Refused(400, f"Canister '{request.canister_id}' is not one of the delegation targets.")
        _check_proofs(check_envelope(envelope, now_ns=now_ns, root_key=root_key))
    return request


def _parse(body: bytes, kind: str) -> tuple[Envelope, bytes]:
    """Return the envelope and its request id. Raises Refused."""
    try:
        envelope = Envelope.decode(body).relayed()  # the replica's serde drops unknown fields, too
        _check_shape(envelope.content, kind)
        Principal.of(envelope.content["sender"])
        if kind != "read_state":
            Principal.of(envelope.content["canister_id"])
        return envelope, envelope.request_id
    except (DecodeError, ValueMismatchError) as error:
        raise Refused(400, f"Malformed request: {error}") from error


def _check_shape(content: Mapping[str, Any], kind: str) -> None:
    if content.get("request_type") != kind:
        raise Refused(400, f"Malformed request: request_type is not {kind!r}")
    for name, expected in {**_FIELDS[kind], "sender": bytes, "ingress_expiry": int}.items():
        if type(content.get(name)) is not expected:
            raise Refused(400, f"Malformed request: field {name!r} is missing or of another type")
    if not 0 <= content["ingress_expiry"] < 2**64:
        raise Refused(400, "Malformed request: field 'ingress_expiry' is not a 64-bit unsigned integer")
    if "nonce" in content and content["nonce"] is not None and type(content["nonce"]) is not bytes:
        raise Refused(400, "Malformed request: field 'nonce' is of another type")
    paths = content.get("paths")
    if paths is not None and not isinstance(paths, list):
        raise Refused(400, "Malformed request: field 'paths' is of another type")
    for path in paths or []:
        if not isinstance(path, list) or not path or any(type(label) is not bytes for label in path):
            raise Refused(400, "Malformed request: a path is not an array of byte strings")


def _check_destination(request: Request, effective_id: Principal) -> None:
    if request.canister_id not in (effective_id, Principal.MANAGEMENT):
        raise Refused(
            400,
            f"Specified CanisterId {request.canister_id} does not match effective canister id in URL {effective_id}",
        )


def _check_nonce(content: Mapping[str, Any]) -> None:
    nonce = content.get("nonce") or b""
    if len(nonce) > MAX_NONCE:
        raise Refused(400, f"Nonce in request is too big: got {len(nonce)} bytes, but at most {MAX_NONCE} are allowed.")


def check_expiry(expiry_ns: int, now_ns: int) -> None:
    """Check a request's ingress_expiry against the replica's clock (both ns since the epoch). Raises Refused."""
    if not now_ns <= expiry_ns <= now_ns + _WINDOW_NS:
        raise Refused(
            400,
            "Invalid request expiry: Specified ingress_expiry not within expected range: "
            f"Minimum allowed expiry: {format_time(now_ns)}, "
            f"Maximum allowed expiry: {format_time(now_ns + _WINDOW_NS)}, "
            f"Provided expiry:        {format_time(expiry_ns)}",
        )


def _check_sender(envelope: Envelope, request: Request, now_ns: int) -> None:
    signed = envelope.sender_pubkey is not None or envelope.sender_sig is not None
    if request.sender.is_anonymous:
        if signed:
            raise Refused(400, "Signature is not allowed for the anonymous user.")
        return
    if envelope.sender_pubkey is None or envelope.sender_sig is None:
        raise Refused(400, f"Missing signature from user: {request.sender}")
    if Principal.self_authenticating(envelope.sender_pubkey) != request.sender:
        raise Refused(
            400,
            f"The user id '{request.sender}' does not match the public key '{envelope.sender_pubkey.hex()}'",
        )
    for link in envelope.sender_delegation or ():
        if link.delegation.expiration_ns < now_ns:
            raise Refused(
                400,
                "Invalid delegation expiry: Specified sender delegation has expired:\n"
                f"Provided expiry:    {format_time(link.delegation.expiration_ns)}\n"
                f"Local replica time: {format_time(now_ns)}",
            )


def _check_proofs(steps: Iterable[Step]) -> None:
    for step in steps:
        if step.step in _PROOFS and not step.ok:
            raise Refused(400, _failure_text(step))


def _failure_text(failure: Step) -> str:
    if failure.step == "delegation":
        return f"Invalid delegation: {failure.detail}"
    return f"Invalid signature: Invalid basic signature: {failure.detail}"
