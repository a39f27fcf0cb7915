"""Web Authentication signatures: what a passkey signs when it stands for an Internet Computer key.

Source: interface specification, "Web Authentication"; W3C WebAuthn, section 6.3.3 (what is signed)
and RFC 8152 (COSE keys). The browser signs authenticator data ‖ SHA-256(client data), and the
client data names the request as its challenge.
"""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import Any, Final

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from ..cbor import loads
from ..errors import DecodeError, MessageError
from ..fields import as_map, field
from ..verdict import Verdict

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
    """Whether the signature (CBOR of authenticator_data, client_data_json, signature) is one over ``message``."""
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
        return Verdict(False, "the Web Authentication signature does not fit key and message")
    return Verdict(True, "the Web Authentication signature holds")


def _challenge(client_data_json: bytes) -> bytes:
    what = "client data of a passkey"
    try:
        fields = as_map(json.loads(client_data_json), what)
    except (ValueError, RecursionError) as error:
        raise MessageError(what, "is no JSON") from error
    if field(fields, "type", str, what) != "webauthn.get":
        raise MessageError(what, "is not of the type webauthn.get")
    text = field(fields, "challenge", str, what)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise MessageError(what, "has a challenge that is not base64url") from error


def _public_key(cose_key: bytes) -> _Key:
    fields = _cose_map(cose_key)
    try:
        kind = (fields.get(_KEY_TYPE), fields.get(_ALGORITHM))
        if kind == _EC2_ES256 and fields.get(-1) == _CURVE_P256:
            point = b"\x04" + _bytes(fields, -2, 32) + _bytes(fields, -3, 32)
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        if kind == _RSA_RS256:
            modulus = int.from_bytes(_bytes(fields, -1), "big")
            exponent = int.from_bytes(_bytes(fields, -2), "big")
            if modulus.bit_length() > _MAX_RSA_BITS or exponent.bit_length() > 32:
                raise MessageError("COSE key", "is larger than any passkey's")
            return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError as error:
        raise MessageError("COSE key", "holds no valid public key") from error
    raise MessageError("COSE key", "is neither ES256 on P-256 nor RS256, the two that the Internet Computer takes")


def _cose_map(data: bytes) -> dict[Any, Any]:
    # cbor.loads refuses the integer labels of COSE, as nothing else in the protocol has any.
    if len(data) > _MAX_COSE_SIZE:
        raise MessageError("COSE key", f"{len(data)} bytes are more than any passkey's key has")
    try:
        value = cbor2.loads(data, max_depth=4, allow_indefinite=False, allow_duplicate_keys=False)
    except (cbor2.CBORError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise MessageError("COSE key", "is not CBOR") from error
    if not isinstance(value, dict):
        raise MessageError("COSE key", "is no map")
    return value


def _bytes(fields: dict[Any, Any], label: int, size: int | None = None) -> bytes:
    value = fields.get(label)
    if not isinstance(value, bytes) or (size is not None and len(value) != size):
        raise MessageError("COSE key", f"has no proper field {label}")
    return value
