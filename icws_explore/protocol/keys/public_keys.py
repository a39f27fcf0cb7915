"""Public keys as the Internet Computer writes them, and the signatures that they verify.

Source: interface specification, "Signatures": Ed25519; ECDSA on P-256 and secp256k1 over SHA-256,
as r ‖ s; Web Authentication (a COSE key in DER); canister signatures (a canister and a seed in DER).
Only the one canonical DER form of each is taken, because the principal is a hash of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ..errors import DecodeError
from ..verdict import Verdict
from .canister_signatures import verify_canister_signature
from .der import public_key_info
from .webauthn import verify_webauthn

_ED25519: Final = bytes.fromhex("302a300506032b6570032100")
_SECP256K1: Final = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a034200")
_P256: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
_OID_COSE: Final = bytes.fromhex("2b0601040183b8430101")
_OID_CANISTER: Final = bytes.fromhex("2b0601040183b8430102")


class KeyKind(StrEnum):
    """What a public key is, as a person would call it."""

    ED25519 = "Ed25519"
    SECP256K1 = "secp256k1"
    P256 = "P-256"
    WEBAUTHN = "Web Authentication"
    CANISTER = "canister signature"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key; ``raw`` is what the DER wraps: a point, a COSE key, or a canister id and a seed."""

    kind: KeyKind
    raw: bytes


def parse_public_key(der: bytes) -> PublicKey:
    """The key that those DER bytes are. Raises DecodeError."""
    what = "public key"
    for kind, prefix, size in (
        (KeyKind.ED25519, _ED25519, 32),
        (KeyKind.SECP256K1, _SECP256K1, 65),
        (KeyKind.P256, _P256, 65),
    ):
        if der.startswith(prefix):
            raw = der[len(prefix) :]
            if len(raw) != size or (size == 65 and raw[0] != 4):
                raise DecodeError(what, f"is no {kind} key: {len(raw)} bytes behind the header", len(prefix))
            return PublicKey(kind, raw)
    algorithm, bits = public_key_info(der, what)
    if len(algorithm) == 1 and algorithm[0].body == _OID_COSE:
        return PublicKey(KeyKind.WEBAUTHN, bits)
    if len(algorithm) == 1 and algorithm[0].body == _OID_CANISTER:
        return PublicKey(KeyKind.CANISTER, bits)
    raise DecodeError(what, "is of a kind, or in a form, that the Internet Computer does not take")


def verify_signature(
    public_key_der: bytes, message: bytes, signature: bytes, *, root_key: bytes | None = None
) -> Verdict:
    """Whether ``signature`` over ``message`` holds under that key (DER); never raises.

    A canister signature can only be judged with the network's ``root_key`` (DER); without it the
    verdict's ``ok`` is None.
    """
    try:
        key = parse_public_key(public_key_der)
    except DecodeError as error:
        return Verdict(False, str(error))
    match key.kind:
        case KeyKind.ED25519:
            return _ed25519(key.raw, message, signature)
        case KeyKind.SECP256K1:
            return _ecdsa(ec.SECP256K1(), key, message, signature)
        case KeyKind.P256:
            return _ecdsa(ec.SECP256R1(), key, message, signature)
        case KeyKind.WEBAUTHN:
            return verify_webauthn(key.raw, message, signature)
        case KeyKind.CANISTER:
            return verify_canister_signature(key.raw, message, signature, root_key)


def _ed25519(raw: bytes, message: bytes, signature: bytes) -> Verdict:
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except InvalidSignature:
        return Verdict(False, "the Ed25519 signature does not fit key and message")
    return Verdict(True, "the Ed25519 signature holds")


def _ecdsa(curve: ec.EllipticCurve, key: PublicKey, message: bytes, signature: bytes) -> Verdict:
    try:
        public_key = ec.EllipticCurvePublicKey.from_encoded_point(curve, key.raw)
    except ValueError:
        return Verdict(False, f"the {key.kind} public key is no point of the curve")
    if len(signature) != 64:
        return Verdict(False, f"a {key.kind} signature is 64 bytes r ‖ s, not {len(signature)}")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        public_key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return Verdict(False, f"the {key.kind} signature does not fit key and message")
    return Verdict(True, f"the {key.kind} signature holds")
