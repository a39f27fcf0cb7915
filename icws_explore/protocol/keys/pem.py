"""Secret keys out of PEM texts, in every form that dfx, openssl and ic-py have written them.

Sources: RFC 7468 (PEM), RFC 5958 (PKCS#8; version 2 carries the public key too, as dfx's Ed25519
files do), RFC 5915 (SEC 1; dfx's secp256k1 files leave the curve out, or name it in a block of its
own in front), RFC 8410 (Ed25519).

Errors are raised outside of ``except`` blocks, so that no exception holds on to a piece of a key.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from ..errors import DecodeError, IdentityError
from .der import BIT_STRING, CONTEXT_0, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, Element, elements, only

ED25519: Final = "Ed25519"
SECP256K1: Final = "secp256k1"

MAX_PEM_LENGTH: Final = 64 * 1024  # characters

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_OID_ED25519 = bytes.fromhex("2b6570")
_OID_EC = bytes.fromhex("2a8648ce3d0201")
_OID_SECP256K1 = bytes.fromhex("2b8104000a")
_OTHER_OIDS = {
    bytes.fromhex("2a8648ce3d030107"): "a P-256 key",
    bytes.fromhex("2b81040022"): "a P-384 key",
    bytes.fromhex("2a864886f70d010101"): "an RSA key",
    bytes.fromhex("2b656e"): "an X25519 key",
    bytes.fromhex("2b6571"): "an Ed448 key",
}
_PUBLIC_KEY_TAGS = (0x81, 0xA1)  # PKCS#8 v2: implicit as RFC 5958 says, or explicit as ring writes; SEC 1: explicit
_USABLE = (
    "identities are Ed25519 or secp256k1 keys; `dfx identity new NAME` makes one, `dfx identity export NAME` prints it"
)


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A secret key of 32 bytes; ``public`` is the raw public key, where the file holds it too."""

    algorithm: str
    secret: bytes = field(repr=False)
    public: bytes | None = None


def read_pem(pem: str | bytes) -> SecretKey:
    """The one secret key of a PEM text. Raises IdentityError, which says what to do."""
    text = pem.decode("latin-1") if isinstance(pem, bytes) else pem
    blocks = _blocks(text)
    secrets = [block for block in blocks if block[0] in ("PRIVATE KEY", "EC PRIVATE KEY")]
    if len(secrets) != 1:
        raise IdentityError(_why_not_one(text, [label for label, _body in blocks], len(secrets)))
    key: SecretKey | None = None
    fault = ""
    try:
        label, body = secrets[0]
        if label == "PRIVATE KEY":
            key = _pkcs8(body)
        else:
            curve = next((_oid(body) for name, body in blocks if name == "EC PARAMETERS"), _OID_SECP256K1)
            key = _sec1(body, curve)
    except DecodeError as error:
        fault = error.reason
    if key is None:
        raise IdentityError(f"the PEM's key is damaged: it {fault}; export it again")
    return key


def _blocks(text: str) -> list[tuple[str, bytes]]:
    if len(text) > MAX_PEM_LENGTH:
        raise IdentityError(f"{len(text)} characters are too long for a PEM key; is it the right file?")
    found = []
    for label, inner in _BLOCK.findall(text):
        if "ENCRYPTED" in label or "ENCRYPTED" in inner:
            raise IdentityError(
                "the PEM is encrypted: `dfx identity export NAME` or `openssl pkey -in FILE` print the plain key"
            )
        body = _base64(inner)
        if body is None:
            raise IdentityError("the PEM's body is not base64; export the key again")
        found.append((label, body))
    return found


def _base64(text: str) -> bytes | None:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _why_not_one(text: str, labels: list[str], count: int) -> str:
    if count > 1:
        return f"the PEM holds {count} private keys; keep the one that is meant"
    if "RSA PRIVATE KEY" in labels:
        return f"the PEM holds an RSA key; {_USABLE}"
    if any("PUBLIC KEY" in label or "CERTIFICATE" in label for label in labels):
        return f"the PEM holds no private key, only {' and '.join(labels).lower()}; {_USABLE}"
    if "-----BEGIN" in text:
        return "the PEM ends early: it has no whole -----BEGIN … PRIVATE KEY----- … -----END … PRIVATE KEY----- block"
    return f"this is no PEM text (-----BEGIN PRIVATE KEY-----); {_USABLE}"


def _pkcs8(data: bytes) -> SecretKey:
    parts = elements(only(data, SEQUENCE, "key"), "key")
    if [part.tag for part in parts[:3]] != [INTEGER, SEQUENCE, OCTET_STRING]:
        raise DecodeError("key", "is not a PKCS#8 structure")
    algorithm = elements(parts[1].body, "key")
    oid = algorithm[0].body if algorithm else b""
    if oid == _OID_ED25519:
        return SecretKey(ED25519, _exactly_32(only(parts[2].body, OCTET_STRING, "key")), _public(parts[3:]))
    if oid == _OID_EC:
        return _sec1(parts[2].body, algorithm[1].body if len(algorithm) > 1 else b"")
    raise _unusable(oid)


def _sec1(data: bytes, curve: bytes) -> SecretKey:
    parts = elements(only(data, SEQUENCE, "key"), "key")
    if [part.tag for part in parts[:2]] != [INTEGER, OCTET_STRING]:
        raise DecodeError("key", "is not an EC private key structure")
    for part in parts[2:]:
        if part.tag == CONTEXT_0:
            curve = _oid(part.body)
    if curve != _OID_SECP256K1:
        raise _unusable(curve)
    return SecretKey(SECP256K1, _exactly_32(parts[1].body), _public(parts[2:]))


def _oid(data: bytes) -> bytes:
    return only(data, OBJECT_IDENTIFIER, "key")


def _exactly_32(secret: bytes) -> bytes:
    if len(secret) != 32:
        raise DecodeError("key", f"has a secret of {len(secret)} bytes instead of 32")
    return secret


def _public(parts: list[Element]) -> bytes | None:
    for part in parts:
        if part.tag in _PUBLIC_KEY_TAGS:
            wrapped = part.body.startswith(bytes([BIT_STRING]))
            return (only(part.body, BIT_STRING, "key") if wrapped else part.body)[1:]
    return None


def _unusable(oid: bytes) -> IdentityError:
    return IdentityError(f"the PEM holds {_OTHER_OIDS.get(oid, 'a key of an unknown kind')}; {_USABLE}")
