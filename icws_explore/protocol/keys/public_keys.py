"""Public keys of the Internet Computer, and the check of signatures under them.

Source: interface specification, "Signatures". `verify_signature` checks all five kinds:

* Ed25519;
* ECDSA on P-256 and on secp256k1, over SHA-256, as r ‖ s;
* Web Authentication (passkeys): a COSE key in DER (RFC 8152). The browser signs authenticator data ‖
  SHA-256(client data), and the client data names the request as its challenge (W3C WebAuthn, 6.3.3);
* canister signatures (Internet Identity): a canister and a seed in DER. The canister puts the hash of the
  message into its certified data, under sig/<hash of the seed>/<hash of the message>. The signature is
  a certificate of that data and a witness for the path, so no secret key is involved.

Only the canonical DER form of each kind is accepted, because a principal is a hash of it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from ..cbor import SELF_DESCRIBE, as_map, field, loads
from ..certificate import Certificate, check_certificate
from ..errors import DecodeError, MessageError, count_of
from ..hashtree import Found, HashTree, disorder, from_cbor, lookup, lookup_value
from ..principal import Principal
from ..steps import Step, Verdict, first_failure
from .pem import public_key_info

_ED25519: Final = bytes.fromhex("302a300506032b6570032100")
_SECP256K1: Final = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a034200")
_P256: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
_OID_COSE: Final = bytes.fromhex("2b0601040183b8430101")
_OID_CANISTER: Final = bytes.fromhex("2b0601040183b8430102")


class KeyKind(StrEnum):
    """The kind of a public key, in words."""

    ED25519 = "Ed25519"
    SECP256K1 = "secp256k1"
    P256 = "P-256"
    WEBAUTHN = "Web Authentication"
    CANISTER = "canister signature"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key. ``raw`` is what the DER wraps: a point, a COSE key, or a canister id and a seed."""

    kind: KeyKind
    raw: bytes


def parse_public_key(der: bytes) -> PublicKey:
    """Read a public key from DER. Raises DecodeError."""
    what = "public key"
    for kind, prefix, size in (
        (KeyKind.ED25519, _ED25519, 32),
        (KeyKind.SECP256K1, _SECP256K1, 65),
        (KeyKind.P256, _P256, 65),
    ):
        if der.startswith(prefix):
            raw = der[len(prefix) :]
            if len(raw) != size or (size == 65 and raw[0] != 4):
                reason = f"is not a {kind} key: {count_of(len(raw), 'byte')} after the header"
                raise DecodeError(what, reason, len(prefix))
            return PublicKey(kind, raw)
    algorithm, bits = public_key_info(der, what)
    if len(algorithm) == 1 and algorithm[0].body == _OID_COSE:
        return PublicKey(KeyKind.WEBAUTHN, bits)
    if len(algorithm) == 1 and algorithm[0].body == _OID_CANISTER:
        return PublicKey(KeyKind.CANISTER, bits)
    raise DecodeError(what, "has a kind or a form that the Internet Computer does not accept")


def verify_signature(
    public_key_der: bytes, message: bytes, signature: bytes, *, root_key: bytes | None = None
) -> Verdict:
    """Whether ``signature`` over ``message`` is valid under that key (DER). Never raises.

    A canister signature needs the network's ``root_key`` (DER); without it the verdict's ``ok`` is None.
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
        case KeyKind.CANISTER:  # pragma: no branch
            return verify_canister_signature(key.raw, message, signature, root_key)


def _ed25519(raw: bytes, message: bytes, signature: bytes) -> Verdict:
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except InvalidSignature:
        return Verdict(False, "the Ed25519 signature does not match key and message")
    return Verdict(True, "the Ed25519 signature is valid")


def _ecdsa(curve: ec.EllipticCurve, key: PublicKey, message: bytes, signature: bytes) -> Verdict:
    try:
        public_key = ec.EllipticCurvePublicKey.from_encoded_point(curve, key.raw)
    except ValueError:
        return Verdict(False, f"the {key.kind} public key is not a point of the curve")
    if len(signature) != 64:
        return Verdict(False, f"a {key.kind} signature has 64 bytes r ‖ s, not {len(signature)}")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        public_key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return Verdict(False, f"the {key.kind} signature does not match key and message")
    return Verdict(True, f"the {key.kind} signature is valid")


# -- Web Authentication ------------------------------------------------------------------------

# COSE labels (RFC 8152, section 7.1; RFC 8230 for RSA)
_KEY_TYPE: Final = 1
_ALGORITHM: Final = 3
_EC2_ES256: Final = (2, -7)  # elliptic curve, ECDSA with SHA-256
_RSA_RS256: Final = (3, -257)  # RSA, PKCS #1 v1.5 with SHA-256
_CURVE_P256: Final = 1
_MAX_COSE_SIZE: Final = 4096  # bytes
_MAX_RSA_BITS: Final = 8192

_Key = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


def verify_webauthn(cose_key: bytes, message: bytes, signature: bytes) -> Verdict:
    """Whether ``signature`` over ``message`` is valid under a COSE key. Never raises.

    The signature is CBOR of authenticator_data, client_data_json and signature.
    """
    try:
        key = _public_key(cose_key)
        what = "Web Authentication signature"
        fields = as_map(loads(signature, what=what), what)
        authenticator_data = field(fields, "authenticator_data", bytes, what)
        client_data_json = field(fields, "client_data_json", str, what).encode()
        inner = field(fields, "signature", bytes, what)
        challenge = _challenge(client_data_json)
    except DecodeError as error:
        return Verdict(False, str(error))
    if challenge != message:
        return Verdict(False, "the passkey signed another challenge than this request")
    signed = authenticator_data + sha256(client_data_json).digest()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(inner, signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(inner, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return Verdict(False, "the Web Authentication signature does not match key and message")
    return Verdict(True, "the Web Authentication signature is valid")


def _challenge(client_data_json: bytes) -> bytes:
    what = "client data of a passkey"
    try:
        fields = as_map(json.loads(client_data_json), what)
    except MessageError:
        raise
    except (ValueError, RecursionError) as error:
        raise MessageError(what, "is not JSON") from error
    if field(fields, "type", str, what) != "webauthn.get":
        raise MessageError(what, "does not have the type webauthn.get")
    text = field(fields, "challenge", str, what)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise MessageError(what, "has a challenge that is not base64url") from error


def _public_key(cose_key: bytes) -> _Key:
    fields = _cose_map(cose_key)
    kind = (fields.get(_KEY_TYPE), fields.get(_ALGORITHM))
    try:
        if kind == _EC2_ES256 and fields.get(-1) == _CURVE_P256:
            point = b"\x04" + _bytes(fields, -2, 32) + _bytes(fields, -3, 32)
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        if kind == _RSA_RS256:
            modulus = int.from_bytes(_bytes(fields, -1), "big")
            exponent = int.from_bytes(_bytes(fields, -2), "big")
            if modulus.bit_length() > _MAX_RSA_BITS or exponent.bit_length() > 32:
                raise MessageError("COSE key", "is larger than a passkey's key")
            return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except MessageError:
        raise
    except ValueError as error:
        raise MessageError("COSE key", "is not a valid public key") from error
    raise MessageError("COSE key", "is neither ES256 on P-256 nor RS256, the two that the Internet Computer accepts")


def _cose_map(data: bytes) -> dict[Any, Any]:
    # cbor.loads refuses the integer keys of COSE, which nothing else in the protocol uses.
    if len(data) > _MAX_COSE_SIZE:
        raise MessageError("COSE key", f"{len(data)} bytes are more than a passkey's key has")
    try:
        value = cbor2.loads(data, max_depth=4, allow_indefinite=False, allow_duplicate_keys=False)
    except (cbor2.CBORError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise MessageError("COSE key", "is not CBOR") from error
    if not isinstance(value, dict):
        raise MessageError("COSE key", "is not a map")
    return value


def _bytes(fields: dict[Any, Any], label: int, size: int | None = None) -> bytes:
    value = fields.get(label)
    if not isinstance(value, bytes) or (size is not None and len(value) != size):
        raise MessageError("COSE key", f"has no valid field {label}")
    return value


# -- Canister signatures -----------------------------------------------------------------------

_WHAT: Final = "canister signature"


def signing_canister(raw_key: bytes) -> tuple[Principal, bytes]:
    """The signing canister and the seed in the bits of a key. Raises DecodeError."""
    size = raw_key[0] if raw_key else 0
    if not raw_key or len(raw_key) < 1 + size:
        raise DecodeError("canister signature key", "ends inside the canister's principal")
    return Principal(raw_key[1 : 1 + size]), raw_key[1 + size :]


def verify_canister_signature(raw_key: bytes, message: bytes, signature: bytes, root_key: bytes | None) -> Verdict:
    """Whether the canister of that key certified ``message``. Never raises.

    Source: interface specification, "Canister signatures": the signature is CBOR with the self-describe
    tag, its tree is well-formed, and the leaf at the path is empty. Without ``root_key`` (DER) everything
    but the certificate's own signature is checked; if all of that is valid, the verdict's ``ok`` is None.
    The certificate's age is not checked, because a canister signature is valid until the delegation in
    it expires.
    """
    try:
        canister, seed = signing_canister(raw_key)
        if not signature.startswith(SELF_DESCRIBE):
            raise MessageError(_WHAT, "does not begin with the self-describe tag, as the specification requires")
        fields = as_map(loads(signature, what=_WHAT), _WHAT)
        certificate = field(fields, "certificate", bytes, _WHAT)
        tree = from_cbor(fields.get("tree"), what=f"{_WHAT} tree")
        fault = _fault(canister, seed, message, tree, Certificate.decode(certificate))
    except DecodeError as error:
        return Verdict(False, str(error))
    if fault is not None:
        return Verdict(False, fault)
    if root_key is None:
        return Verdict(None, f"signed by canister {canister}; the network's root key is needed to check the signature")
    failed = first_failure(_timeless(certificate, canister, root_key))
    if failed is not None:
        return Verdict(False, f"the certificate of the signature is not valid: {failed.step}: {failed.detail}")
    return Verdict(True, f"the signature of canister {canister} is valid")


def _fault(canister: Principal, seed: bytes, message: bytes, tree: HashTree, certificate: Certificate) -> str | None:
    if disorder(tree) is not None:
        return "the labels of the signature's witness are not in ascending order"
    if disorder(certificate.tree) is not None:
        return "the labels of the certificate's tree are not in ascending order"
    found = lookup(tree, (b"sig", sha256(seed).digest(), sha256(message).digest()))
    if not isinstance(found, Found):
        return f"canister {canister} signed another message: the witness does not contain this one"
    if found.value:
        return f"the leaf of the message holds {count_of(len(found.value), 'byte')}; it must be empty"
    certified = lookup_value(certificate.tree, (b"canister", canister.raw, b"certified_data"))
    if certified is None:
        return f"the certificate shows no certified data of canister {canister}"
    if certified != tree.digest:
        return f"the certified data of canister {canister} is not the root hash of the witness"
    return None


def _timeless(certificate: bytes, canister: Principal, root_key: bytes) -> list[Step]:
    """The steps of the certificate, without its time."""
    _decoded, steps = check_certificate(certificate, canister_id=canister, root_key=root_key, now_ns=0)
    return [step for step in steps if step.step != "time"]
